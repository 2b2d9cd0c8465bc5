"""Random regions of a picture: a structure as a segmenter may find it, and any ellipse."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import RandomState
from skimage.draw import ellipse
from torch import Tensor


def altered_mask(mask: Tensor, random: RandomState) -> Tensor:
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


def random_ellipse(side: int, random: RandomState) -> Tensor:
    """An ellipse (side, side) bool of random size and position; never empty."""
    centre, radii = random.uniform(0.1, 0.9, 2) * side, random.uniform(0.05, 0.4, 2) * side
    turn = random.uniform(-np.pi, np.pi)
    rows, columns = ellipse(centre[0], centre[1], radii[0], radii[1], (side, side), turn)
    region = torch.zeros(side, side, dtype=torch.bool)
    region[rows, columns] = True
    region[min(int(centre[0]), side - 1), min(int(centre[1]), side - 1)] = True
    return region
