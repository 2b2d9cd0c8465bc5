"""Training data for tumours: the tumour of one picture copied into another of the same kind.

A few hundred images show few tumours in few surroundings. Copied with their margin into other pictures, the tumours
appear at other positions, larger and smaller, and in tissue that had none (copy-paste augmentation: Ghiasi et al.
2021, arXiv:2012.07177; for tumours Yang et al. 2021, arXiv:2107.09843).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt

from monai_ext.synthesis.fields import Array, Mask, Random, mix, soft
from monai_ext.synthesis.training_slices import as_array, as_slice

TARGETS = (("us", "breast tumour"), ("endoscopy", "polyp"))

_MARGIN = 0.06
"""Fraction of the picture over which the surroundings of a tumour fade into those of the host."""


def transplant_slices(slices: Iterable[Mapping[str, Any]], count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Slices with a tumour of another slice, of the modalities and targets in `TARGETS`.

    Args:
        slices: as :func:`monai_ext.data.labelled_slices.load_slices` returns them.
        count: number of slices to make of each target; half of them from pictures without the target, where there are any.
        seed: the same slices, count and seed give the same bytes.

    Returns:
        dicts in the form of :func:`monai_ext.data.labelled_slices.load_slices` (without `own`), each with one mask,
        of all tumours that it shows, and `set` "transplants".
    """
    rng = np.random.default_rng(seed)
    slices, made = list(slices), []
    for modality, target in TARGETS:
        pictures = [
            (as_array(sample["image"]), _mask(sample, target))
            for sample in slices
            if sample["modality"] == modality and target in sample["targets"]
        ]
        ill = [pair for pair in pictures if pair[1].any()]
        healthy = [pair for pair in pictures if not pair[1].any()]
        for number in range(count if ill else 0):
            hosts = healthy if healthy and number % 2 else ill
            host, donor = hosts[rng.integers(len(hosts))], ill[rng.integers(len(ill))]
            image, mask = transplant(rng, *donor, *host)
            made.append(as_slice(torch.from_numpy(image), {target: mask}, "transplants", modality))
    return made


def transplant(rng: Random, donor: Array, tumour: Mask, host: Array, present: Mask) -> tuple[Array, Mask]:
    """Put a tumour, mirrored and resized at random, at a random position of another picture.

    Args:
        rng: source of the draws of size, side and position.
        donor: (3, H, W) in [0, 1].
        tumour: (H, W), where the donor shows it; not empty.
        host: (3, H, W) in [0, 1]; left as it is.
        present: (H, W), the mask of the same target in the host.

    Returns:
        the host with the tumour (3, H, W) in [0, 1], and the mask (H, W) of both.
    """
    margin = round(_MARGIN * tumour.shape[1])
    patch, shape = _cut(rng, donor, tumour, margin)
    image, mask = host.copy(), present.copy()
    top, left = (
        int(rng.integers(0, full - side + 1)) for full, side in zip(mask.shape, shape.shape, strict=True)
    )
    window = slice(top, top + shape.shape[0]), slice(left, left + shape.shape[1])
    cover = _cover(shape, margin)
    image[:, *window] = mix(host[:, *window], _fitted(patch, host[:, *window], shape, cover), cover)
    mask[window] = (present[window] & (cover < 0.5)) | shape
    return np.clip(image, 0, 1), mask


def _cut(rng: Random, donor: Array, tumour: Mask, margin: int) -> tuple[Array, Mask]:
    """The box of a tumour with its margin, mirrored and resized: picture (3, h, w) and mask (h, w), not empty."""
    rows, columns = (np.nonzero(tumour.any(axis))[0] for axis in (1, 0))
    box = tuple(slice(max(0, at[0] - margin), at[-1] + 1 + margin) for at in (rows, columns))
    patch = np.concatenate([donor[:, *box], tumour[None, *box].astype(np.float32)])
    if rng.random() < 0.5:
        patch = patch[..., ::-1]
    zoom = rng.uniform(0.6, 1.6) * rng.uniform(0.85, 1.15, 2)
    size = [
        int(np.clip(factor * side, 8, 0.9 * full))
        for factor, side, full in zip(zoom, patch.shape[1:], tumour.shape, strict=True)
    ]
    small = F.interpolate(torch.tensor(patch.copy())[None], size, mode="bilinear", antialias=True)[0].numpy()
    return small[:3], small[3] >= min(0.5, float(small[3].max()))


def _cover(shape: Mask, margin: int) -> Array:
    """(H, W) in [0, 1]: 1 on the tumour and close to it, 0 from the margin on and at the patch's border."""
    depth = distance_transform_edt(~shape).astype(np.float32)
    border = distance_transform_edt(np.pad(np.ones_like(shape), 1))[1:-1, 1:-1].astype(np.float32)
    near = soft(depth - np.float32(margin / 2), margin)
    return np.where(shape, 1, near * np.clip(border / margin, 0, 1)).astype(np.float32)


def _fitted(patch: Array, host: Array, shape: Mask, cover: Array) -> Array:
    """The patch as bright as its new surroundings: each channel scaled by the ratio of the means around the tumour."""
    around = (cover > 0) & ~shape
    if not around.any():
        return patch
    ratio = (host[:, around].mean(axis=1) + 0.02) / (patch[:, around].mean(axis=1) + 0.02)
    return patch * np.clip(ratio, 0.5, 2)[:, None, None].astype(np.float32)


def _mask(sample: Mapping[str, Any], target: str) -> Mask:
    return sample["masks"][list(sample["targets"]).index(target)].numpy() > 0
