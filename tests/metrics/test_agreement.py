"""Agreement of one mask with its reference, against numbers worked out by hand and by the reference code."""

import math

import numpy as np
import pytest
import torch

from monai_ext.metrics.agreement import mask_agreement
from tests.conftest import FIXTURES


def square(row, column, size=4, shape=(12, 12)):
    mask = torch.zeros(shape, dtype=torch.uint8)
    mask[row : row + size, column : column + size] = 1
    return mask


def test_a_square_moved_by_one_pixel():
    # 12 of 16 pixels in common; no boundary is further than one pixel from the other
    assert mask_agreement(square(2, 3), square(2, 2)) == pytest.approx(
        {"dice": 24 / 32, "iou": 12 / 20, "nsd": 1.0, "hd95": 1.0}
    )


def test_distances_are_in_the_unit_of_the_spacing():
    moved = mask_agreement(square(2, 3), square(2, 2), spacing=(1.0, 3.0), tolerance=2.0)
    assert moved["hd95"] == pytest.approx(3.0)
    assert moved["nsd"] < 1.0
    assert mask_agreement(square(2, 3), square(2, 2), spacing=(1.0, 3.0), tolerance=3.0)["nsd"] == 1.0


def test_any_nonzero_value_is_inside():
    assert mask_agreement(255 * square(2, 2), square(2, 2)) == {
        "dice": 1.0,
        "iou": 1.0,
        "nsd": 1.0,
        "hd95": 0.0,
    }


def test_masks_far_apart_share_nothing():
    scores = mask_agreement(square(0, 0), square(8, 8))
    assert (scores["dice"], scores["iou"], scores["nsd"]) == (0.0, 0.0, 0.0)
    assert scores["hd95"] == pytest.approx(math.hypot(8, 8), abs=3)


def test_an_empty_mask_of_something_there_scores_zero_and_has_no_distance():
    scores = mask_agreement(torch.zeros(12, 12), square(2, 2))
    assert (scores["dice"], scores["iou"], scores["nsd"]) == (0.0, 0.0, 0.0)
    assert math.isnan(scores["hd95"])


@pytest.mark.parametrize("mask", [torch.zeros(12, 12), square(2, 2)])
def test_nothing_is_defined_where_the_target_is_absent(mask):
    assert all(math.isnan(value) for value in mask_agreement(mask, torch.zeros(12, 12)).values())


def test_a_volume_of_one_slice_is_compared_in_its_plane():
    flat = mask_agreement(square(2, 3), square(2, 2), spacing=(1.0, 3.0), tolerance=2.0)
    for axis, spacing in enumerate([(9.0, 1.0, 3.0), (1.0, 9.0, 3.0), (1.0, 3.0, 9.0)]):
        volume = (square(2, 3).unsqueeze(axis), square(2, 2).unsqueeze(axis))
        assert mask_agreement(*volume, spacing=spacing, tolerance=2.0) == flat


def test_a_cube_moved_by_one_voxel():
    cube = torch.zeros(8, 8, 8)
    cube[2:6, 2:6, 2:6] = 1
    scores = mask_agreement(cube.roll(1, dims=2), cube, spacing=(1.0, 1.0, 2.5))
    assert scores["dice"] == pytest.approx(0.75)
    assert scores["hd95"] == pytest.approx(2.5)


def test_surface_metrics_can_be_left_out():
    assert set(mask_agreement(square(2, 3), square(2, 2), surface=False)) == {"dice", "iou"}


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(12, 12\) and reference \(6, 6\) differ"):
        mask_agreement(square(2, 2), torch.zeros(6, 6))


def test_nsd_agrees_with_the_reference_implementation():
    cases = np.load(FIXTURES / "nsd.npz")
    for number in range(8):
        shape = tuple(int(n) for n in cases[f"{number}|shape"])
        gt, pred = (
            torch.from_numpy(np.unpackbits(cases[f"{number}|{name}"])[: math.prod(shape)].reshape(shape))
            for name in ("gt", "pred")
        )
        for tolerance in (1, 2):
            scores = mask_agreement(pred, gt, tolerance=tolerance)
            assert scores["nsd"] == pytest.approx(float(cases[f"{number}|nsd2_t{tolerance}"]), abs=1e-6)
            assert scores["dice"] == pytest.approx(float(cases[f"{number}|dice"]), abs=1e-6)
