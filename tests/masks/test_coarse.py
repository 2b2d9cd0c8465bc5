"""Coarse masks of a saliency, in exact numbers, and those of a constant saliency."""

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from monai_ext.errors import InputError
from monai_ext.masks import CoarseMask, CRFMask, DenseCRF, KMeansMask, OtsuMask, ThresholdMask
from monai_ext.masks.coarse import _nearest
from tests.abstract import incomplete

METHODS = {
    "threshold": ThresholdMask(),
    "otsu": OtsuMask(),
    "kmeans": KMeansMask(size=64),
    "kmeans as published": KMeansMask(size=64, as_published=True),
    "crf": CRFMask(),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def saliency_of_two():
    """Of .9 on 120 pixels and of .5 on 60, elsewhere 0 or .04: (1, 1, 40, 48); its image is grey."""
    saliency = 0.04 * torch.randint(2, (1, 1, 40, 48))
    saliency[..., 10:20, 8:20] = 0.9
    saliency[..., 28:34, 30:40] = 0.5
    return saliency, torch.full((1, 3, 40, 48), 0.5)


def test_a_level_is_a_level():
    saliency, image = saliency_of_two()
    assert [int(ThresholdMask(level)(saliency, image).sum()) for level in (0.3, 0.5, 0.9)] == [180, 120, 0]


def test_a_random_field_is_cut_above_a_half():
    saliency = torch.tensor([[[[0.0, 0.49, 0.5, 0.51, 1.0]]]])
    mask = CRFMask(crf=lambda probability, image: probability)(saliency, torch.rand(1, 3, 1, 5))
    assert mask.ravel().tolist() == [False, False, False, True, True]


def test_components_of_low_confidence_are_left_out():
    saliency, image = saliency_of_two()
    saliency[0, 0, 0, -1] = 1  # in the range from 0 to 1 already; the 1 is a component of its own
    masks = {c: OtsuMask(confidence=c)(saliency, image)[0, 0] for c in (0, 0.5, 0.6, 0.95)}
    assert [int(mask.sum()) for mask in masks.values()] == [181, 121, 121, 1]
    assert masks[0.5][10:20, 8:20].all() and masks[0.95][0, -1]


def test_confidence_is_that_of_the_saliency_scaled_to_its_whole_range():
    saliency, image = saliency_of_two()
    assert OtsuMask()(saliency, image).equal(OtsuMask()(0.2 + saliency / 10, image))


def test_the_higher_cluster_keeps_its_largest_components():
    saliency, image = saliency_of_two()
    saliency[..., 28:34, 30:40] = 0.8
    sizes = [int(KMeansMask(n, size=480)(saliency, image).sum()) for n in (1, 2, None)]
    assert sizes == [120, 180, 180]


def test_clusters_are_made_at_their_own_size():
    saliency, image = saliency_of_two()
    large = torch.nn.functional.interpolate(saliency, (400, 480), mode="nearest")
    mask = KMeansMask(size=120)(large, image.repeat_interleave(10, 2).repeat_interleave(10, 3))
    edges = torch.zeros_like(mask)
    edges[..., 90:210, 70:210] = True
    edges[..., 110:190, 90:190] = False
    wanted = torch.zeros_like(mask)
    wanted[..., 100:200, 80:200] = True
    assert mask[~edges].equal(wanted[~edges])


class TestAsPublished:
    """The code of MedCLIP-SAMv2, whose masks these numbers are."""

    def test_the_saliency_is_resized_to_nearest_neighbours_both_ways(self):
        saliency, image = torch.zeros(1, 1, 6, 10), torch.zeros(1, 3, 6, 10)
        saliency[0, 0, 1] = 1  # of rows 0, 1, 3 and 4 that four of six are, one
        saliency[0, 0, 2:5] = torch.rand(3, 10) / 9
        mask = KMeansMask(size=4, as_published=True)(saliency, image)[0, 0]
        assert mask.any(1).tolist() == [False, False, True, False, False, False] and mask[2].all()

    def test_neighbours_are_those_of_opencv_where_others_round_otherwise(self):
        rows, columns = torch.arange(198), torch.arange(4)
        taken = _nearest(10 * rows[:, None] + columns, (64, 6))
        assert taken[32].tolist() == [980, 980, 981, 982, 982, 983]  # exactly half of 198 would be row 99
        assert taken[[0, 1, 63], 0].tolist() == [0, 30, 1940]

    def test_components_are_chosen_at_the_size_of_the_image(self):
        saliency, image = torch.zeros(1, 1, 8, 64), torch.zeros(1, 3, 8, 64)
        saliency[..., 0, :20] = 1  # 20 pixels here, 5 of the square of 16, two rows of it
        saliency[..., 4:8, 40:44] = 1  # 16 pixels here, 8 of the square
        assert int(KMeansMask(size=16, as_published=True)(saliency, image)[..., :20].sum()) == 20

    def test_components_as_large_as_the_last_one_that_is_kept_stay(self):
        saliency, image = torch.zeros(1, 1, 32, 32), torch.zeros(1, 3, 32, 32)
        for row, column, side in ((2, 2, 6), (2, 20, 4), (20, 2, 4), (20, 20, 2)):
            saliency[..., row : row + side, column : column + side] = 1
        sizes = {
            n: int(KMeansMask(n, 32, as_published=True)(saliency, image).sum()) for n in (1, 2, 3, 4, None)
        }
        assert sizes == {1: 36, 2: 68, 3: 68, 4: 72, None: 72}
        assert int(KMeansMask(2, 32)(saliency, image).sum()) == 52


def test_the_random_field_starts_from_the_unscaled_saliency():
    saliency, image = saliency_of_two()
    image[..., 10:20, 8:20] = 0.9
    field = DenseCRF(3, 3, 60, 5, 5, iterations=2)
    probability = field(saliency[0, 0].double().numpy(), image[0].permute(1, 2, 0).double().numpy())
    ours = CRFMask(field)(saliency, image)[0, 0]
    assert np.array_equal(ours.numpy(), probability > 0.5)
    assert int(ours.sum()) == 120 and ours[10:20, 8:20].all()


@every_method
def test_a_batch_gives_what_one_by_one_gives(method):
    saliency, image = torch.rand(3, 1, 9, 9), torch.rand(3, 3, 36, 48)
    saliency = torch.nn.functional.interpolate(saliency, (36, 48), mode="bilinear")
    saliency[1] = 0
    masks = method(saliency, image)
    assert masks.shape == (3, 1, 36, 48) and masks.dtype == torch.bool
    alone = [method(saliency[i : i + 1], image[i : i + 1]) for i in (2, 1, 0)]
    assert torch.cat(alone[::-1]).equal(masks)
    assert masks.flatten(1).any(1).tolist() == [True, False, True]


@every_method
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_constant_saliency_marks_nothing(method, value):
    masks = method(torch.full((2, 1, 20, 30), value), torch.rand(2, 3, 20, 30))
    assert masks.shape == (2, 1, 20, 30) and not masks.any()


@every_method
def test_a_constant_image_changes_nothing(method):
    saliency, image = saliency_of_two()
    mask = method(saliency, 0 * image)[0, 0]
    assert mask[12:18, 10:18].all() and not mask[:, -5:].any()


@pytest.mark.parametrize("method", [ThresholdMask(), OtsuMask()], ids=["threshold", "otsu"])
def test_a_single_salient_pixel_is_a_mask_of_one(method):
    saliency = torch.zeros(1, 1, 20, 30)
    saliency[0, 0, 7, 11] = 1
    assert method(saliency, torch.rand(1, 3, 20, 30)).nonzero().tolist() == [[0, 0, 7, 11]]


@every_method
def test_images_of_one_pixel_and_of_one_row_are_taken(method):
    assert not method(torch.ones(1, 1, 1, 1), torch.rand(1, 3, 1, 1)).any()
    row = method(torch.linspace(0, 1, 30)[None, None, None], torch.rand(1, 3, 1, 30))
    assert row.shape == (1, 1, 1, 30) and row[..., -5:].all() and not row[..., :5].any()


@every_method
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(method, value):
    saliency, image = saliency_of_two()
    saliency[0, 0, 3, 4] = value
    with pytest.raises(InputError, match="the saliency .* NaN"):
        method(saliency, image)
    with pytest.raises(InputError, match="the image .* NaN"):
        method(torch.rand(1, 1, 40, 48), image.clone().fill_(value))


@pytest.mark.parametrize("shape", [(1, 3, 20, 30), (2, 3, 40, 48), (1, 1, 40, 48)])
def test_a_saliency_of_another_image_is_refused(shape):
    with pytest.raises(ValueError, match="belong together"):
        OtsuMask()(saliency_of_two()[0], torch.rand(shape))


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (ThresholdMask, {"level": 1}),
        (ThresholdMask, {"level": -0.1}),
        (OtsuMask, {"confidence": 1.5}),
        (KMeansMask, {"components": 0}),
        (KMeansMask, {"size": 1}),
        (KMeansMask, {"seed": -1}),
    ],
)
def test_settings_out_of_range_are_refused(kind, wrong):
    with pytest.raises(InputError):
        kind(**wrong)


def test_a_configuration_builds_them():
    made = ConfigParser({"coarse": {"_target_": "monai_ext.masks.KMeansMask", "components": 2}})
    assert made.get_parsed_content("coarse").components == 2


def test_a_coarse_mask_without_its_method_cannot_be_built():
    with pytest.raises(TypeError, match="abstract method '?mask'?"):
        incomplete(CoarseMask, "mask")()
