"""Lesions that are found, missed, and made up: F1 over connected components.

A mean of Dice over images is ruled by large parts; whether each of several is found, it does not tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from skimage.measure import label
from torch import Tensor

COUNTS = ("lesion_tp", "lesion_fp", "lesion_fn")
LEAST_IOU = 0.1
"""From which a component of a mask may be one of the reference: the threshold of nnDetection (Baumgartner et al. 2021,
arXiv:2106.00817), since a border that is one voxel off costs a small lesion half of its IoU."""


def lesion_counts(mask: Tensor, reference: Tensor) -> dict[str, int]:
    """Parts of the reference that are found or missed, and parts of the mask that are none of the reference.

    Parts are components whose pixels touch by a side, an edge or a corner. Each part of the mask is assigned to at most
    one of the reference and the other way round, so that their IoU is greatest in all (Hungarian method); pairs below
    :data:`LEAST_IOU` are none: localisation by mask IoU and one-to-one assignment of "Metrics reloaded" (Maier-Hein,
    Reinke et al., Nature Methods 21:195, 2024). So one mask that covers several lesions finds one at most.

    Args:
        mask, reference: (H, W) or (X, Y, Z), nonzero = inside.

    Returns:
        ``lesion_tp``, ``lesion_fp``, ``lesion_fn``.

    Raises:
        ValueError: when the shapes differ.
    """
    if mask.shape != reference.shape:
        raise ValueError(f"mask {tuple(mask.shape)} and reference {tuple(reference.shape)} differ in shape.")
    found, true = _cropped(mask.cpu().numpy() != 0, reference.cpu().numpy() != 0)
    if not found.size:
        return dict.fromkeys(COUNTS, 0)
    parts, lesions = label(found), label(true)  # of all neighbours, whatever the number of axes
    iou = _iou(parts, lesions)
    matched = int((iou[linear_sum_assignment(iou, maximize=True)] > 0).sum())
    return {
        "lesion_tp": matched,
        "lesion_fp": int(parts.max(initial=0)) - matched,
        "lesion_fn": int(lesions.max(initial=0)) - matched,
    }


def _cropped(found: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both within the box around what either holds: labelling a whole volume takes seconds."""
    either, box = found | true, []
    for axis in range(either.ndim):
        inside = np.flatnonzero(either.any(tuple(other for other in range(either.ndim) if other != axis)))
        box.append(slice(inside[0], inside[-1] + 1) if len(inside) else slice(0, 0))
    return found[tuple(box)], true[tuple(box)]


def _iou(parts: np.ndarray, lesions: np.ndarray) -> np.ndarray:
    """IoU of the parts and lesions that overlap in some way, a row a part; 0 below the least."""
    both = (parts > 0) & (lesions > 0)
    pairs, overlaps = np.unique(np.stack([parts[both], lesions[both]]), axis=1, return_counts=True)
    sizes = [np.bincount(one.ravel(), minlength=2) for one in (parts, lesions)]
    ious = overlaps / (sizes[0][pairs[0]] + sizes[1][pairs[1]] - overlaps)
    rows, columns = (np.unique(numbers, return_inverse=True)[1] for numbers in pairs)
    matrix = np.zeros((rows.max(initial=-1) + 1, columns.max(initial=-1) + 1))
    matrix[rows, columns] = np.where(ious >= LEAST_IOU, ious, 0.0)
    return matrix


def f1(counts: np.ndarray) -> np.ndarray:
    """F1 (...) of counts (..., 3) of true positives, false positives and false negatives; not all are 0."""
    hits = 2 * counts[..., 0]
    return hits / (hits + counts[..., 1] + counts[..., 2])


def several_parts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The targets of which some image shows two parts or more, in the order of their names."""
    return sorted({row["target"] for row in rows if row["lesion_tp"] + row["lesion_fn"] > 1})
