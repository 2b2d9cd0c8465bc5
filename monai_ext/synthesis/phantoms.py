"""Seeded phantoms of medical images, for pretraining and for the tests.

Nothing in them is a measurement: shapes and textures are drawn, and organs are present or absent at random. Sides are
those of the body: the heart lies on the patient's left, the liver on the right.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_ext.synthesis import phantom_ct, phantom_mr, phantom_pictures
from monai_ext.synthesis.fields import (
    Array,
    Picture,
    Random,
    cloud,
    noise,
    oval,
    plane,
    smooth,
    soft,
    strokes,
)
from monai_ext.synthesis.phantom_volumes import VOLUME_KINDS, volume

__all__ = ["KINDS", "VOLUME_KINDS", "nonmedical", "phantom", "volume"]

_DRAW: dict[str, Callable[[Random, int], Picture]] = {
    "chest_xray": phantom_pictures.chest_xray,
    "breast_ultrasound": phantom_pictures.breast_ultrasound,
    "brain_mr": phantom_mr.brain_mr,
    "dermoscopy": phantom_pictures.dermoscopy,
    "endoscopy": phantom_pictures.endoscopy,
}
_CT = {"abdominal_ct": phantom_ct.abdomen, "chest_ct": phantom_ct.chest}
_MODALITY = {
    "chest_xray": "xray",
    "breast_ultrasound": "us",
    "brain_mr": "mri",
    "abdominal_ct": "ct",
    "chest_ct": "ct",
    "dermoscopy": "dermoscopy",
    "endoscopy": "endoscopy",
}
_TITLE = {
    "chest_xray": "a frontal chest X-ray",
    "breast_ultrasound": "an ultrasound image of the breast",
    "brain_mr": "an axial MR image of the brain",
    "abdominal_ct": "an axial CT slice of the abdomen",
    "chest_ct": "an axial CT slice of the chest",
    "dermoscopy": "a dermoscopy image",
    "endoscopy": "a colonoscopy image",
}
_TARGETS = {
    "chest_xray": ("lungs", "left lung", "right lung", "heart", "lung nodule"),
    "breast_ultrasound": ("breast tumour",),
    "brain_mr": (
        *("brain", "ventricles", "brain tumour", "whole brain tumour", "tumour core", "peritumoral oedema"),
        "FLAIR abnormality",
    ),
    "abdominal_ct": (
        *("liver", "liver tumour", "gallbladder", "spleen", "stomach", "pancreas", "kidneys", "left kidney"),
        *("right kidney", "aorta", "inferior vena cava", "bone"),
    ),
    "chest_ct": ("lungs", "left lung", "right lung", "heart", "aorta", "oesophagus", "trachea", "bone"),
    "dermoscopy": ("skin lesion",),
    "endoscopy": ("polyp",),
}
KINDS = tuple(_TARGETS)

SMALLEST = 12
"""A structure of fewer pixels at 160 x 160 (of the same share at other sizes) counts as absent."""


def phantom(kind: str, seed: int, size: int = 160) -> dict[str, Any]:
    """One 2D phantom; the same bytes for the same kind, seed and size.

    Args:
        kind: one of ``KINDS``.
        seed: any non-negative whole number.
        size: side in pixels, at least 32.

    Returns:
        ``image`` (3, size, size) float32 in [0, 1], upright, patient's right on the left; ``masks``
        {target: (size, size) uint8 in {0, 1}} of the targets that it shows; ``captions``, sentences that are true of
        it; ``absent``, the targets of this kind that it does not show; ``modality`` and ``facts`` as in the prompt
        library; ``kind``.

    Raises:
        ValueError: for another kind or a smaller size.
    """
    if kind not in KINDS:
        raise ValueError(f"phantom kind {kind!r} is unknown; known are {', '.join(KINDS)}.")
    if size < 32:
        raise ValueError(f"a phantom of {size} pixels is too small to draw; the least is 32.")
    rng = np.random.default_rng([zlib.crc32(kind.encode()), seed])
    facts: dict[str, str] = {}
    if kind in _CT:
        hu, found = _CT[kind](rng, size)
        picture = phantom_ct.window(rng, hu, kind)
    else:
        picture, found, facts = _DRAW[kind](rng, size)
    image = np.ascontiguousarray(np.broadcast_to(picture, (3, size, size)), dtype=np.float32)
    least = SMALLEST * (size / 160) ** 2
    masks = {name: mask.astype(np.uint8) for name, mask in found.items() if mask.sum() >= least}
    if not any("tumour" in name for name in masks):
        facts.pop("tumour_type", None)
    return {
        "image": image,
        "masks": {name: masks[name] for name in _TARGETS[kind] if name in masks},
        "captions": _captions(kind, masks),
        "absent": [name for name in _TARGETS[kind] if name not in masks],
        "modality": _MODALITY[kind],
        "facts": facts,
        "kind": kind,
    }


def _captions(kind: str, masks: dict[str, NDArray[np.uint8]]) -> list[str]:
    title = _TITLE[kind]
    return [title, *(f"{title} that shows the {name}" for name in _TARGETS[kind] if name in masks)]


def nonmedical(seed: int, size: int = 160) -> dict[str, Any]:
    """A picture of nothing medical: clouds, gradient, shapes, checks, noise, writing or stripes.

    Returns:
        as :func:`phantom`, without masks, of modality and kind ``"other"``.
    """
    rng = np.random.default_rng([zlib.crc32(b"nonmedical"), seed])
    picture = _PATTERNS[int(rng.integers(len(_PATTERNS)))](rng, size)
    if rng.random() < 0.25:
        picture = np.broadcast_to(picture.mean(0), picture.shape)
    image = np.ascontiguousarray(np.clip(picture, 0, 1), dtype=np.float32)
    return {
        "image": image,
        "masks": {},
        "captions": ["a picture of nothing medical"],
        "absent": [],
        "modality": "other",
        "facts": {},
        "kind": "other",
    }


def _colour(rng: Random) -> Array:
    return rng.random(3).astype(np.float32)[:, None, None]


def _clouds(rng: Random, size: int) -> Array:
    cells = int(rng.integers(3, 24))
    return np.stack([0.5 + 0.2 * cloud(rng, (size, size), cells) for _ in range(3)])


def _gradient(rng: Random, size: int) -> Array:
    x, y = plane(rng, size, 0.1)
    turn = rng.uniform(0, 6.28)
    ramp = (x * np.cos(turn) + y * np.sin(turn) + 1) / 2
    return _colour(rng) * ramp + _colour(rng) * (1 - ramp)


def _checks(rng: Random, size: int) -> Array:
    x, y = plane(rng, size, rng.uniform(0, 0.1))
    count = np.float32(rng.uniform(4, 30))
    board = (np.sin(count * x) * np.sin(count * np.float32(rng.uniform(0.3, 1.5)) * y) > 0).astype(np.float32)
    return _colour(rng) * board + _colour(rng) * (1 - board)


def _shapes(rng: Random, size: int) -> Array:
    x, y = plane(rng, size, 0.02)
    picture = _colour(rng) + 0.1 * cloud(rng, (size, size), 4)
    for _ in range(int(rng.integers(2, 9))):
        (cx, cy), (a, b) = rng.uniform(-0.9, 0.9, 2), rng.uniform(0.08, 0.6, 2)
        if rng.random() < 0.5:
            distance = oval(x, y, cx, cy, a, b, rng.uniform(0, 3))
        else:
            distance = np.maximum(np.abs(x - cx) - a, np.abs(y - cy) - b).astype(np.float32)
        cover = soft(distance, rng.choice([0.02, 0.3]))
        picture = picture + (_colour(rng) - picture) * cover
    return picture


def _static(rng: Random, size: int) -> Array:
    return 0.5 + 0.3 * noise(rng, (3, size, size))


def _writing(rng: Random, size: int) -> Array:
    page = np.full((size, size), rng.uniform(0.6, 1), np.float32)
    for top in np.arange(rng.uniform(0.05, 0.2), 0.95, rng.uniform(0.06, 0.15)):
        strokes(rng, page, rng.uniform(0, 0.4), int(rng.integers(4, 28)), 0.06, float(top), 0.04)
    return np.stack([page] * 3) * (0.6 + 0.4 * _colour(rng))


def _stripes(rng: Random, size: int) -> Array:
    x, _ = plane(rng, size, rng.uniform(0, 0.3))
    wave = 0.5 + 0.5 * np.sin(np.float32(rng.uniform(5, 40)) * x + smooth(rng, (size, size), 5))
    return _colour(rng) * wave + _colour(rng) * (1 - wave)


_PATTERNS = (_clouds, _gradient, _checks, _shapes, _static, _writing, _stripes)
