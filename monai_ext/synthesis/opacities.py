"""Training data for diseased lungs: chest X-rays with synthetic opacities, and the masks of the whole lungs.

Where disease turns much of a lung white, a network that has learnt lungs as dark regions leaves that region out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from monai_ext.synthesis.fields import Array, Mask, Random, cloud, noise, smooth, soft
from monai_ext.synthesis.training_slices import as_array, as_slice

TARGET = "lungs"


def opacity_slices(slices: Iterable[Mapping[str, Any]], count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Chest X-rays with opacities, from those whose lungs are labelled.

    Args:
        slices: as :func:`monai_ext.data.labelled_slices.load_slices` returns them. Used are those of modality `xray`
            that show `lungs`.
        count: number of pictures to make.
        seed: the same slices, count and seed give the same bytes.

    Returns:
        `count` dicts in the form of :func:`monai_ext.data.labelled_slices.load_slices` (without `own`), with the masks of
        the X-ray they were made from, and `set` "opacities"; none if no slice is usable.
    """
    rng = np.random.default_rng(seed)
    shown = [
        (sample["image"], dict(zip(sample["targets"], sample["masks"].numpy(), strict=True)))
        for sample in slices
        if sample["modality"] == "xray"
    ]
    usable = [(image, masks) for image, masks in shown if TARGET in masks and masks[TARGET].any()]
    made = []
    for number in range(count if usable else 0):
        image, masks = usable[number % len(usable)]
        clouded = paint_opacities(rng, as_array(image), masks[TARGET] > 0)
        made.append(as_slice(torch.from_numpy(clouded), masks, "opacities", "xray"))
    return made


def paint_opacities(rng: Random, image: Array, lungs: Mask) -> Array:
    """Paint opacities into the lungs: patches, some with fine spots, that bring them closer to the tissue around.

    Args:
        rng: source of the draws of position, strength and texture.
        image: (3, H, W) in [0, 1]; left as it is.
        lungs: (H, W), not empty.

    Returns:
        (3, H, W) in [0, 1], changed within the lungs and a pixel or two around them.
    """
    size = lungs.shape
    depth = (distance_transform_edt(lungs) - distance_transform_edt(~lungs)).astype(np.float32)
    inside = soft(np.float32(1) - depth, 4)
    where = soft(-cloud(rng, size, int(rng.integers(3, 6))) + np.float32(rng.uniform(-0.8, 0.8)), 1.2)
    spots = np.clip(np.float32(0.7) + np.float32(rng.uniform(0, 0.5)) * smooth(rng, size, 40), 0, 1)
    grey = image.mean(axis=0)
    bright = np.float32(np.quantile(grey[(depth < -2) & (depth > -0.15 * size[1])], 0.6))
    target = bright + np.float32(0.04) * cloud(rng, size, 10) + np.float32(0.01) * noise(rng, size)
    cover = inside * where * spots * np.float32(rng.uniform(0.5, 0.95))
    change = np.maximum(target - grey, 0) * cover  # disease whitens
    return np.clip(image + change, 0, 1).astype(np.float32)
