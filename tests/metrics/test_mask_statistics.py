"""Figures of boxes and ellipsoids whose exact values are known, in anisotropic and oblique images."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monai_ext.metrics.mask_statistics import INTENSITY, SHAPE, mask_statistics
from tests.orientations import rotation

SPACING = np.array([0.5, 2.0, 3.0])
ORIGIN = np.array([-10.0, 20.0, 30.0])
STRAIGHT = np.block([[np.diag(SPACING), ORIGIN[:, None]], [np.zeros((1, 3)), 1]])


def box(shape: tuple[int, ...], first: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(low, low + n) for low, n in zip(first, size))] = 1
    return mask


def moment(count: int, spacing: float) -> float:
    """The second central moment of so many points in a row."""
    return (count**2 - 1) * spacing**2 / 12


def oblique() -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = rotation(20, -35, 50) @ np.diag(SPACING)
    affine[:3, 3] = ORIGIN
    return affine


def test_a_box_in_an_anisotropic_volume():
    mask = box((30, 20, 10), (4, 3, 2), (10, 6, 5))
    found = mask_statistics(mask, np.zeros((1, *mask.shape)), STRAIGHT)
    assert tuple(found) == (*SHAPE, *INTENSITY)
    assert found["components"] == 1
    assert found["bbox_min"] == pytest.approx([-10 + 3.5 * 0.5, 20 + 2.5 * 2, 30 + 1.5 * 3])
    assert found["bbox_max"] == pytest.approx([-10 + 13.5 * 0.5, 20 + 8.5 * 2, 30 + 6.5 * 3])
    assert found["centroid"] == pytest.approx([-10 + 8.5 * 0.5, 20 + 5.5 * 2, 30 + 4 * 3])
    z, y, x = moment(5, 3), moment(6, 2), moment(10, 0.5)  # 18, 11.67, 2.06
    assert found["elongation"] == pytest.approx(math.sqrt(z / y))
    assert found["flatness"] == pytest.approx(math.sqrt(y / x))
    assert found["border_distance"] == 4 * 0.5  # 2 of 0.5 mm, 6 of 2 mm, 6 of 3 mm


def test_shape_and_place_turn_with_an_oblique_image():
    mask = box((30, 20, 10), (4, 3, 2), (10, 6, 5))
    values = np.random.default_rng(0).random((1, *mask.shape))
    straight, turned = (mask_statistics(mask, values, affine) for affine in (STRAIGHT, oblique()))
    for name in ("components", "border_distance", *INTENSITY):
        assert turned[name] == pytest.approx(straight[name])
    assert turned["elongation"] == pytest.approx(straight["elongation"])
    assert turned["flatness"] == pytest.approx(straight["flatness"])
    assert turned["centroid"] == pytest.approx(oblique()[:3, :3] @ [8.5, 5.5, 4] + ORIGIN)
    half = np.abs(oblique()[:3, :3]) @ np.array([10, 6, 5]) / 2
    assert turned["bbox_min"] == pytest.approx(turned["centroid"] - half)
    assert turned["bbox_max"] == pytest.approx(turned["centroid"] + half)


@pytest.mark.parametrize("mirror", [np.eye(3), np.diag([-1, -1, 1]), np.diag([1, -1, 1])])
def test_mirrored_axes_move_the_centroid_and_change_no_shape(mirror):
    affine = STRAIGHT.copy()
    affine[:3] = mirror @ affine[:3]
    mask = box((30, 20, 10), (4, 3, 2), (10, 6, 5))
    found = mask_statistics(mask, np.zeros((1, *mask.shape)), affine)
    assert found["centroid"] == pytest.approx(mirror @ [-5.75, 31, 42])
    assert found["elongation"] == pytest.approx(math.sqrt(moment(5, 3) / moment(6, 2)))


def test_an_ellipsoid_has_the_ratios_of_its_half_axes():
    spacing, half = np.array([0.5, 1.0, 2.0]), np.array([12.0, 24.0, 36.0])
    index = np.stack(np.meshgrid(*(np.arange(n) for n in (61, 61, 41)), indexing="ij"), -1)
    mask = ((((index - [30, 30, 20]) * spacing) / half) ** 2).sum(-1) <= 1
    affine = np.eye(4)
    affine[:3, :3] = rotation(10, 20, 30) @ np.diag(spacing)
    found = mask_statistics(mask, np.zeros((1, *mask.shape)), affine)
    assert found["elongation"] == pytest.approx(1.5, rel=0.01)
    assert found["flatness"] == pytest.approx(2.0, rel=0.01)
    assert found["centroid"] == pytest.approx(affine[:3, :3] @ [30, 30, 20])
    assert found["components"] == 1


def test_a_sheared_image_is_measured_in_millimetres():
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[0, 1] = 1.5
    mask = box((12, 12, 12), (2, 3, 4), (6, 5, 4))
    points = np.argwhere(mask) @ affine[:3, :3].T
    moments = np.linalg.eigvalsh(np.cov(points.T, bias=True))
    found = mask_statistics(mask, np.zeros((1, *mask.shape)), affine)
    assert found["elongation"] == pytest.approx(math.sqrt(moments[2] / moments[1]), rel=1e-3)
    assert found["flatness"] == pytest.approx(math.sqrt(moments[1] / moments[0]), rel=1e-3)
    assert found["centroid"] == pytest.approx(points.mean(0))


def test_a_picture_is_measured_in_columns_and_rows():
    mask = box((20, 30), (3, 5), (4, 8))  # rows 3 to 6, columns 5 to 12
    found = mask_statistics(mask, np.zeros((1, 20, 30)))
    assert (found["centroid"], found["bbox_min"], found["bbox_max"]) == ([8.5, 4.5], [4.5, 2.5], [12.5, 6.5])
    assert found["elongation"] == pytest.approx(math.sqrt(63 / 15))
    assert found["flatness"] is None
    assert found["border_distance"] == 3


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_of_one_slice_is_measured_in_its_plane(axis):
    flat = np.insert([20, 30], axis, 1)
    mask = box(tuple(flat), tuple(np.insert([3, 5], axis, 0)), tuple(np.insert([4, 8], axis, 1)))
    found = mask_statistics(mask, np.zeros((1, *flat)), oblique())
    a, b = np.delete(SPACING, axis)
    moments = sorted([moment(4, a), moment(8, b)])
    assert found["elongation"] == pytest.approx(math.sqrt(moments[1] / moments[0]))
    assert found["flatness"] is None
    assert found["border_distance"] == pytest.approx(min(3 * a, 5 * b))
    assert found["centroid"] == pytest.approx(oblique()[:3, :3] @ np.insert([4.5, 8.5], axis, 0) + ORIGIN)


def test_voxels_that_touch_by_a_corner_are_one_component():
    mask = np.zeros((6, 6, 6), np.uint8)
    mask[1, 1, 1] = mask[2, 2, 2] = mask[5, 5, 5] = mask[0, 5, 0] = 1
    found = mask_statistics(mask, np.zeros((1, 6, 6, 6)), np.eye(4))
    assert found["components"] == 3
    assert found["border_distance"] == 0


def test_a_single_voxel_has_a_place_and_no_shape():
    found = mask_statistics(box((5, 5, 5), (2, 2, 2), (1, 1, 1)), np.full((1, 5, 5, 5), 7.0), STRAIGHT)
    assert found["centroid"] == pytest.approx([-9, 24, 36])
    assert (found["elongation"], found["flatness"], found["border_distance"]) == (None, None, 1.0)
    assert [found[name] for name in INTENSITY] == [7, 7, 0, 7, 7]


def test_intensities_are_exact_and_of_the_mask_alone():
    values = np.full((1, 1, 103), 1e6)
    values[0, 0, 1:102] = np.random.default_rng(0).permutation(101) - 50  # -50 to 50
    found = mask_statistics(box((1, 103), (0, 1), (1, 101)), values)
    assert [found[name] for name in INTENSITY] == pytest.approx([0, 0, math.sqrt(moment(101, 1)), -45, 45])


def test_channels_are_averaged():
    values = np.stack([np.full((4, 4), level) for level in (0, 30, 90)]).astype(np.uint8)
    assert mask_statistics(np.ones((4, 4)), values)["mean"] == 40


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 6)])
def test_an_empty_mask_has_no_components_and_nothing_else(shape):
    found = mask_statistics(np.zeros(shape), np.zeros((1, *shape)), np.eye(4) if len(shape) == 3 else None)
    assert found == {"components": 0, **dict.fromkeys([*SHAPE[1:], *INTENSITY])}


@pytest.mark.parametrize(("first", "gap"), [((18, 7, 4), 2 * 0.5), ((10, 13, 4), 2.0), ((10, 7, 5), 0.0)])
def test_the_border_may_be_nearest_at_the_end_of_an_axis(first, gap):
    mask = box((30, 20, 10), first, (10, 6, 5))
    assert mask_statistics(mask, np.zeros((1, *mask.shape)), STRAIGHT)["border_distance"] == gap
