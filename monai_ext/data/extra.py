"""Training material beside the data sets: phantoms, textures, and photographs of nothing medical."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from skimage.io import imread

from monai_ext.data.phantoms import KINDS, nonmedical, phantom

PHOTOGRAPHS = (
    *("brick.png", "camera.png", "chelsea.png", "chessboard_GRAY.png", "clock_motion.png", "coins.png"),
    *("color.png", "grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg", "logo.png", "moon.png"),
    *("motorcycle_left.png", "page.png", "rocket.jpg", "text.png", "cell.png", "ihc.png", "retina.jpg"),
)


def photograph_slices(size: int = 192, crops: int = 8, seed: int = 0) -> list[dict[str, Any]]:
    """Pictures that show none of our targets, from those that scikit-image installs (free licences).

    Astronaut and coffee are left out: they are kept for evaluation.

    Args:
        size: side in pixels.
        crops: random square parts of each photograph, with colours exchanged, beside the whole of it.
        seed: of the parts.
    """
    rng = np.random.default_rng(seed)
    slices = []
    for name in PHOTOGRAPHS:
        array = np.atleast_3d(imread(Path(skimage.data.__file__).with_name(name)))[..., :3]
        image = torch.tensor(array).permute(2, 0, 1).float() / 255
        image = image.expand(3, -1, -1)
        slices += [_photograph(image, size)]
        for _ in range(crops):
            side = int(min(image.shape[1:]) * rng.uniform(0.3, 0.9))
            top, left = (int(rng.integers(length - side)) for length in image.shape[1:])
            part = image[rng.permutation(3), top : top + side, left : left + side]
            slices.append(_photograph(part, size))
    return slices


def _photograph(image: torch.Tensor, size: int) -> dict[str, Any]:
    square = F.interpolate(image[None], (size, size), mode="bilinear", antialias=True)[0]
    return as_slice(square, {}, "photographs", "other")


def phantom_slices(count: int, size: int = 192) -> list[dict[str, Any]]:
    """`count` phantoms of each kind and as many textures, seeded from 0; see :func:`load_slices`.

    What a phantom could show but does not has an empty mask, so that it is asked for as absent.
    """
    slices = []
    for seed in range(count):
        for kind in KINDS:
            one = phantom(kind, seed, size)
            masks = one["masks"] | {name: np.zeros((size, size), np.uint8) for name in one["absent"]}
            image = torch.tensor(one["image"])
            slices.append(as_slice(image, masks, "phantoms", one["modality"], one["facts"]))
        slices.append(as_slice(torch.tensor(nonmedical(seed, size)["image"]), {}, "textures", "other"))
    return slices


def as_slice(
    image: torch.Tensor,
    masks: Mapping[str, np.ndarray],
    name: str,
    modality: str,
    facts: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Image (3, H, W) in [0, 1] and masks {target: (H, W)} of a set as :func:`load_slices` returns slices."""
    stacked = torch.from_numpy(np.stack(list(masks.values()))) if masks else torch.zeros(0, *image.shape[1:])
    return {
        "image": (image * 255).round().clamp(0, 255).to(torch.uint8),
        "masks": stacked.to(torch.uint8),
        "targets": list(masks),
        "set": name,
        "modality": modality,
        "facts": dict(facts or {}),
    }
