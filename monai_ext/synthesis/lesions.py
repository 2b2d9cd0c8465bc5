"""Training data for brain lesions: synthetic lesions in MR slices of real brains that show no tumour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter

from monai_ext.synthesis.fields import Array, Mask, Random, blob, cloud, mix, plane, smooth, soft
from monai_ext.synthesis.training_slices import as_array, as_slice

TARGET = "brain tumour"

_DARKEST = 0.08
"""Value of the smoothed picture below which it shows air."""
_SKULL = 0.09
"""Fraction of the width that scalp, skull and fluid take up at the outline of the head."""
_SMALLEST = 0.08
"""Fraction of the picture that brain must fill for lesions to have room in it."""


def lesion_slices(slices: Iterable[Mapping[str, Any]], count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Slices with lesions, from MR slices of the head in which nothing was labelled.

    Args:
        slices: as :func:`monai_ext.data.labelled_slices.load_slices` returns them. Used are those of modality
            `mri` that were labelled, with nothing found, and that show enough brain.
        count: number of slices to make; each usable slice is used equally often, up to a difference of one.
        seed: the same slices, count and seed give the same bytes.

    Returns:
        `count` dicts in the form of :func:`monai_ext.data.labelled_slices.load_slices` (without `own`), each with
        one mask, of `brain tumour`, which is never empty, and `set` "lesions"; none if no slice is usable.
    """
    free = [
        sample
        for sample in slices
        if sample["modality"] == "mri" and sample["targets"] and not sample["masks"].any()
    ]
    images = [as_array(sample["image"]) for sample in free]
    usable = [(image, body) for image in images if (body := _body(image)).mean() >= _SMALLEST]
    if not usable:
        return []
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(usable))
    made = []
    for number in range(count):
        image, mask = paint_lesions(rng, *usable[order[number % len(order)]])
        made.append(as_slice(torch.from_numpy(image), {TARGET: mask}, "lesions", "mri"))
    return made


def paint_lesions(rng: Random, image: Array, body: Mask) -> tuple[Array, Mask]:
    """Paint one to four lesions into a picture.

    Args:
        rng: source of the draws of number, size and texture of the lesions.
        image: (3, H, W) in [0, 1]; left as it is.
        body: (H, W), where lesions may lie; not empty.

    Returns:
        the picture with lesions (3, H, W) in [0, 1], unchanged where there are none; and their mask (H, W), within
        `body` and not empty: rim and core of each lesion, without oedema.
    """
    height, width = body.shape
    depth = _depth(body) * np.float32(2 / max(height, width))  # in units of the plane
    inner = np.argwhere(depth > min(0.06, 0.5 * float(depth.max())))
    mask = np.zeros_like(body)
    for number in range(rng.integers(1, 5)):
        # One large tumour at most; the others are small as metastases are. 1 is half the picture's width.
        large = number == 0 and rng.random() < 0.4
        radius = float(np.exp(rng.uniform(*np.log((0.12, 0.4) if large else (0.03, 0.12)))))
        x, y = (axis[:height, :width] for axis in plane(rng, max(height, width), zoom=0))
        centre = tuple(rng.choice(inner))
        shape = blob(
            *(rng, x, y, float(x[centre]), float(y[centre]), radius, radius * rng.uniform(0.6, 1)),
            angle=rng.uniform(0, 3.14),
            rough=rng.uniform(0.03, 0.12),
        )
        shape = np.maximum(shape, -depth)  # bounded by the body as by a membrane: its edge is drawn alike
        if rng.random() < 0.4:
            image = _with_oedema(rng, image, shape, depth, radius, ~mask)
        image = _with_lesion(rng, image, shape, radius)
        mask |= shape < 0
    return np.clip(image, 0, 1), mask


def _with_oedema(rng: Random, image: Array, shape: Array, depth: Array, radius: float, where: Mask) -> Array:
    """Brighten or darken around a shape; the anatomy shows through, as it does through water in tissue."""
    reach = float(np.clip(radius * rng.uniform(0.4, 1.2), 0.05, 0.2))
    around = shape - np.float32(reach / 2) * (1 + np.float32(0.5) * smooth(rng, shape.shape, 9))
    cover = soft(around, 2 * reach) * soft(np.float32(0.05) - depth, 0.1) * where
    return mix(image, image + np.float32(rng.choice([-1, 1]) * rng.uniform(0.05, 0.2)), cover)


def _with_lesion(rng: Random, image: Array, shape: Array, radius: float) -> Array:
    """Fill a shape with tissue: of one brightness, or with a core darker than its rim."""
    near = image[:, shape < radius / 2].mean(axis=1)[:, None, None]
    mean = float(near.mean())
    contrast = float(np.exp(rng.uniform(*np.log((0.08, 0.6)))))
    cored = radius > 0.05 and rng.random() < 0.35
    sign = 1 if cored or rng.random() < 0.6 else -1
    if not 0.02 < mean + sign * contrast < 1:  # no room on this side
        sign = -sign
    # The noise of the picture is kept, so that lesions are not recognised by their smoothness; its edges are not kept.
    blurred = gaussian_filter(image, 0.006 * shape.shape[1], axes=(1, 2))
    grain = np.clip(image - blurred, -0.03, 0.03)
    texture = np.float32(rng.uniform(0.01, 0.05)) * cloud(rng, shape.shape, 14)
    texture = texture + np.float32(rng.uniform(0.5, 1)) * grain
    tissue = np.clip(near + np.float32(sign * contrast), near * np.float32(0.15), 1) + texture
    edge = rng.uniform(0.02, np.clip(0.6 * radius, 0.03, 0.1))
    if cored:
        inside = shape + np.float32(radius * rng.uniform(0.15, 0.6)) * (
            1 + np.float32(0.2) * smooth(rng, shape.shape, 9)
        )
        tissue = mix(tissue, near * np.float32(rng.uniform(0.2, 0.9)) + texture, soft(inside, edge))
    return mix(image, tissue, soft(shape, edge) * np.float32(rng.uniform(0.8, 1)))


def _body(image: Array) -> Mask:
    """(H, W): the inside of the head in a picture (3, H, W), without what may be scalp or skull."""
    width = image.shape[-1]
    head = gaussian_filter(image.mean(axis=0), 0.01 * width) > _DARKEST
    return _depth(binary_fill_holes(head)) > _SKULL * width


def _depth(region: Mask) -> Array:
    """(H, W): how many pixels deep within a region each pixel lies, negative outside, as beyond the picture."""
    inside = np.pad(region, 1)
    depth = distance_transform_edt(inside) - distance_transform_edt(~inside)
    return depth[1:-1, 1:-1].astype(np.float32)
