"""Agreement of one mask with its reference: Dice, IoU, normalised surface Dice, Hausdorff distance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from monai.metrics import compute_dice, compute_hausdorff_distance, compute_iou, compute_surface_dice
from torch import Tensor

METRICS = ("dice", "iou", "nsd", "hd95")


def target_mask(label: Tensor, values: str) -> Tensor:
    """The pixels (...), bool, of a label map (...) that hold one of the `values`, such as "1+2"."""
    return torch.isin(label, torch.tensor([float(value) for value in values.split("+")], device=label.device))


def mask_agreement(
    mask: Tensor,
    reference: Tensor,
    spacing: Sequence[float] | None = None,
    tolerance: float = 2.0,
    surface: bool = True,
) -> dict[str, float]:
    """Compare a mask with its reference, both (H, W) or (X, Y, Z), nonzero = inside.

    A mask of one slice (X, Y, 1) is compared in its plane. Where the reference is not empty, an empty mask has Dice, IoU
    and NSD 0 and no Hausdorff distance. Where the reference is empty, no metric is defined.

    Args:
        mask: the prediction.
        reference: of the same shape.
        spacing: pixel size per axis, in mm for volumes; None measures in pixels.
        tolerance: of the normalised surface Dice, in the unit of `spacing`.
        surface: False leaves out the two surface metrics, which take most of the time.

    Returns:
        ``dice``, ``iou`` and, if asked for, ``nsd`` in [0, 1] and ``hd95`` (95th percentile of the Hausdorff
        distance, in the unit of `spacing`); NaN where undefined. NSD counts boundary elements by their area
        (``use_subvoxels`` of MONAI, as in DeepMind's ``surface-distance``).

    Raises:
        ValueError: when the shapes differ.
    """
    if mask.shape != reference.shape:
        raise ValueError(f"mask {tuple(mask.shape)} and reference {tuple(reference.shape)} differ in shape.")
    size = [1.0] * mask.ndim if spacing is None else [float(s) for s in spacing]
    if mask.ndim == 3 and 1 in mask.shape:
        axis = mask.shape.index(1)
        mask, reference, size = mask.squeeze(axis), reference.squeeze(axis), size[:axis] + size[axis + 1 :]
    names = METRICS if surface else METRICS[:2]
    if not reference.any():
        return dict.fromkeys(names, math.nan)
    if not mask.any():
        return {name: math.nan if name == "hd95" else 0.0 for name in names}
    found, true = (mask != 0)[None, None].float(), (reference != 0)[None, None].float()
    values = {"dice": compute_dice(found, true), "iou": compute_iou(found, true)}
    if surface:
        values["nsd"] = compute_surface_dice(
            found, true, [tolerance], include_background=True, spacing=size, use_subvoxels=True
        )
        values["hd95"] = compute_hausdorff_distance(
            found, true, include_background=True, percentile=95, spacing=size
        )
    return {name: value.item() for name, value in values.items()}
