"""Closed contours of a mask, as an RT Structure Set holds them: along the edges of pixels, holes joined by keyholes.

The contour of a pixel is its square, less a hundredth of it, so that a single pixel has one, and whoever fills a contour
by the centres of pixels gets the mask back, whichever rule it fills by. So does who rounds a contour to whole pixels and
fills it with its border, as rt_utils does: at the very edge, half of them would be rounded outwards. DICOM (PS3.3, C.8.8.6.3) knows two ways of leaving out
a hole: one contour that goes into the hole and back along the same line, the keyhole, or several contours combined by
XOR. The keyhole is taken: it is the only one for CLOSED_PLANAR, which every reader knows, and it holds for those that
unite the contours of a slice as well as for those that combine them by XOR.
"""

from __future__ import annotations

import numpy as np
from skimage.measure import find_contours

INSET = 0.01
"""Pixels by which a contour lies inside of the edges that it goes along."""

Branches = dict[int, dict[int, list[np.ndarray]]]
"""Points of holes by the loop and the corner of it from whose edge the way to them leads."""


def closed_contours(mask: np.ndarray) -> list[np.ndarray]:
    """The contours of a mask, one for each part of it whose pixels touch by a side.

    Args:
        mask: (H, W), not 0 inside.

    Returns:
        polygons (N, 2) of (column, row), counted from 0 at the centre of the first pixel, the first point not repeated.
        A polygon with holes passes each of its keyholes twice.
    """
    inside = np.pad(np.asarray(mask) > 0, 1)
    loops = [
        _along_edges(loop) for loop in find_contours(inside.astype(np.float64), 0.5, fully_connected="low")
    ]
    # find_contours goes around what is high in one sense, and around a hole in the other
    holes = [number for number, loop in enumerate(loops) if _area(loop) < 0]
    owners = _owners(loops, inside.shape)
    branches: Branches = {}
    for number in sorted(holes, key=lambda one: loops[one][:, 0].min(), reverse=True):
        loop = loops[number]
        start = int(np.lexsort((loop[:, 1], loop[:, 0]))[0])
        # what branches off this hole lies to its right, and is done
        whole = _unfolded(_inset(loop), branches.pop(number, {}), start)
        owner, edge = owners[_edge_to_the_left(inside, *loop[start])]
        branches.setdefault(int(owner), {}).setdefault(int(edge), []).append(whole)
    outer = [number for number in range(len(loops)) if number not in set(holes)]
    return [_unfolded(_inset(loops[number]), branches.get(number, {})) - 1 for number in outer]


def _along_edges(loop: np.ndarray) -> np.ndarray:
    """The corners (N, 2), column first, of a loop through the middles of pixels' edges (row, column), which is closed.

    A middle lies at half a row and a whole column, or the other way round; where one kind follows the other, the loop
    turns at the corner that both edges have in common.
    """
    here, there = loop[:-1], loop[1:]
    along_row = here[:, 0] % 1 == 0.5  # a horizontal edge, between two rows
    corners = np.where(along_row[:, None], np.c_[there[:, 1], here[:, 0]], np.c_[here[:, 1], there[:, 0]])
    return corners[along_row != (there[:, 0] % 1 == 0.5)]


def _inset(loop: np.ndarray) -> np.ndarray:
    """Corners (N, 2) moved into the mask, which lies to the same side of every edge."""
    turns = np.sign(np.roll(loop, -1, axis=0) - np.roll(loop, 1, axis=0))  # of the two edges at each corner
    return loop + INSET * np.c_[-turns[:, 1], turns[:, 0]]


def _area(loop: np.ndarray) -> float:
    """Signed area of a polygon (N, 2), positive for those that go around the mask."""
    x, y = loop.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _owners(loops: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """(H, W, 2) int: for the edge to the right of a pixel the loop along it and the corner of it where that edge begins."""
    owners = np.full((*shape, 2), -1)
    for number, loop in enumerate(loops):
        ends = np.roll(loop, -1, axis=0)
        for edge in np.flatnonzero(loop[:, 0] == ends[:, 0]):
            low, high = sorted((loop[edge, 1], ends[edge, 1]))
            owners[int(low + 0.5) : int(high + 0.5), int(loop[edge, 0] - 0.5)] = number, edge
    return owners


def _edge_to_the_left(inside: np.ndarray, column: float, row: float) -> tuple[int, int]:
    """The pixel (row, column) to the left of the edge that a line leftwards from the corner of a hole meets first.

    The line runs between two rows of pixels, through the mask as long as both are in it.
    """
    above, here = int(row - 0.5), int(column + 0.5)
    both = inside[above, :here] & inside[above + 1, :here]
    met = int(np.flatnonzero(~both)[-1])
    return (above + 1 if inside[above, met] else above), met


def _unfolded(loop: np.ndarray, branches: dict[int, list[np.ndarray]], start: int = 0) -> np.ndarray:
    """The points of a loop from a corner on, with a way into each branch and back at the row where the branch begins.

    Args:
        loop: corners (N, 2).
        branches: by the corner where their vertical edge begins, the points of holes.
        start: number of the corner.
    """
    turned = np.roll(loop, -start, axis=0)
    parts, done = [], 0
    for begin, edge in sorted(((edge - start) % len(loop), edge) for edge in branches):
        parts.append(turned[done : begin + 1])
        done = begin + 1
        falling = turned[(begin + 1) % len(loop), 1] < turned[begin, 1]
        for hole in sorted(branches[edge], key=lambda points: points[0, 1], reverse=bool(falling)):
            bridge = np.array([[turned[begin, 0], hole[0, 1]]])
            parts += [bridge, hole, hole[:1], bridge]
    whole = np.concatenate([*parts, turned[done:]])
    return whole[(whole != np.roll(whole, 1, axis=0)).any(1)]  # a bridge may begin in a corner
