"""Training slices that come from no data set: phantoms, textures, and photographs of nothing medical."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from skimage.draw import ellipse
from skimage.io import imread

from monai_ext.synthesis.fields import Array, Random
from monai_ext.synthesis.kept import kept_slices
from monai_ext.synthesis.phantoms import KINDS, nonmedical, phantom

PHOTOGRAPHS = (
    *("brick.png", "camera.png", "chelsea.png", "chessboard_GRAY.png", "clock_motion.png", "coins.png"),
    *("color.png", "grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg", "logo.png", "moon.png"),
    *("motorcycle_left.png", "page.png", "rocket.jpg", "text.png", "cell.png", "ihc.png", "retina.jpg"),
)


def photograph_slices(
    size: int = 192, crops: int = 8, collages: int = 240, seed: int = 0
) -> list[dict[str, Any]]:
    """Pictures that show no target of the library, from those that scikit-image installs (free licences).

    Astronaut and coffee are not among them: they are kept for evaluation.

    Args:
        size: side in pixels.
        crops: random square crops of each photograph in other colours, beside the whole photograph.
        collages: further pictures with round pieces of some crops on another one: twenty photographs are few, and a
            network most often mistakes round objects for a lesion or an organ.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    slices, squares = [], []
    for name in PHOTOGRAPHS:
        array = np.atleast_3d(imread(Path(skimage.data.__file__).with_name(name)))[..., :3]
        image = torch.tensor(array).permute(2, 0, 1).float() / 255
        image = image.expand(3, -1, -1)
        slices.append(_photograph(_square(image, size)))
        for _ in range(crops):
            side = int(min(image.shape[1:]) * rng.uniform(0.3, 0.9))
            top, left = (int(rng.integers(length - side)) for length in image.shape[1:])
            square = _square(image[:, top : top + side, left : left + side], size)
            squares.append(square)
            slices.append(_photograph(_tinted(square, rng)))
    return slices + [_photograph(_collage(squares, rng)) for _ in range(collages)]


def _collage(pictures: Sequence[torch.Tensor], rng: Random) -> torch.Tensor:
    """One to three ellipses of random pictures (3, S, S) on another, each in a tint of its own."""
    ground, *pieces = (
        _tinted(pictures[k], rng) for k in rng.integers(len(pictures), size=rng.integers(2, 5))
    )
    picture, size = ground.clone(), ground.shape[-1]
    for piece in pieces:
        centre, radii = rng.uniform(0.2, 0.8, 2) * size, rng.uniform(0.08, 0.4, 2) * size
        turn = rng.uniform(-np.pi, np.pi)
        rows, columns = ellipse(centre[0], centre[1], radii[0], radii[1], (size, size), turn)
        picture[:, rows, columns] = piece[:, rows, columns]
    return picture


def _tinted(image: torch.Tensor, rng: Random) -> torch.Tensor:
    """A picture in other colours, often those of tissue or grey, which least reveal that it is not medical."""
    kind = rng.random()
    if kind < 0.25:
        return image.mean(0, keepdim=True).expand(3, -1, -1)
    channels = rng.permutation(3) if kind < 0.5 else np.arange(3)
    low, high = ((0.8, 0.35, 0.25), (1.3, 0.8, 0.7)) if kind > 0.7 else (0.5, 1.3)
    gains = torch.tensor(rng.uniform(low, high, 3), dtype=torch.float32)[:, None, None]
    return (image[channels] * gains).clamp(0, 1)


def _square(image: torch.Tensor, size: int) -> torch.Tensor:
    return F.interpolate(image[None], (size, size), mode="bilinear", antialias=True)[0]


def _photograph(image: torch.Tensor) -> dict[str, Any]:
    return as_slice(image, {}, "photographs", "other")


def phantom_slices(count: int, size: int = 192) -> list[dict[str, Any]]:
    """`count` phantoms of each kind and as many textures, seeded from 0; see :func:`load_slices`.

    A target that a phantom could show but does not has an empty mask, so that it becomes an absent prompt.
    """
    slices = []
    for seed in range(count):
        for kind in KINDS:
            drawn = phantom(kind, seed, size)
            masks = drawn["masks"] | {name: np.zeros((size, size), np.uint8) for name in drawn["absent"]}
            image = torch.tensor(drawn["image"])
            slices.append(as_slice(image, masks, "phantoms", drawn["modality"], drawn["facts"]))
        slices.append(as_slice(torch.tensor(nonmedical(seed, size)["image"]), {}, "textures", "other"))
    return slices


def as_array(image: torch.Tensor) -> Array:
    """The image of a slice, (3, H, W) uint8, as float32 in [0, 1]; :func:`as_slice` turns it back."""
    return image.numpy().astype(np.float32) / np.float32(255)


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


def additional_slices(size: int = 192, phantoms: int = 0, photographs: bool = False) -> list[dict[str, Any]]:
    """Phantoms of each kind with as many textures, and photographs of nothing medical; each as its function returns it.

    They are made once on a machine, see :func:`monai_ext.synthesis.kept.kept_slices`.
    """
    return [
        *(kept_slices(phantom_slices, phantoms, size) if phantoms else []),
        *(kept_slices(photograph_slices, size) if photographs else []),
    ]
