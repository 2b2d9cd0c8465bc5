"""Chest X-rays with clouded lungs."""

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation

from monai_ext.synthesis.opacities import opacity_slices, paint_opacities
from monai_ext.synthesis.phantoms import phantom
from monai_ext.synthesis.training_slices import as_slice

SIZE = 96
CHEST = phantom("chest_xray", 0, SIZE)
IMAGE = CHEST["image"].astype(np.float32)
LUNGS = CHEST["masks"]["lungs"] > 0


@pytest.mark.parametrize("seed", range(20))
def test_lungs_get_whiter_and_nothing_else_changes(seed):
    clouded = paint_opacities(np.random.default_rng(seed), IMAGE, LUNGS)
    change = (clouded - IMAGE).mean(axis=0)
    assert clouded.shape == IMAGE.shape and clouded.dtype == np.float32
    assert clouded.min() >= 0 and clouded.max() <= 1
    assert change.min() >= 0 and change[LUNGS].max() > 0.05
    assert not change[~binary_dilation(LUNGS, iterations=4)].any()


def test_some_lungs_are_hardly_touched_and_some_nearly_white():
    tissue = IMAGE.mean(axis=0)[~LUNGS].mean()
    gap = tissue - IMAGE.mean(axis=0)[LUNGS].mean()
    left = [
        (tissue - paint_opacities(np.random.default_rng(seed), IMAGE, LUNGS).mean(axis=0)[LUNGS].mean()) / gap
        for seed in range(40)
    ]
    assert max(left) > 0.75 and min(left) < 0.5


def test_slices_keep_their_masks_and_the_inputs_stay_as_they_are():
    given = [as_slice(torch.from_numpy(IMAGE), {"lungs": LUNGS, "heart": ~LUNGS}, "phantoms", "xray")]
    before = given[0]["image"].clone()
    made, again = (opacity_slices(given, 3, seed=1) for _ in range(2))
    assert len(made) == 3 and torch.equal(given[0]["image"], before)
    for one, other in zip(made, again, strict=True):
        assert torch.equal(one["image"], other["image"]) and not torch.equal(one["image"], before)
        assert torch.equal(one["masks"], given[0]["masks"]) and one["targets"] == ["lungs", "heart"]
        assert (one["set"], one["modality"]) == ("opacities", "xray")


def test_only_chest_x_rays_that_show_lungs_are_used():
    image, empty = torch.from_numpy(IMAGE), np.zeros_like(LUNGS)
    given = [as_slice(image, {"lungs": LUNGS}, "p", "ct"), as_slice(image, {"lungs": empty}, "p", "xray")]
    assert opacity_slices(given, 5) == []
