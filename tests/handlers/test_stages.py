"""What the stages of a method would have scored: the best candidate, a saliency map, a coarse mask, slice by slice."""

import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_ext.handlers.compressed_masks import CompressedMasks
from monai_ext.handlers.metrics import score_case
from monai_ext.handlers.stages import RecordedSlice, StageRecorder, shown_as, stage_scores
from monai_ext.inferers import PromptInferer
from monai_ext.io.slices import SliceView
from monai_ext.masks import Candidates
from monai_ext.networks.segmenter import Prompt, Segmentation, TextPromptedSegmenter
from tests.fakes import FeedForward

PICTURE = SliceView(2, 0, 1)


def packed(*masks):
    return CompressedMasks.of(np.array(masks))


def oracle_iou(candidates, reference, view):
    return stage_scores([RecordedSlice(one) for one in candidates], 0, reference, view)["oracle_iou"]


def test_masks_come_back_as_they_were():
    masks = np.random.default_rng(0).random((3, 7, 9)) > 0.5
    kept = CompressedMasks.of(masks)
    assert np.array_equal(kept.masks(), masks) and kept.masks().dtype == bool
    assert CompressedMasks.of(masks[:0]).masks().shape == (0, 7, 9)


def test_the_candidate_most_like_the_reference_counts():
    truth = torch.tensor([[1, 1, 1, 0]])
    candidates = [packed([[1, 0, 0, 0]], [[1, 1, 1, 1]], [[0, 0, 0, 1]])]
    assert oracle_iou(candidates, truth, PICTURE) == 0.75


def test_without_candidates_it_is_0_and_without_reference_undefined():
    none = [CompressedMasks.of(np.zeros((0, 1, 4), bool))]
    assert oracle_iou(none, torch.tensor([[1, 1, 1, 0]]), PICTURE) == 0
    assert math.isnan(oracle_iou([packed([[1, 1, 1, 1]])], torch.zeros(1, 4), PICTURE))


def test_a_volume_is_judged_over_its_slices():
    truth = torch.zeros(1, 4, 3)
    truth[0, :3, 0] = truth[0, :1, 1] = (
        1  # three pixels in the first slice, one in the second, none in the third
    )
    candidates = [packed([[1, 1, 1, 1]], [[1, 0, 0, 0]]), packed([[0, 0, 1, 1]]), packed([[1, 1, 1, 1]])]
    # 3 of 4, then 0 of 3; nothing is chosen where there is nothing
    assert oracle_iou(candidates, truth, PICTURE) == pytest.approx(3 / 7)


class Bright(TextPromptedSegmenter):
    """One candidate for each slice: what is bright as it is shown."""

    def encode(self, image):
        one = torch.ones(1)
        masks = image[:, :1] > 0.5
        return {
            "candidates": [Candidates(mask, one, one, one[:, None], one[:, None]) for mask in masks],
            "image": image,
        }

    def segment(self, features, prompts):
        return Segmentation(features["image"][:, :1] - 0.5, torch.ones(len(prompts)))

    def why_unknown(self, prompt):
        return "it is nothing" if prompt.texts[0] == "nothing" else ""


@pytest.mark.parametrize("flips", [(1, 1), (-1, 1), (1, -1)])
def test_candidates_of_a_volume_are_compared_as_it_was_shown(flips):
    torch.manual_seed(0)
    affine = torch.diag(torch.tensor([*map(float, flips), 3.0, 1.0], dtype=torch.float64))
    volume = MetaTensor((torch.rand(1, 1, 6, 5, 4) > 0.6).float().expand(1, 3, 6, 5, 4), affine=affine)
    recorder = StageRecorder(Bright())
    masks = PromptInferer("bright; other", batch_size=3)(volume, recorder)[0] > 0.5
    assert len(recorder.kept) == 4
    data = {
        **dict.fromkeys(("set", "case", "group", "modality"), "a"),
        "prompt": ["bright", "other"],
        "target": ["bright", ""],
        "values": ["1", ""],
        "table": "0+1",
        "masks": masks.to(torch.uint8),
        "presence": torch.ones(2),
        "label": MetaTensor(volume[0, :1].as_tensor(), affine=affine),
        "recorded": recorder.take(4),
        "unknown": ["", ""],
        "difficulty": "hard",
    }
    first, second = score_case(data, surface=False)
    assert shown_as(masks).axis == 2
    assert first["oracle_iou"] == first["iou"] == 1.0
    assert math.isnan(second["oracle_iou"])
    assert first["difficulty"] == "hard"


class Refined(Bright):
    """The coarse mask is the upper half of what is bright."""

    def encode(self, image):
        return {"image": image}

    def segment(self, features, prompts):
        bright = features["image"][:, :1] > 0.5
        coarse = bright.clone()
        coarse[:, :, bright.shape[2] // 2 :] = False
        stages = {"masks": {"saliency": torch.ones_like(bright), "coarse": coarse}}
        return Segmentation(features["image"][:, :1] - 0.5, torch.ones(len(prompts)), stages)


def test_masks_of_stages_are_scored_and_an_unknown_prompt_has_none():
    recorder = StageRecorder(Refined())
    image = torch.zeros(1, 3, 4, 4)
    image[..., :2] = 1  # eight pixels of sixteen
    PromptInferer("nothing; bright")(image, recorder)
    data = {
        **dict.fromkeys(("set", "case", "group", "modality"), "a"),
        "prompt": ["nothing", "bright"],
        "target": ["bright"] * 2,
        "values": ["1"] * 2,
        "table": "0+1",
        "masks": MetaTensor(torch.zeros(2, 4, 4)),
        "presence": torch.ones(2),
        "label": image[0, :1],
        "recorded": recorder.take(1),
        "unknown": ["it is nothing", ""],
    }
    nothing, bright = score_case(data, surface=False)
    assert (nothing["saliency_dice"], nothing["coarse_dice"]) == (0, 0)
    assert bright["saliency_dice"] == 2 * 8 / (16 + 8) and bright["coarse_dice"] == 2 * 4 / (4 + 8)
    assert "oracle_iou" not in bright


def test_a_recorder_gives_what_it_kept_once_and_says_when_there_is_less():
    recorder = StageRecorder(Bright())
    recorder(torch.rand(3, 3, 4, 4), "bright")
    assert len(recorder.take(2)) == 2 and len(recorder.kept) == 1
    with pytest.raises(ValueError, match="stages of 2 slices asked for, and 1 were encoded"):
        recorder.take(2)
    assert recorder.why_unknown(Prompt(("nothing",))) == "it is nothing"


def test_a_network_without_stages_is_refused():
    with pytest.raises(ValueError, match="FeedForward has neither candidates nor masks"):
        StageRecorder(FeedForward())(torch.rand(1, 3, 4, 4), "lungs")
