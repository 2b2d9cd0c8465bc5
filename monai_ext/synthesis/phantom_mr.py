"""Phantoms of the head: axial MR slices in three contrasts."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from monai_ext.synthesis.fields import (
    Array,
    Mask,
    Picture,
    Random,
    blob,
    cloud,
    mix,
    noise,
    oval,
    plane,
    rescale,
    smooth,
    soft,
)

# T1 after contrast, T2, FLAIR: fat, skull, fluid, grey matter, white matter, core, oedema
_MR_CONTRAST = {
    "T1c": (0.85, 0.05, 0.12, 0.42, 0.55, 0.9, 0.36),
    "T2": (0.7, 0.05, 0.95, 0.55, 0.42, 0.7, 0.82),
    "FLAIR": (0.6, 0.05, 0.1, 0.5, 0.42, 0.75, 0.88),
}


def brain_mr(rng: Random, size: int) -> Picture:
    """An axial slice of the head in one of three contrasts, with or without a tumour."""
    x, y = plane(rng, size, 0.03, 0.15)
    sequence = str(rng.choice(list(_MR_CONTRAST)))
    jitter = rng.normal(1, 0.08, 7)
    fat, bone, fluid, grey, white, core, wet = (
        float(v * j) for v, j in zip(_MR_CONTRAST[sequence], jitter, strict=True)
    )
    stripped = rng.random() < 0.4
    rx, ry = rng.uniform(0.58, 0.68), rng.uniform(0.72, 0.82)
    head = blob(rng, x, y, 0, 0, rx + 0.14, ry + 0.13, rough=0.015)
    brain = blob(rng, x, y, 0, 0, rx, ry, rough=0.02)
    image = np.zeros_like(x)
    if not stripped:
        image = mix(image, fat + 0.1 * cloud(rng, x.shape, 8), soft(head, 0.03))
        image = mix(image, bone, soft(np.abs(brain - 0.05) - 0.03, 0.03))
    folds = np.abs(smooth(rng, x.shape, 13)) + 0.5 * np.abs(smooth(rng, x.shape, 21))
    ribbon = brain + 0.03 + 0.2 * np.clip(1 - folds * 1.5, 0, 1)
    image = mix(image, grey + 0.03 * cloud(rng, x.shape, 10), soft(brain, 0.03))
    image = mix(image, white + 0.02 * cloud(rng, x.shape, 8), soft(ribbon + 0.06, 0.03))
    sulci = np.clip(1 - folds * 5, 0, 1) * soft(-(brain + 0.2), 0.1) * soft(brain, 0.02)
    image = mix(image, fluid, sulci * 0.8)
    image = mix(
        image,
        fluid,
        soft(np.abs(x + 0.01 * smooth(rng, x.shape, 4)) - 0.008, 0.015)
        * soft(brain, 0.02)
        * (np.abs(y) > 0.3),
    )
    masks: dict[str, Mask] = {"brain": brain < 0}
    if rng.random() > 0.2:
        wide, tall, apart = rng.uniform(0.035, 0.09), rng.uniform(0.14, 0.28), rng.uniform(0.07, 0.11)
        halves = [
            oval(x + 0.25 * s * (y * y), y, s * apart, rng.uniform(-0.03, 0.03), wide, tall, -0.2 * s)
            for s in (-1, 1)
        ]
        horns = np.minimum(*halves)
        image = mix(image, fluid, soft(horns, 0.025))
        for side in (-1, 1):
            image = mix(
                image, grey, soft(oval(x, y, side * 0.24, 0.05, 0.09, 0.15, side * 0.3), 0.05) * (horns > 0)
            )
        masks["ventricles"] = horns < 0
    facts: dict[str, str] = {"sequence": sequence}
    if rng.random() < 0.75:
        image = _brain_tumour(rng, x, y, image, masks, facts, core, wet, fluid)
    bias = 1 + rng.uniform(0.03, 0.15) * smooth(rng, x.shape, 3)
    image = gaussian_filter(image * bias, 0.5) + noise(rng, x.shape) * np.float32(rng.uniform(0.005, 0.03))
    return np.clip(rescale(image, 1, 99.8) * np.float32(rng.uniform(0.75, 1)), 0, 1), masks, facts


def _brain_tumour(
    rng: Random,
    x: Array,
    y: Array,
    image: Array,
    masks: dict[str, Mask],
    facts: dict[str, str],
    core: float,
    wet: float,
    fluid: float,
) -> Array:
    """The image with a tumour of a random kind drawn into it; `masks` and `facts` get its entries."""
    kind = str(rng.choice(["glioma", "meningioma", "pituitary tumour"], p=[0.6, 0.25, 0.15]))
    brain, turn = masks["brain"], rng.uniform(0, 6.28)
    if kind == "pituitary tumour":
        cx, cy, radius = rng.normal(0, 0.02), -0.12, rng.uniform(0.06, 0.13)
    else:
        out, radius = (
            (0.55, rng.uniform(0.1, 0.26))
            if kind == "meningioma"
            else (rng.uniform(0.2, 0.4), rng.uniform(0.1, 0.28))
        )
        cx, cy = out * np.cos(turn), out * np.sin(turn) * 1.15
    shape = blob(
        rng, x, y, cx, cy, radius, radius * rng.uniform(0.7, 1), turn, 0.12 if kind == "glioma" else 0.04
    )
    solid = (shape < 0) & brain
    around = shape - radius * (0.5 if kind == "glioma" else 0.25) - 0.05 * smooth(rng, x.shape, 8)
    ventricles = masks.get("ventricles", np.zeros_like(solid)) & ~solid
    oedema = (around < 0) & brain & ~solid & ~ventricles
    if kind == "pituitary tumour":
        oedema[:] = False
    image = mix(image, wet, soft(around, 0.06) * (oedema | solid))
    image = mix(image, core + 0.08 * cloud(rng, x.shape, 9), soft(shape, 0.03) * brain)
    if kind == "glioma" and rng.random() < 0.7:  # necrosis within a bright rim
        image = mix(image, fluid * 0.6 + 0.1, soft(shape + radius * rng.uniform(0.2, 0.5), 0.05) * brain)
    if not solid.any():
        return image
    masks["ventricles"] = ventricles
    masks["tumour core"] = solid
    masks["peritumoral oedema"] = oedema
    masks["whole brain tumour"] = solid | oedema
    masks["brain tumour"] = solid if facts["sequence"] == "T1c" else solid | oedema
    if facts["sequence"] == "FLAIR":
        masks["FLAIR abnormality"] = solid | oedema
    facts["tumour_type"] = kind
    return image
