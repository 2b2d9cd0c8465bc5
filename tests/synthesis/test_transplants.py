"""Tumours of one picture put into another."""

import numpy as np
import pytest
import torch

from monai_ext.synthesis.phantoms import phantom
from monai_ext.synthesis.training_slices import as_slice
from monai_ext.synthesis.transplants import transplant, transplant_slices

SIZE = 96


def breast(ill):
    listed = "masks" if ill else "absent"
    found = next(
        one for s in range(30) if "breast tumour" in (one := phantom("breast_ultrasound", s, SIZE))[listed]
    )
    mask = found["masks"].get("breast tumour", np.zeros((SIZE, SIZE), np.uint8))
    return found["image"].astype(np.float32), mask > 0


ILL, HEALTHY = breast(True), breast(False)


def slices():
    return [
        as_slice(torch.from_numpy(image), {"breast tumour": mask}, "phantoms", "us")
        for image, mask in (ILL, HEALTHY)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_a_tumour_appears_where_its_mask_is_and_changes_the_picture_only_near_it(seed):
    image, mask = transplant(np.random.default_rng(seed), *ILL, *HEALTHY)
    host = HEALTHY[0]
    assert image.shape == host.shape and image.dtype == np.float32
    assert mask.shape == (SIZE, SIZE) and mask.dtype == np.bool_ and mask.any()
    assert image.min() >= 0 and image.max() <= 1
    changed = np.abs(image - host).max(axis=0) > 0
    rows, columns = (np.nonzero(mask.any(axis))[0] for axis in (1, 0))
    far = np.ones_like(mask)
    far[max(0, rows[0] - 12) : rows[-1] + 13, max(0, columns[0] - 12) : columns[-1] + 13] = False
    assert changed[mask].mean() > 0.9 and not changed[far].any()


def test_a_tumour_is_moved_mirrored_and_resized():
    masks = [transplant(np.random.default_rng(seed), *ILL, *HEALTHY)[1] for seed in range(40)]
    areas = [mask.sum() / ILL[1].sum() for mask in masks]
    centres = np.array([np.argwhere(mask).mean(axis=0) for mask in masks])
    assert min(areas) < 0.6 and max(areas) > 1.6
    assert (np.ptp(centres, axis=0) > 0.2 * SIZE).all()


def test_what_the_host_showed_already_stays_in_the_mask_unless_the_new_tumour_lies_on_it():
    for seed in range(20):
        image, mask = transplant(np.random.default_rng(seed), *ILL, *ILL)
        untouched = np.abs(image - ILL[0]).max(axis=0) == 0
        assert np.array_equal(mask[untouched], ILL[1][untouched])


def test_a_tumour_as_wide_as_the_picture_fits():
    everywhere = np.ones((SIZE, SIZE), bool)
    image, mask = transplant(np.random.default_rng(3), ILL[0], everywhere, *HEALTHY)
    assert np.isfinite(image).all() and 0.2 < mask.mean() < 0.9


def test_half_of_the_slices_were_healthy_and_the_inputs_stay_as_they_are():
    given = slices()
    before = [one["image"].clone() for one in given]
    made = transplant_slices(given, 10, seed=4)
    again = transplant_slices(given, 10, seed=4)
    assert len(made) == 10
    assert all(torch.equal(one["image"], other["image"]) for one, other in zip(made, again, strict=True))
    assert all(torch.equal(one["image"], old) for one, old in zip(given, before, strict=True))
    for number, one in enumerate(made):
        host = given[1 if number % 2 else 0]["image"]
        assert (one["image"] == host).float().mean() > 0.2  # the host is still there
        assert one["targets"] == ["breast tumour"] and one["masks"].any()
        assert (one["set"], one["modality"], one["facts"]) == ("transplants", "us", {})


def test_without_a_tumour_to_move_nothing_is_made():
    assert transplant_slices(slices()[1:], 10) == []
    other = as_slice(torch.rand(3, SIZE, SIZE), {"glioma": ILL[1]}, "phantoms", "mri")
    assert transplant_slices([other], 10) == []
