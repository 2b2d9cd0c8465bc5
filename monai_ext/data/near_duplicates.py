"""Which images of data sets look nearly the same: saved anew, resized, or frames of one moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from monai_ext.data.perceptual_hash import BITS, NEAR, hash_bits, in_body_axes, middle_planes, perceptual_hash

NEAR_CENTRE = 60
"""Bits by which the hashes of the middle quarter of two near images may differ. Its fine structure tells images apart whose
outline is the same, such as fundus photographs in one black surround: see docs/datasets.md for the measurements."""
ROWS = 256
"""Images that are compared with all others at once."""


class Pair(NamedTuple):
    """Two images that look nearly the same.

    Attributes:
        first, second: their numbers, the lower one first.
        bits: in how many of the 256 bits their hashes differ; of a volume, in the plane that differs most.
    """

    first: int
    second: int
    bits: int


def look_of(image: np.ndarray, affine: np.ndarray) -> tuple[str, ...]:
    """By what :func:`near_pairs` compares an image: perceptual hashes of its planes, then of the middle of each.

    Args:
        image: (C, H, W), or a volume (C, X, Y, Z), of which the middle slices along the axes of the body are taken.
        affine: (4, 4), of a volume.

    Returns:
        2 hashes of a picture or a single slice, 6 of a volume; none of an image that is the same everywhere.
    """
    planes = middle_planes(in_body_axes(image, affine))
    if all(bool((plane == plane[0, 0]).all()) for plane in planes):
        return ()
    return tuple(perceptual_hash(plane) for plane in [*planes, *map(_middle, planes)])


def near_pairs(looks: Sequence[Sequence[str]]) -> list[Pair]:
    """All pairs of images that look nearly the same: each hash differs in few bits.

    Hashes differ in :data:`~monai_ext.data.perceptual_hash.NEAR` bits at most, those of the middle in
    :data:`NEAR_CENTRE`. Only images with as many hashes are compared.

    Args:
        looks: of each image, see :func:`look_of`.
    """
    pairs = []
    for count in sorted({len(look) for look in looks} - {0}):
        numbers = [number for number, look in enumerate(looks) if len(look) == count]
        found = _near_rows([looks[number] for number in numbers])
        pairs += [Pair(numbers[i], numbers[j], bits) for i, j, bits in found]
    return sorted(pairs)


def groups_of(pairs: Sequence[tuple[int, int]], count: int) -> list[list[int]]:
    """What pairs join: the numbers of 0 to `count` - 1 in groups of two or more, each in rising order."""
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    labels = connected_components(links, directed=False)[1]
    groups: dict[int, list[int]] = {}
    for number in sorted({int(end) for end in ends.flat}):
        groups.setdefault(int(labels[number]), []).append(number)
    return list(groups.values())


def _middle(plane: torch.Tensor) -> torch.Tensor:
    """The middle half of both axes of a plane (H, W)."""
    height, width = plane.shape
    return plane[height // 4 : height - height // 4, width // 4 : width - width // 4]


def _near_rows(looks: Sequence[Sequence[str]]) -> Iterator[tuple[int, int, int]]:
    """Numbers of near pairs of images with as many hashes, and the bits in which these differ most, but for the middle."""
    # bits as -1 and 1: their products count what is equal, exactly and as fast as matrices are multiplied
    signs = [2 * hash_bits(column).astype(np.float32) - 1 for column in zip(*looks, strict=True)]
    whole = len(signs) // 2
    for start in range(0, len(looks), ROWS):
        differing = np.stack([(BITS - one[start : start + ROWS] @ one.T) / 2 for one in signs])
        near = (differing[:whole].max(0) <= NEAR) & (differing[whole:].max(0) <= NEAR_CENTRE)
        for i, j in zip(*np.nonzero(np.triu(near, start + 1)), strict=True):
            yield start + int(i), int(j), int(differing[:whole, i, j].max())
