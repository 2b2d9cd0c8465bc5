"""What a vision-language model is shown of a region: the rest black, blurred, or cut off."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import RandomState
from skimage.draw import ellipse
from torch import Tensor

FILLS = ("black", "blur", "crop")


def view(image: Tensor, region: Tensor, fill: str, margin: float = 0.15) -> tuple[Tensor, tuple[int, ...]]:
    """A picture (3, S, S) of a region (S, S) bool that is not empty, and the box (y0, y1, x0, x1) that it shows.

    Args:
        fill: "black": all else is 0; "blur": all else is blurred over an eighth of the side; "crop": all beyond the
            region's box and a margin is cut off, and the rest brought to the size of the picture.
        margin: share of the box's sides that a crop shows around it.
    """
    side = image.shape[-1]
    if fill == "black":
        return image * region, (0, side, 0, side)
    if fill == "blur":
        width = side // 8 // 2 * 2 + 1
        blurred = image[None]
        for _ in range(2):
            blurred = F.avg_pool2d(blurred, width, 1, width // 2, count_include_pad=False)
        return torch.where(region, image, blurred[0]), (0, side, 0, side)
    box = []
    for profile in (region.any(1), region.any(0)):
        on = profile.nonzero()
        start, stop = int(on[0]), int(on[-1]) + 1
        more = round(margin * (stop - start)) + 2
        box += [max(0, start - more), min(side, stop + more)]
    y0, y1, x0, x1 = box
    cut = F.interpolate(image[None, :, y0:y1, x0:x1], (side, side), mode="bilinear", antialias=True)
    return cut[0], tuple(box)


def altered(mask: Tensor, random: RandomState) -> Tensor:
    """A mask (S, S) bool as a segmenter may find it: grown, shrunk, or cut by a line; never empty."""
    side = mask.shape[-1]
    draw = random.rand()
    result = mask
    if draw < 0.5:
        radius = int(random.randint(1, max(2, side // 24)))
        field = mask[None].float() if draw < 0.25 else 1 - mask[None].float()
        grown = F.max_pool2d(field, 2 * radius + 1, 1, radius)[0] > 0
        result = grown if draw < 0.25 else ~grown
    elif draw < 0.7:
        rows, columns = mask.nonzero().float().mean(0).tolist()
        angle, shift = random.uniform(0, 2 * np.pi), random.uniform(-0.1, 0.1) * side
        y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        direction = torch.tensor(angle)
        result = mask & ((y - rows) * direction.sin() + (x - columns) * direction.cos() < shift)
    return result if bool(result.any()) else mask


def elsewhere(side: int, random: RandomState) -> Tensor:
    """An ellipse (side, side) bool of any size and place."""
    centre, radii = random.uniform(0.1, 0.9, 2) * side, random.uniform(0.05, 0.4, 2) * side
    turn = random.uniform(-np.pi, np.pi)
    rows, columns = ellipse(centre[0], centre[1], radii[0], radii[1], (side, side), turn)
    region = torch.zeros(side, side, dtype=torch.bool)
    region[rows, columns] = True
    region[min(int(centre[0]), side - 1), min(int(centre[1]), side - 1)] = True
    return region
