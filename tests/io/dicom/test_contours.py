"""Contours of masks: filled again by every rule they give the mask back, to the last pixel."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from monai_ext.io.dicom.contours import INSET, _area, closed_contours


def filled(polygon: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: pixels from whose centre a ray to the right meets the polygon an odd number of times."""
    met = np.zeros(
        (shape[0], shape[1] + 1), int
    )  # in column k: edges that all pixels before k have to their right
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0)):
        rows = np.arange(*np.clip(np.ceil(sorted((y0, y1))), 0, shape[0]).astype(int))
        if len(rows):
            crossed = x0 + (rows - y0) * (x1 - x0) / (y1 - y0)
            np.add.at(met, (rows, np.clip(np.ceil(crossed), 0, shape[1]).astype(int)), 1)
    return met[:, ::-1].cumsum(1)[:, ::-1][:, 1:] % 2 == 1


def rounded(polygon: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: the polygon rounded to whole pixels and filled with its border, as rt_utils and platipy do."""
    whole = np.around(polygon).astype(int)
    inside = filled(whole, shape)
    for ends in zip(whole, np.roll(whole, -1, axis=0)):
        (x0, y0), (x1, y1) = np.sort(ends, axis=0)
        inside[y0 : y1 + 1, x0 : x1 + 1] = True
    return inside


def check(mask: np.ndarray) -> list[np.ndarray]:
    """The contours of a mask, after they were filled, united and combined by XOR, and measured."""
    found = closed_contours(mask)
    parts = [filled(polygon, mask.shape) for polygon in found]
    for combine in (np.logical_or, np.logical_xor):
        np.testing.assert_array_equal(combine.reduce([np.zeros(mask.shape, bool), *parts]), mask > 0)
    again = np.logical_or.reduce([np.zeros(mask.shape, bool), *(rounded(one, mask.shape) for one in found)])
    np.testing.assert_array_equal(again, mask > 0)
    edges = sum(np.count_nonzero(np.diff(np.pad(mask > 0, 1), axis=axis)) for axis in (0, 1))
    area = sum(_area(polygon) for polygon in found)
    assert area == pytest.approx(np.count_nonzero(mask) - INSET * edges, abs=2 * INSET**2 * edges)
    assert len(found) == label(mask)[1]  # parts whose pixels touch by a side
    for polygon in found:
        assert (polygon != np.roll(polygon, 1, axis=0)).any(1).all()
    return found


def drawn(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


def test_a_single_pixel_is_its_square():
    (square,) = check(drawn("...", ".#.", "..."))
    np.testing.assert_allclose(
        np.unique(square, axis=0), [[0.51, 0.51], [0.51, 1.49], [1.49, 0.51], [1.49, 1.49]]
    )


def test_a_mask_that_touches_all_borders_ends_at_them():
    (frame,) = check(np.ones((3, 5)))
    np.testing.assert_allclose(
        np.unique(frame, axis=0), [[-0.49, -0.49], [-0.49, 2.49], [4.49, -0.49], [4.49, 2.49]]
    )


def test_a_hole_is_joined_by_a_line_that_is_passed_twice():
    (ring,) = check(drawn("#####", "#####", "##.##", "#####"))
    assert len(ring) == 4 + 4 + 3  # corners, corners of the hole, and the ends of the line
    points, times = np.unique(ring.round(9), axis=0, return_counts=True)
    np.testing.assert_allclose(points[times == 2], [[-0.49, 1.49], [1.49, 1.49]])


@pytest.mark.parametrize(
    "rows",
    [
        ("#.", ".#"),
        (".#", "#."),
        ("#########", "#.##.##.#", "#########", "#.##.##.#", "#########"),
        ("#######", "#.....#", "#.###.#", "#.#.#.#", "#.###.#", "#.....#", "#######"),
        ("#####", "#.#.#", "##.##", "#.#.#", "#####"),
        ("######", "#.#.##", "#.#..#", "######"),
        ("..##", ".###", "##.#", "####"),
        ("#####", "##.##", "#...#", "##.##", "#####"),
        ("",),
    ],
)
def test_corners_islands_and_holes_in_a_row(rows):
    check(drawn(*rows) if rows[0] else np.zeros((3, 4)))


@pytest.mark.parametrize("seed", range(40))
def test_masks_at_random(seed):
    draw = np.random.default_rng(seed)
    image = draw.random(draw.integers(1, 40, 2))
    image = gaussian_filter(image, seed % 3)
    check(image > np.quantile(image, draw.random()))
