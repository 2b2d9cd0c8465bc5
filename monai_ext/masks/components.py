"""Connected components of a mask; pixels that touch by a side or a corner belong to the same component."""

from __future__ import annotations

import numpy as np
import torch
from monai.transforms.utils import get_largest_connected_component_mask
from skimage.measure import label
from torch import Tensor

from monai_ext.errors import InputError


def label_components(mask: Tensor) -> np.ndarray:
    """The components of a mask (H, W), numbered from 1 in reading order of their first pixels, 0 outside: (H, W)."""
    return label(mask.cpu().numpy() > 0, connectivity=2)


def count_components(mask: Tensor) -> int:
    """The number of components of a mask (H, W), 0 if it is empty."""
    return int(label_components(mask).max(initial=0))


def keep_components(mask: Tensor, n: int, ties: bool = False) -> Tensor:
    """The n largest components of a mask: (H, W) bool.

    Args:
        mask: (H, W).
        n: how many are kept; all where there are fewer.
        ties: keep those, too, that are as large as the smallest one that is kept.

    Raises:
        InputError: when n is negative.
    """
    if n < 0:
        raise InputError(f"{n} components are to be kept; none is the least.")
    kept = get_largest_connected_component_mask(mask.cpu() > 0, connectivity=2, num_components=n)
    if ties and kept.any():
        labels = label_components(mask)
        sizes = np.bincount(labels[labels > 0])
        large = np.flatnonzero(sizes >= sizes[labels[kept.numpy()]].min())
        kept = torch.from_numpy(np.isin(labels, large))
    return kept.to(mask.device)


def touching_components(mask: Tensor, other: Tensor) -> Tensor:
    """The components of a mask (H, W) that share a pixel with another mask (H, W): (H, W) bool."""
    labels = label_components(mask)
    touched = np.unique(labels[other.cpu().numpy() > 0])
    return torch.from_numpy(np.isin(labels, touched[touched > 0])).to(mask.device)
