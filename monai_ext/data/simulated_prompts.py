"""Visual prompts for an object whose mask is known: a loose box, points in and around it, a rough mask."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import RandomState
from scipy.ndimage import distance_transform_edt, gaussian_filter, shift
from segment_anything.utils.amg import batched_mask_to_box
from skimage.measure import label as components
from torch import Tensor

DEEP = 0.7
"""Fraction of the greatest depth in an object from which on a pixel counts as near its middle."""
SPECK = 0.01
"""Fraction of an object below which a connected component of its mask is noise."""
AROUND = 0.5
"""Fraction of the sides of a box by which background points may lie outside of it."""


def object_boxes(masks: Tensor) -> Tensor:
    """(N, H, W) masks, none empty, as (N, 4) float32 boxes (x0, y0, x1, y1): first and last column and row."""
    return batched_mask_to_box(masks > 0.5).float()


def without_specks(mask: Tensor, share: float = SPECK) -> Tensor:
    """A mask (H, W) without the connected components that are smaller than this fraction of it.

    Published masks hold stray pixels (a third of the masks of Kvasir-SEG in the validation list do), and nobody would
    draw a box around a polyp and a pixel in the corner.
    """
    labels = components(mask.numpy() > 0.5, connectivity=2)
    sizes = np.bincount(labels.ravel())
    kept = sizes >= share * sizes[1:].sum()
    kept[0] = False
    return torch.from_numpy(kept[labels])


def jittered_boxes(boxes: Tensor, jitter: float, height: int, width: int, random: RandomState) -> Tensor:
    """Boxes with each edge moved independently, uniformly by up to `jitter` of the box's side, and kept in the image.

    Args:
        boxes: (N, 4), first and last column and row.
        jitter: fraction of the side, below 0.5, so that no box turns inside out.
        height, width: of the image.
        random: source of the draws.
    """
    sides = (boxes[:, 2:] - boxes[:, :2] + 1).repeat(1, 2)
    moved = boxes + torch.from_numpy(random.uniform(-jitter, jitter, boxes.shape)).float() * sides
    return moved.clamp(torch.zeros(4), torch.tensor([width - 1.0, height - 1.0]).repeat(2))


def centre_point(mask: Tensor) -> Tensor:
    """The (x, y) float32 of the pixel of a mask (H, W), not empty, that lies farthest from its outline."""
    depth, corner = _depth(mask.numpy() > 0.5)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return torch.tensor([column + corner[1], row + corner[0]], dtype=torch.float32)


def object_points(
    mask: Tensor, count: int, random: RandomState, middle: float = 0.6, outside: float = 0.4
) -> tuple[Tensor, Tensor]:
    """Points in an object and, after the first, some around it.

    Args:
        mask: (H, W), not empty.
        count: number of points.
        random: source of the draws.
        middle: probability that a point in the object lies near its middle, not just anywhere in it.
        outside: probability that a point, not the first, lies outside the object, near its box.

    Returns:
        (count, 2) float32, (x, y) in pixels; and (count,) int32 labels, 1 in the object and 0 outside.
    """
    array = mask.numpy() > 0.5
    depth, corner = _depth(array)
    inside = np.argwhere(depth > 0) + corner
    deep = np.argwhere(depth >= DEEP * depth.max()) + corner
    margin = [int(np.ceil(AROUND * side)) for side in depth.shape]
    window = tuple(
        slice(max(0, low - around), low + side + around)
        for low, side, around in zip(corner, depth.shape, margin, strict=True)
    )
    background = np.argwhere(~array[window]) + [axis.start for axis in window]
    points, labels = [], []
    for number in range(count):
        negative = number > 0 and len(background) > 0 and random.rand() < outside
        pixels = background if negative else deep if random.rand() < middle else inside
        points.append(pixels[random.randint(len(pixels))][::-1])
        labels.append(0 if negative else 1)
    return torch.from_numpy(np.stack(points)).float(), torch.tensor(labels, dtype=torch.int32)


def rough_mask(mask: Tensor, size: int, random: RandomState) -> Tensor:
    """A mask as a careless hand or another network would give it: shifted, blurred, too large or too small.

    Args:
        mask: (H, W) in {0, 1}, not empty.
        size: side of the result.
        random: source of the draws.

    Returns:
        (size, size) float32 logits in [-10, 10], the object where they are positive; never all negative.
    """
    small = F.interpolate(mask[None, None].float(), (size, size), mode="area")[0, 0].numpy()
    moved = shift(small, random.randint(-2, 3, 2), order=0, mode="nearest")
    blurred = gaussian_filter(moved if moved.any() else small, random.uniform(0.5, 2.5), mode="nearest")
    uneven = gaussian_filter(random.standard_normal((size, size)), 4)
    blurred = blurred + 0.15 * random.rand() * uneven / uneven.std() * (blurred > 0.02)
    level = min(random.uniform(0.25, 0.75), 0.6 * float(blurred.max()))
    logits = random.uniform(8, 24) * (blurred - level)
    return torch.from_numpy(np.clip(logits, -10, 10)).float()


def _depth(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How deep in the mask each pixel of its box lies, (h, w), and the box's first row and column."""
    rows, columns = (np.nonzero(mask.any(axis))[0] for axis in (1, 0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    depth = distance_transform_edt(np.pad(box, 1))[1:-1, 1:-1]
    return depth, np.array([rows[0], columns[0]])
