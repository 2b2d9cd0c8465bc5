"""Uncertainty of results: exact figures of networks whose answers are known, in pictures and volumes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor

from monai_ext.inferers import PromptInferer, SliceTraversal, estimated_quality
from monai_ext.inferers.observer import StageObserver
from monai_ext.inferers.perturbations import Perturbations
from monai_ext.inferers.uncertainty import binary_entropy
from monai_ext.networks.segmenter import Segmentation, TextPromptedSegmenter
from monai_ext.prompts.lexicon import Lexicon
from tests.fakes import FAKES, DisplayProbe
from tests.orientations import ALL_48, IDS, affine_of, stored_as

MIRROR = Perturbations(shift=0, wordings=0)
SHIFTS = Perturbations(mirror=False, wordings=0, shift=0.25)
WORDS = Perturbations(mirror=False, shift=0, wordings=3)


class Copy(TextPromptedSegmenter):
    """Finds what is bright: as sure as the pixel says. Presence is the brightest pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def encode(self, image: Tensor) -> dict[str, Tensor]:
        self.shapes.append(tuple(image.shape))
        return {"image": image.clone()}

    def segment(self, features, prompts) -> Segmentation:
        image = features["image"][:, :1]
        return Segmentation(image.logit(), image.amax((1, 2, 3)).logit())


class Fixed(Copy):
    """Finds the first columns of what it is shown, whatever it is: all that is undone moves."""

    def __init__(self, columns: int = 1) -> None:
        super().__init__()
        self.columns = columns

    def segment(self, features, prompts) -> Segmentation:
        image = features["image"]
        logits = torch.full_like(image[:, :1], -20.0)
        logits[..., : self.columns] = 20.0
        return Segmentation(logits, torch.full((len(image),), 5.0))


class Wordy(Copy):
    """Finds as many pixels of a row as its prompt is in the list of words; is absent for others."""

    def __init__(self, words: list[str]) -> None:
        super().__init__()
        self.words = words

    def segment(self, features, prompts) -> Segmentation:
        image, found = features["image"], [prompt.texts[0] for prompt in prompts]
        logits = torch.full_like(image[:, :1], -20.0)
        for row, text in zip(logits, found):
            row[..., : self.words.index(text) + 1 if text in self.words else 0] = 20.0
        return Segmentation(logits, torch.tensor([5.0 if one in self.words else -5.0 for one in found]))


def measured(network, image, prompts="lungs", perturbations=None, **settings):
    inferer = PromptInferer(prompts, perturbations=perturbations, **settings)
    return inferer(image, network)


def picture(values) -> MetaTensor:
    return MetaTensor(torch.tensor(values, dtype=torch.float32).expand(1, 3, -1, -1))


def test_the_result_is_the_one_without_it() -> None:
    image = MetaTensor(torch.rand(2, 3, 9, 7, 5), affine=torch.eye(4))
    for name, (kind, _) in FAKES.items():
        network = kind().eval()
        for settings in ({}, {"mask_threshold": 0.5}):
            plain = measured(network, image, "lungs; left kidney", presence_threshold=0.0, **settings)
            sure = measured(
                network, image, "lungs; left kidney", Perturbations(), presence_threshold=0.0, **settings
            )
            assert torch.equal(plain.as_tensor(), sure.as_tensor()), name
            assert torch.equal(plain.meta["presence"], sure.meta["presence"])
            assert not {"quality", "entropy"} & plain.meta.keys()
            assert sure.meta["quality"].shape == sure.meta["members"].shape == (2, 2)
            assert sure.meta["entropy"].shape == sure.shape
            assert ((sure.meta["quality"] >= 0) & (sure.meta["quality"] <= 1)).all()


def test_without_leave_to_measure_the_network_is_asked_once() -> None:
    network = Copy()
    result = measured(network, picture([[0.9, 0.1]]), perturbations=Perturbations(enabled=False))
    assert len(network.shapes) == 1
    assert "quality" not in result.meta


@pytest.mark.parametrize("perturbations", [MIRROR, SHIFTS], ids=["mirror", "shifts"])
def test_members_lie_where_the_result_lies(perturbations) -> None:
    image = picture([[0.9, 0.1, 0.2, 0.7], [0.6, 0.3, 0.5, 0.0]])
    result = measured(Copy(), image, perturbations=perturbations)
    assert result.meta["quality"].tolist() == [[1]]
    expected = (255 * binary_entropy(image[0, :1])).round()
    assert torch.equal(result.meta["entropy"][0].float(), expected.as_tensor())


def test_a_mirrored_member_that_disagrees_is_seen_where_it_does() -> None:
    result = measured(Fixed(3), picture([[0.5] * 4]), perturbations=MIRROR)
    # columns 0 to 2, and mirrored 1 to 3: two in common
    assert result.meta["quality"].item() == pytest.approx(2 * 2 / 6)
    assert result.meta["entropy"].tolist() == [[[[255, 0, 0, 255]]]]
    assert (result.meta["members"].item(), result.meta["members_found"].item()) == (2, 2)


def test_a_moved_member_that_disagrees_is_seen_where_it_does() -> None:
    result = measured(Fixed(3), picture([[0.5] * 4] * 4), perturbations=SHIFTS)
    # of four columns the first 3; behind a margin of one pixel the first 2; before one the first 3
    assert result.meta["quality"].item() == pytest.approx((2 * 8 / 20 + 1 + 2 * 8 / 20) / 3)
    thirds = round(255 * (math.log2(3) - 2 / 3))
    assert result.meta["entropy"][0, 0].tolist() == [[0, 0, thirds, 0]] * 4


def test_a_side_is_asked_for_on_the_other_side_of_the_mirrored_image() -> None:
    result = measured(DisplayProbe(), picture([[0.5] * 4] * 2), "left; top", MIRROR)
    assert result.meta["quality"].tolist() == [[1, 1]]
    wrong = measured(DisplayProbe(), picture([[0.5] * 4] * 2), "first", MIRROR)  # a half, but no side
    assert wrong.meta["quality"].tolist() == [[0]]


@pytest.mark.parametrize("orientation", ALL_48, ids=IDS)
def test_entropy_lies_in_a_volume_as_the_mask_does_in_every_orientation(orientation) -> None:
    values = np.random.default_rng(1).uniform(0.05, 0.95, (3, 4, 5))
    volume = stored_as(values, affine_of((1, 1, 2)), orientation)
    result = measured(Copy(), volume, perturbations=Perturbations(), presence_threshold=0.0)
    expected = (255 * binary_entropy(result.as_tensor())).round()
    assert (result.meta["entropy"].float() - expected).abs().max() <= 1  # the mean of floats is no exact one
    assert result.meta["quality"].tolist() == [[1]]


def test_slices_one_by_one_give_what_all_at_once_give() -> None:
    volume = MetaTensor(torch.rand(1, 3, 8, 6, 7), affine=torch.eye(4))
    network = FAKES["feed-forward"][0]().eval()
    first, *others = (
        measured(network, volume, "lungs; heart", Perturbations(), presence_threshold=0.0, batch_size=size)
        for size in (1, 3, 7)
    )
    for other in others:
        torch.testing.assert_close(
            first.meta["quality"], other.meta["quality"], equal_nan=True, rtol=0, atol=0
        )
        assert (first.meta["entropy"].int() - other.meta["entropy"].int()).abs().max() <= 1


def test_dice_of_a_volume_is_that_of_all_its_slices_and_not_their_mean() -> None:
    class Depth(Fixed):
        """All of the first slice, one column of the others."""

        def segment(self, features, prompts):
            found = super().segment(features, prompts)
            found.logits[features["image"][:, 0, 0, 0] > 0.8] = 20.0
            return found

    values = torch.full((1, 3, 4, 4, 3), 0.5)
    values[..., 0] = 0.9
    result = measured(Depth(), values, perturbations=MIRROR, traversal=SliceTraversal(2, slice_axis=2))
    # 16 voxels are in both; 4 + 4 in each that the other has not
    assert result.meta["quality"].item() == pytest.approx(2 * 16 / (24 + 24))


def test_only_a_batch_of_slices_is_shown_at_a_time() -> None:
    network = Copy()
    measured(network, torch.rand(1, 3, 4, 4, 5), perturbations=MIRROR, batch_size=2)
    assert [shape[0] for shape in network.shapes] == [2, 2, 2, 2, 1, 1]


def test_other_words_share_the_encoding_of_the_image() -> None:
    network = Copy()
    measured(network, picture([[0.9, 0.1]]), "polyp; liver", Perturbations())
    assert len(network.shapes) == 4  # as it is, mirrored, moved twice


def test_words_that_find_something_else_lower_quality() -> None:
    words = ["polyp", "polyp in a colonoscopy image", "colorectal polyp", "where is the polyp?"]
    result = measured(Wordy(words), picture([[0.5] * 4]), "polyp", WORDS)
    dice = [2 * a / (a + b) for a in range(1, 5) for b in range(a + 1, 5)]
    assert result.meta["quality"].item() == pytest.approx(sum(dice) / 6)
    quarter = round(255 * binary_entropy(torch.tensor(0.25)).item())
    assert result.meta["entropy"][0, 0].tolist() == [[0, quarter, 255, quarter]]


def test_a_member_that_is_judged_absent_found_nothing() -> None:
    result = measured(Wordy(["polyp", "colorectal polyp"]), picture([[0.5] * 4]), "polyp", WORDS)
    # 1 and 2 pixels, and two empty masks, which agree with each other
    assert result.meta["quality"].item() == pytest.approx((2 / 3 + 1) / 6)
    assert (result.meta["members"].item(), result.meta["members_found"].item()) == (4, 2)
    opened = measured(Wordy(["polyp"]), picture([[0.5] * 4]), "polyp", WORDS, gate=False)
    assert opened.meta["quality"].item() == pytest.approx((0 + 3) / 6)


def test_a_prompt_without_a_mask_has_no_quality_whatever_its_members_find() -> None:
    result = measured(Wordy(["colorectal polyp"]), picture([[0.5] * 4]), "polyp", WORDS)
    assert not result.any()
    assert math.isnan(result.meta["quality"].item())
    assert (result.meta["members"].item(), result.meta["members_found"].item()) == (4, 1)
    assert result.meta["entropy"][0, 0, 0, 0] > 0  # where it may be


def test_a_refused_prompt_has_no_members() -> None:
    network = Copy()
    network.lexicon = Lexicon((), {"endoscopy": {"polyp": []}})
    result = measured(network, picture([[0.9, 0.1]]), "liver; polyp", Perturbations())
    assert result.meta["members"].tolist() == [[0, 7]]
    assert math.isnan(result.meta["quality"][0, 0]) and result.meta["quality"][0, 1] == 1
    assert not result.meta["entropy"][0, 0].any()
    assert measured(network, picture([[0.9]]), "liver", Perturbations()).meta["members"].tolist() == [[0]]


def test_a_case_empties_a_member_that_a_slice_alone_does_not() -> None:
    class Once(Copy):
        """Present by .6 in the slice that is bright; mirrored, surely."""

        def segment(self, features, prompts):
            image = features["image"]
            bright = image[:, 0].amax((1, 2)) > 0.8
            mirrored = image[:, 0, 0, -1] > image[:, 0, 0, 0]
            presence = torch.where(mirrored, 5.0, torch.tensor(0.6).logit())
            return Segmentation(
                torch.full_like(image[:, :1], 20.0), torch.where(bright, presence, torch.tensor(-5.0))
            )

    volume = torch.full((1, 3, 2, 2, 3), 0.1)
    volume[:, :, 0, :, 1] = 0.9  # array order: rows run along the first axis
    volume = volume.transpose(2, 3).contiguous()
    inferer = {"traversal": SliceTraversal(8, slice_axis=2), "neighbour_share": 0.4}
    result = measured(Once(), volume, perturbations=MIRROR, **inferer)
    assert result.meta["members_found"].item() == 1 and math.isnan(result.meta["quality"].item())
    alone = measured(
        Once(), volume, perturbations=MIRROR, neighbour_share=0.0, traversal=inferer["traversal"]
    )
    assert alone.meta["members_found"].item() == 2 and alone.meta["quality"].item() == 1


def test_the_mask_of_a_member_is_cut_at_the_threshold_of_the_masks() -> None:
    image = picture([[0.9, 0.6, 0.1]])

    class Unsure(Copy):
        """Less sure of what is mirrored."""

        def segment(self, features, prompts):
            image = features["image"][:, :1]
            less = image * (0.8 if image[0, 0, 0, 0] < 0.5 else 1)
            return Segmentation(less.logit(), torch.full((len(image),), 5.0))

    for threshold, expected in ((0.5, 2 / 3), (0.3, 1.0)):
        settings = Perturbations(shift=0, wordings=0, threshold=threshold)
        result = measured(Unsure(), image, perturbations=settings)
        assert result.meta["quality"].item() == pytest.approx(expected)


def test_every_case_of_a_batch_has_figures_of_its_own() -> None:
    images = MetaTensor(torch.cat([picture([[0.9, 0.9, 0.1, 0.1]]), picture([[0.9, 0.1, 0.1, 0.9]])]))

    class First(Copy):
        def segment(self, features, prompts):
            found = super().segment(features, prompts)
            found.logits[..., 2:] = -20.0
            return found

    result = measured(First(), images, perturbations=MIRROR)
    assert result.meta["quality"].tolist() == [[0], [0]]
    assert result.meta["members_found"].tolist() == [[1], [2]]


def test_an_observer_sees_the_results_alone() -> None:
    class Seen(StageObserver):
        def __init__(self) -> None:
            self.calls: list[tuple] = []

        def start_case(self, view, asked):
            self.calls.append(("case", list(asked)))

        def encoded(self, features, start, stop):
            self.calls.append(("encoded", start, stop))

        def segmented(self, prompt, result):
            self.calls.append(("segmented", prompt))

    plain, sure = Seen(), Seen()
    volume = torch.rand(1, 3, 4, 4, 3)
    measured(Copy(), volume, "polyp; liver", observer=plain, batch_size=2)
    measured(Copy(), volume, "polyp; liver", Perturbations(), observer=sure, batch_size=2)
    assert plain.calls == sure.calls and len(sure.calls) == 1 + 2 * 3


def test_entropy_is_in_bits() -> None:
    found = binary_entropy(torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]))
    assert found.tolist() == pytest.approx([0, 0.811278, 1, 0.811278, 0], abs=1e-6)


def test_quality_alone_is_that_of_the_result_and_changes_no_inferer() -> None:
    image = picture([[0.5] * 4])
    inferer = PromptInferer("polyp", perturbations=Perturbations(False, shift=0, wordings=0))
    assert estimated_quality(inferer, image, Fixed(3)) == [[pytest.approx(2 / 3)]]
    assert not inferer.perturbations.enabled
    wide = estimated_quality(PromptInferer("polyp"), image, Fixed(4), "liver; polyp")
    assert wide == [[pytest.approx(1 - 6 * (1 - 2 * 3 / 7) / 21)] * 2]  # behind a margin a column is missed
    assert estimated_quality(inferer, picture([[0.1, 0.2]]), Copy()) == [[None]]


def test_the_same_image_gives_the_same_figures() -> None:
    network = FAKES["test-time gradient"][0]().eval()
    image = MetaTensor(torch.rand(1, 3, 9, 7))
    one, other = (
        measured(network, image, "left kidney", Perturbations(), presence_threshold=0.0) for _ in range(2)
    )
    assert torch.equal(one.meta["entropy"], other.meta["entropy"])
    np.testing.assert_array_equal(one.meta["quality"], other.meta["quality"])
