"""Gaussian filtering in a space of several dimensions, such as position and colour, in linear time.

The permutohedral lattice of Adams, Baek and Davis (Computer Graphics Forum 29(2), 2010): each value is distributed over
the corners of the simplex that its point lies in (splat), the lattice is blurred along its axes (blur), and values are
interpolated at the points again (slice). All three are sparse matrices here.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from monai_ext.errors import InputError


class Lattice:
    """A Gaussian kernel of standard deviation 1 between n points in d dimensions.

    Args:
        points: (n, d), in standard deviations.

    Raises:
        InputError: when the points span more standard deviations than the lattice can number.
    """

    def __init__(self, points: np.ndarray) -> None:
        number, dimensions = points.shape
        corners, steps, weights = _simplex(points)
        numbers, columns = np.unique(corners, return_inverse=True)
        rows = np.arange(0, number * (dimensions + 1) + 1, dimensions + 1)
        self.splat = csr_matrix((weights.ravel(), columns.ravel(), rows), shape=(number, len(numbers)))
        self.blurs = [_neighbours(numbers, step) for step in steps]
        self.gain = 1 / (1 + 2.0**-dimensions)  # makes the weight of a point's own value about 1

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The sum of the values (n, c) of all points, weighted by the kernel, at each point: (n, c)."""
        lattice = self.splat.T @ values
        for blur in self.blurs:
            lattice = lattice + 0.5 * (blur @ lattice)
        return self.gain * (self.splat @ lattice)


def _simplex(points: np.ndarray) -> tuple[np.ndarray, list[int], np.ndarray]:
    """The corners of the simplex around each point.

    Returns:
        the corners' numbers, (n, d + 1) int64; the difference between the numbers of neighbouring corners along each of
        the d + 1 axes; the corners' weights, (n, d + 1), not negative and with sum 1.
    """
    d = points.shape[1]
    high = _onto_lattice_plane(points)
    # the nearest lattice point whose coordinates are multiples of d + 1
    nearest = np.rint(high / (d + 1)).astype(np.int64)
    excess = nearest.sum(1)  # 0 where it lies in the plane
    order = np.argsort(nearest * (d + 1) - high, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(d + 1)[None], axis=1)
    rank += excess[:, None]  # coordinates with the largest rounding errors step back into the plane
    below, above = rank < 0, rank > d
    nearest += below.astype(np.int64) - above
    rank += (d + 1) * (below.astype(np.int64) - above)

    rest = np.empty_like(high)
    np.put_along_axis(rest, rank, high / (d + 1) - nearest, axis=1)  # in descending order
    weights = np.empty_like(high)
    weights[:, 0] = 1 + rest[:, d] - rest[:, 0]
    weights[:, 1:] = rest[:, d - 1 :: -1] - rest[:, d:0:-1]

    # The last coordinate follows from the others, which are the digits of the corner's number.
    low = (nearest.min(0) - 2) * (d + 1)
    spans = [int(span) for span in (nearest.max(0) + 3) * (d + 1) - low][:d]
    digits = [int(np.prod(spans[:k], dtype=object)) for k in range(d)]
    if digits[-1] * spans[-1] >= 2**63:
        raise InputError(
            "the image spans too many standard deviations of the kernel; give it larger ones, or a smaller image."
        )
    digit = np.array(digits)
    start = (nearest[:, :d] * (d + 1) - low[:d]) @ digit
    corners = np.empty(high.shape, np.int64)
    for k in range(d + 1):
        corners[:, k] = start + k * digit.sum() - (d + 1) * ((rank[:, :d] > d - k) @ digit)
    total = sum(digits)
    return corners, [total - (d + 1) * one for one in (*digits, 0)], weights


def _onto_lattice_plane(points: np.ndarray) -> np.ndarray:
    """(n, d) points as (n, d + 1) coordinates that sum to 0.

    Their scale makes the standard deviation of splat, blur and slice together 1.
    """
    number, d = points.shape
    axis = np.arange(1, d + 1)
    scaled = points * ((d + 1) * np.sqrt(2 / 3) / np.sqrt(axis * (axis + 1)))
    high = np.zeros((number, d + 1), points.dtype)
    high[:, :d] = np.cumsum(scaled[:, ::-1], axis=1)[:, ::-1]
    high[:, 1:] -= axis * scaled
    return high


def _neighbours(numbers: np.ndarray, step: int) -> csr_matrix:
    """(m, m): 1 where a corner lies one step before or after another; `numbers` are those of all m, sorted."""
    rows, columns = [], []
    for wanted in (numbers + step, numbers - step):
        index = np.minimum(np.searchsorted(numbers, wanted), len(numbers) - 1)
        found = np.flatnonzero(numbers[index] == wanted)
        rows.append(found)
        columns.append(index[found])
    row, column = np.concatenate(rows), np.concatenate(columns)
    return csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=(len(numbers),) * 2)
