"""What the stages of a method would have scored: the best candidate, a saliency map, a coarse mask, slice by slice."""

import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_ext.errors import InputError
from monai_ext.handlers.metrics import score_case
from monai_ext.handlers.stages import RecordedCase, RecordedSlice, StageRecorder, stage_scores
from monai_ext.inferers import PromptInferer
from monai_ext.io.slices import SliceView
from monai_ext.masks import Candidates, CompressedMasks
from monai_ext.networks.segmenter import Segmentation, TextPromptedSegmenter
from monai_ext.prompts.reading import Reading
from tests.fakes import FeedForward

PICTURE = SliceView(2, 0, 1)


def compressed(*masks):
    return CompressedMasks.of(np.array(masks))


def oracle_iou(candidates, reference):
    case = RecordedCase(PICTURE, [True], [RecordedSlice(one) for one in candidates])
    return stage_scores(case, 0, reference)["oracle_iou"]


def test_the_candidate_most_like_the_reference_counts():
    truth = torch.tensor([[1, 1, 1, 0]])
    candidates = [compressed([[1, 0, 0, 0]], [[1, 1, 1, 1]], [[0, 0, 0, 1]])]
    assert oracle_iou(candidates, truth) == 0.75


def test_without_candidates_it_is_0_and_without_reference_undefined():
    none = [CompressedMasks.of(np.zeros((0, 1, 4), bool))]
    assert oracle_iou(none, torch.tensor([[1, 1, 1, 0]])) == 0
    assert math.isnan(oracle_iou([compressed([[1, 1, 1, 1]])], torch.zeros(1, 4)))


def test_a_volume_is_judged_over_its_slices():
    truth = torch.zeros(1, 4, 3)
    truth[0, :3, 0] = truth[0, :1, 1] = (
        1  # three pixels in the first slice, one in the second, none in the third
    )
    candidates = [
        compressed([[1, 1, 1, 1]], [[1, 0, 0, 0]]),
        compressed([[0, 0, 1, 1]]),
        compressed([[1, 1, 1, 1]]),
    ]
    # 3 of 4, then 0 of 3; nothing is chosen where there is nothing
    assert oracle_iou(candidates, truth) == pytest.approx(3 / 7)


class Bright(TextPromptedSegmenter):
    """One candidate for each slice, what is bright as it is shown, which is also the coarse mask."""

    def encode(self, image):
        one = torch.ones(1)
        masks = image[:, :1] > 0.5
        return {
            "candidates": [Candidates(mask, one, one, one[:, None], one[:, None]) for mask in masks],
            "image": image,
        }

    def segment(self, features, prompts):
        logits = features["image"][:, :1] - 0.5
        return Segmentation(logits, torch.ones(len(prompts)), {"masks": {"coarse": logits > 0}})

    def read(self, prompt, modality=None):
        return prompt, Reading(prompt.texts[0], "it is nothing" if prompt.texts[0] == "nothing" else "")


@pytest.mark.parametrize(
    ("flips", "asked", "axis"),
    [((1, 1), None, 2), ((-1, 1), None, 2), ((1, -1), None, 2), ((1, 1), 0, 0), ((1, -1), 1, 1)],
)
def test_stages_of_a_volume_are_compared_in_the_slices_that_the_inferer_cut(flips, asked, axis):
    torch.manual_seed(0)
    affine = torch.diag(torch.tensor([*map(float, flips), 3.0, 1.0], dtype=torch.float64))
    volume = MetaTensor((torch.rand(1, 1, 6, 5, 4) > 0.6).float().expand(1, 3, 6, 5, 4), affine=affine)
    recorder = StageRecorder()
    inferer = PromptInferer("bright; other", batch_size=3, slice_axis=asked, observer=recorder)
    masks = inferer(volume, Bright())[0] > 0.5
    (case,) = recorder.cases
    assert (case.view.axis, len(case.slices)) == (axis, (6, 5, 4)[axis])
    data = {
        **dict.fromkeys(("set", "case", "group", "modality"), "a"),
        "prompt": ["bright", "other"],
        "target": ["bright", ""],
        "values": ["1", ""],
        "table": "0+1",
        "masks": masks.to(torch.uint8),
        "presence": torch.ones(2),
        "label": MetaTensor(volume[0, :1].as_tensor(), affine=affine),
        "recorded": recorder.take(),
        "difficulty": "hard",
    }
    first, second = score_case(data, surface=False)
    assert first["oracle_iou"] == first["coarse_dice"] == first["iou"] == 1.0
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
    recorder = StageRecorder()
    image = torch.zeros(1, 3, 4, 4)
    image[..., :2] = 1  # eight pixels of sixteen
    PromptInferer("nothing; bright", observer=recorder)(image, Refined())
    data = {
        **dict.fromkeys(("set", "case", "group", "modality"), "a"),
        "prompt": ["nothing", "bright"],
        "target": ["bright"] * 2,
        "values": ["1"] * 2,
        "table": "0+1",
        "masks": MetaTensor(torch.zeros(2, 4, 4)),
        "presence": torch.ones(2),
        "label": image[0, :1],
        "recorded": recorder.take(),
    }
    nothing, bright = score_case(data, surface=False)
    assert (nothing["saliency_dice"], nothing["coarse_dice"]) == (0, 0)
    assert bright["saliency_dice"] == 2 * 8 / (16 + 8) and bright["coarse_dice"] == 2 * 4 / (4 + 8)
    assert "oracle_iou" not in bright


def test_masks_of_stages_without_candidates_are_those_of_every_slice():
    recorder = StageRecorder()
    volume = MetaTensor(torch.zeros(1, 3, 4, 4, 7), affine=torch.eye(4))
    volume[..., 4:] = 1
    PromptInferer("bright", batch_size=3, slice_axis=2, observer=recorder)(volume, Refined())
    case = recorder.take()
    assert [int(one.masks[0]["coarse"].masks().sum()) for one in case.slices] == [0] * 4 + [8] * 3
    assert stage_scores(case, 0, volume[0, 0]) == {"saliency_dice": 0.6, "coarse_dice": 2 / 3}
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        stage_scores(case, 0, volume[0, 0, ..., 3:])


def test_cases_are_taken_in_their_order_and_then_forgotten():
    recorder = StageRecorder()
    inferer = PromptInferer("bright", observer=recorder)
    inferer(torch.zeros(2, 3, 4, 4), Bright())
    inferer(torch.ones(1, 3, 4, 4), Bright())
    found = [recorder.take().slices[0].candidates.masks().any() for _ in range(3)]
    assert found == [False, False, True]
    with pytest.raises(ValueError, match="none was segmented since"):
        recorder.take()
    inferer(torch.ones(1, 3, 4, 4), Bright())
    recorder.clear()
    assert recorder.cases == []


def test_a_case_of_which_nothing_is_asked_has_no_slices():
    recorder = StageRecorder()
    PromptInferer("nothing", observer=recorder)(torch.ones(1, 3, 4, 4), Bright())
    case = recorder.take()
    assert case.slices == [] and case.asked == (False,)
    assert stage_scores(case, 0, torch.ones(4, 4)) == {}


def test_a_network_without_stages_is_refused():
    with pytest.raises(
        InputError, match="neither candidates nor masks of stages; leave the StageRecorder out"
    ):
        PromptInferer("lungs", observer=StageRecorder())(torch.rand(1, 3, 4, 4), FeedForward())


def test_a_method_without_saliency_has_nothing_to_explain():
    with pytest.raises(InputError, match="no saliency map and no coarse mask: there is nothing to explain"):
        PromptInferer("bright", observer=StageRecorder(explain=True))(torch.ones(1, 3, 4, 4), Refined())
