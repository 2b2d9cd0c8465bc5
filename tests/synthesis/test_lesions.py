"""Lesions painted into MR slices that show none."""

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from monai_ext.synthesis.lesions import lesion_slices, paint_lesions
from monai_ext.synthesis.phantoms import phantom

SIZE = 96
# The first two phantoms of a brain without a tumour, and the first with one.
HEALTHY = [one for s in range(30) if "brain tumour" in (one := phantom("brain_mr", s, SIZE))["absent"]][:2]
ILL = next(one for s in range(30) if "brain tumour" in (one := phantom("brain_mr", s, SIZE))["masks"])


def as_slice(one, modality="mri", targets=("brain tumour", "tumour core")):
    masks = [one["masks"].get(name, np.zeros((SIZE, SIZE), np.uint8)) for name in targets]
    return {
        "image": (torch.tensor(one["image"]) * 255).round().to(torch.uint8),
        "masks": torch.tensor(np.array(masks)).reshape(-1, SIZE, SIZE).to(torch.uint8),
        "targets": list(targets),
        "set": "phantoms",
        "modality": modality,
        "facts": {},
    }


def painted(seed):
    image, body = HEALTHY[0]["image"], HEALTHY[0]["masks"]["brain"] > 0
    return image, body, *paint_lesions(np.random.default_rng(seed), image, body)


@pytest.mark.parametrize("seed", range(20))
def test_lesions_lie_in_the_body_and_change_the_picture_only_there_and_near(seed):
    image, body, found, mask = painted(seed)
    assert found.shape == image.shape and found.dtype == np.float32
    assert found.min() >= 0 and found.max() <= 1
    assert mask.shape == body.shape and mask.dtype == np.bool_
    assert mask.any() and not (mask & ~body).any()
    change = np.abs(found - image).max(axis=0)
    assert (change[mask] > 0).mean() > 0.9
    assert change[mask].mean() > 0.02
    far = (distance_transform_edt(~mask) > 0.3 * SIZE) | (distance_transform_edt(~body) > 0.03 * SIZE)
    assert far.any() and not change[far].any()


def test_lesions_are_brighter_and_darker_small_and_large():
    results = [painted(seed) for seed in range(60)]
    changes = [float((found - image)[:, mask].mean()) for image, _, found, mask in results]
    shares = [float(mask.mean()) for *_, mask in results]
    assert min(changes) < -0.1 and max(changes) > 0.1
    assert min(shares) < 0.005 and max(shares) > 0.05


def test_painting_leaves_its_input_as_it_is():
    image = HEALTHY[0]["image"].copy()
    paint_lesions(np.random.default_rng(0), image, HEALTHY[0]["masks"]["brain"] > 0)
    assert np.array_equal(image, HEALTHY[0]["image"])


def test_pictures_need_not_be_square_nor_bodies_large():
    body = np.zeros((40, 64), bool)
    body[20, 30] = True
    found, mask = paint_lesions(np.random.default_rng(0), np.full((3, 40, 64), 0.5, np.float32), body)
    assert found.shape == (3, 40, 64) and np.array_equal(mask, body)


def test_slices_come_in_the_form_that_training_reads():
    made = lesion_slices([as_slice(one) for one in HEALTHY], 5)
    assert len(made) == 5
    for one in made:
        assert one["image"].shape == (3, SIZE, SIZE) and one["image"].dtype == torch.uint8
        assert one["masks"].shape == (1, SIZE, SIZE) and one["masks"].dtype == torch.uint8
        assert one["masks"].unique().tolist() == [0, 1]
        assert {k: v for k, v in one.items() if k not in ("image", "masks")} == {
            "targets": ["brain tumour"],
            "set": "lesions",
            "modality": "mri",
            "facts": {},
        }


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    slices = [as_slice(one) for one in HEALTHY]
    first, again, other = (lesion_slices(slices, 3, seed) for seed in (4, 4, 5))
    for key in ("image", "masks"):
        assert all(torch.equal(a[key], b[key]) for a, b in zip(first, again, strict=True))
        assert not all(torch.equal(a[key], b[key]) for a, b in zip(first, other, strict=True))


def test_slices_that_show_a_tumour_are_not_used():
    healthy = as_slice(HEALTHY[0])
    alone, beside = lesion_slices([healthy], 3), lesion_slices([as_slice(ILL), healthy], 3)
    assert all(torch.equal(a["image"], b["image"]) for a, b in zip(alone, beside, strict=True))


@pytest.mark.parametrize(
    "slices",
    [
        pytest.param([], id="none"),
        pytest.param([as_slice(ILL)], id="a tumour"),
        pytest.param([as_slice(HEALTHY[0], modality="ct")], id="not MR"),
        pytest.param([as_slice(HEALTHY[0], targets=())], id="not labelled"),
        pytest.param([as_slice({"image": np.zeros((3, SIZE, SIZE)), "masks": {}})], id="no brain"),
    ],
)
def test_no_usable_slice_gives_none(slices):
    assert lesion_slices(slices, 3) == []
