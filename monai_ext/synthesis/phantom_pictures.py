"""Phantoms of chest X-ray, breast ultrasound, dermoscopy and endoscopy.

Each function takes (rng, size) and returns the picture, (size, size) grey or (3, size, size) colour,
in [0, 1]; the masks of what it shows, (size, size) bool by target; and the facts about it.
"""

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
    strokes,
)


def chest_xray(rng: Random, size: int) -> Picture:
    """A frontal chest film: dark lungs, the heart on the patient's left (the image's right)."""
    x, y = plane(rng, size, 0.03, 0.15)
    film = _thorax(rng, x, y)
    base, apex = rng.uniform(0.38, 0.58), rng.uniform(-0.76, -0.64)
    width, middle = rng.uniform(0.6, 0.74), rng.uniform(0.09, 0.13)
    rise = np.clip((base - y) / (base - apex), 0, 1)  # 0 at the base, 1 at the apex
    lateral = 0.26 + (width - 0.26) * np.sqrt(np.clip(1 - rise**2.4, 0, 1))
    medial = middle + (0.26 - middle) * rise**5
    heart_x, heart_y = rng.uniform(0.1, 0.16), base - rng.uniform(0.16, 0.22)
    heart = blob(
        rng, x, y, heart_x, heart_y, rng.uniform(0.24, 0.34), rng.uniform(0.22, 0.28), 0.5, rough=0.03
    )
    arch = oval(x, y, 0.07, heart_y - 0.3, 0.1, 0.2)  # great vessels above the heart
    has_heart = rng.random() > 0.04
    shadow = np.minimum(arch, heart) if has_heart else arch
    lungs = {}
    for name, side in (("right lung", -1), ("left lung", 1)):
        across = side * x
        dome = base + rng.uniform(-0.08, 0.02) - (0.05 if side < 0 else 0) + 1.1 * (across - 0.3) ** 2
        shape = np.maximum(
            np.maximum(across - lateral, medial - across), np.maximum(y - dome, apex - y) * 0.7
        )
        shape += 0.006 * smooth(rng, x.shape, 9)
        shape = np.maximum(shape, -shadow)
        if rng.random() > 0.08:  # else the whole side is opaque
            lungs[name] = shape
    film += rng.uniform(0.05, 0.16) * soft(shadow, 0.1)
    masks: dict[str, Mask] = {}
    hilum = np.exp(-8 * ((np.abs(x) - 0.18) ** 2 + (y + 0.05) ** 2))
    vessels = np.clip(1 - np.abs(smooth(rng, x.shape, 22)) * 3, 0, 1) * hilum
    dark = rng.uniform(0.28, 0.55)
    for name, shape in lungs.items():
        inside = soft(shape, 0.05)
        film -= inside * (dark + 0.05 * cloud(rng, x.shape, 6) - 0.18 * vessels)
        masks[name] = shape < 0
        if rng.random() < 0.25:  # patchy opacities, which belong to the lung all the same
            film += inside * 0.2 * np.clip(cloud(rng, x.shape, 4), 0, 1.5)
    film += rng.uniform(0.05, 0.16) * _ribs(rng, x, y, lateral)
    slope = rng.uniform(-0.25, 0.05)
    collar = np.abs(y - (apex + 0.1 + slope * np.abs(x) + 0.05 * np.sin(9 * np.abs(x)))) - 0.022
    film += 0.1 * soft(collar, 0.03) * (np.abs(x) > 0.06) * (np.abs(x) < 0.62)
    if rng.random() < 0.5:
        film -= 0.25 * soft(
            oval(x, y, 0.3, base + 0.16, rng.uniform(0.06, 0.14), rng.uniform(0.03, 0.09)), 0.04
        )
    if lungs:
        masks["lungs"] = np.logical_or.reduce([masks[name] for name in lungs])
        if rng.random() < 0.35:
            nodule, seen = _inside(rng, x, y, masks["lungs"], rng.uniform(0.035, 0.075), 0.06)
            film += 0.2 * soft(nodule, 0.03)
            masks["lung nodule"] = seen
    if has_heart:
        masks["heart"] = heart < 0
    film = gaussian_filter(film, 0.5) + noise(rng, x.shape) * np.float32(rng.uniform(0.004, 0.02))
    film = rescale(film) ** np.float32(rng.uniform(0.6, 1.5))
    if rng.random() < 0.6:  # the side marker: L on the image's right, R on its left
        strokes(rng, film, 1.0, 1, rng.choice([0.06, 0.9]), rng.uniform(0.02, 0.1), 0.03)
    if rng.random() < 0.3:
        border = int(size * rng.uniform(0.02, 0.08))
        film[:, :border] = film[:, size - border :] = 0
        masks = {name: mask & (film > 0) for name, mask in masks.items()}
    return film, masks, {}


def _thorax(rng: Random, x: Array, y: Array) -> Array:
    """Soft tissue and spine of the trunk, with neck, shoulders and air beside the arms."""
    trunk = np.abs(x) - 0.82 - 0.08 * np.sin(2 * y + np.float32(rng.uniform(0, 2)))
    shoulder = 0.16 + 0.62 * np.clip((y + 0.98) / 0.35, 0, 1) ** 1.3
    outline = np.maximum(trunk, (np.abs(x) - shoulder - 0.15 * (y > -0.6)).astype(np.float32))
    body = soft(outline, 0.08)
    thick = 0.62 + 0.14 * np.clip(y + 0.2, 0, 1) + 0.05 * cloud(rng, x.shape, 4)
    spine = np.exp(-((x / np.float32(0.075)) ** 2)) * (0.16 + 0.03 * np.sign(np.sin(22 * y)))
    return (body * (thick + spine)).astype(np.float32)


def _ribs(rng: Random, x: Array, y: Array, lateral: Array) -> Array:
    """Bright bands that rise from the spine, turn at the chest wall and fall to the front."""
    out = np.clip(np.abs(x) / np.clip(lateral, 0.2, None), 0, 1)
    within = (np.abs(x) < lateral + 0.05) & (y > -0.8) & (y < 0.7)
    spacing = np.float32(rng.uniform(0.105, 0.14))
    back = (y + 0.1 * np.cos(out * 2.2) * 1.2 + np.float32(rng.uniform(0, 0.1))) / spacing
    front = (y + 0.26 * out + np.float32(rng.uniform(0, 0.1))) / (spacing * 1.15)
    bands = np.clip(np.cos(2 * np.pi * back) * 1.6 - 0.2, 0, 1) + 0.5 * np.clip(
        np.cos(2 * np.pi * front) - 0.3, 0, 1
    )
    return (bands * within * np.clip(out * 3, 0, 1)).astype(np.float32)


def _inside(rng: Random, x: Array, y: Array, organ: Mask, radius: float, rough: float) -> tuple[Array, Mask]:
    """A blob centred on a random pixel of an organ, and the mask of what lies within the organ."""
    rows, columns = np.nonzero(organ)
    at = rng.integers(len(rows))
    cx, cy = float(x[rows[at], columns[at]]), float(y[rows[at], columns[at]])
    shape = blob(rng, x, y, cx, cy, radius, radius * rng.uniform(0.75, 1.0), rng.uniform(0, 3), rough)
    seen = (shape < 0) & organ
    return np.where(organ, shape, np.abs(shape)).astype(np.float32), seen


def breast_ultrasound(rng: Random, size: int) -> Picture:
    """Layers of skin, fat, gland and muscle in speckle; a benign or malignant tumour, or none."""
    x, y = plane(rng, size, 0.06, 0.1)
    shape = (size, size)
    gland, muscle = rng.uniform(-0.65, -0.2), rng.uniform(0.25, 0.75)
    streaks = smooth(rng, shape, (int(rng.integers(14, 34)), int(rng.integers(4, 9))))
    echo = np.full(shape, rng.uniform(0.18, 0.32), np.float32) + 0.08 * cloud(rng, shape, 6)
    septa = np.clip(1 - np.abs(smooth(rng, shape, (10, 6))) * rng.uniform(4, 9), 0, 1)
    echo += 0.35 * septa * (y < gland + 0.1)
    echo = mix(echo, 0.5 + 0.12 * streaks + 0.1 * cloud(rng, shape, 5), soft(gland - y, 0.1))
    echo = mix(echo, 0.3 + 0.12 * streaks, soft(muscle - y, 0.06))
    echo += 0.4 * np.exp(-(((y - muscle) / 0.02) ** 2)) + 0.45 * np.exp(-(((y + 0.97) / 0.03) ** 2))
    if rng.random() < 0.3:  # the shadow of a rib or of the nipple
        echo *= 1 - 0.7 * soft(np.abs(x - rng.uniform(-0.8, 0.8)) - 0.1, 0.2) * (y > muscle - 0.3)
    masks: dict[str, Mask] = {}
    kind = str(rng.choice(["benign", "malignant", "normal"], p=[0.47, 0.36, 0.17]))
    if kind != "normal":
        echo, masks["breast tumour"] = _breast_tumour(rng, x, y, echo, kind)
    coarse, grain = rng.uniform(0.5, 1.1), np.float32(rng.uniform(0.4, 0.75))
    speckle = gaussian_filter(noise(rng, shape), (coarse * 0.7, coarse)) ** 2
    speckle += gaussian_filter(noise(rng, shape), (coarse * 0.7, coarse)) ** 2
    fade = np.exp(-np.float32(rng.uniform(0.0, 0.9)) * (y + 1) / 2)
    echo = np.clip(echo, 0.015, None) * fade * (grain + speckle / speckle.mean() * (1 - grain))
    picture = np.log1p(echo * np.float32(rng.uniform(6, 20))) / np.log(np.float32(12))
    picture = np.clip(picture * np.float32(rng.uniform(0.5, 0.85)), 0, 1).astype(np.float32)
    if rng.random() < 0.2:  # a curved probe leaves black corners
        picture *= np.abs(x) < 0.75 + 0.3 * (y + 1)
        masks = {name: mask & (np.abs(x) < 0.75 + 0.3 * (y + 1)) for name, mask in masks.items()}
    if rng.random() < 0.25:
        strokes(rng, picture, 0.9, int(rng.integers(2, 9)), rng.uniform(0, 0.6), rng.uniform(0.02, 0.9), 0.03)
    if masks and rng.random() < 0.2:
        _callipers(picture, masks["breast tumour"])
    return picture, masks, {"pathology": kind}


def _breast_tumour(rng: Random, x: Array, y: Array, echo: Array, kind: str) -> tuple[Array, Mask]:
    radius = rng.uniform(0.1, 0.42)
    cx, cy = rng.uniform(-0.55, 0.55), rng.uniform(-0.55, 0.35)
    if kind == "benign":
        tumour = blob(
            rng, x, y, cx, cy, radius, radius * rng.uniform(0.45, 0.8), rng.normal(0, 0.25), rough=0.03
        )
        below, level = rng.uniform(0.0, 0.7), rng.choice([0.02, 0.1, 0.2])  # fluid lets sound through
    else:
        tumour = blob(
            rng, x, y, cx, cy, radius, radius * rng.uniform(0.6, 1.1), rng.normal(0, 0.4), rough=0.16
        )
        tumour += np.float32(radius * 0.1) * smooth(rng, x.shape, 20)
        below, level = -rng.uniform(0.3, 0.85), rng.uniform(0.08, 0.18)
        echo = echo + 0.15 * soft(np.abs(tumour) - 0.04, 0.06)
    beam = soft(np.abs(x - cx) - radius * 0.75, 0.15) * soft(cy - y, 0.2)
    echo = echo * (1 + np.float32(below) * beam)
    inner = level + 0.04 * cloud(rng, x.shape, 8)
    echo = mix(echo, np.clip(inner, 0.01, None), soft(tumour, 0.03 if kind == "benign" else 0.07))
    return echo, tumour < 0


def _callipers(picture: Array, mask: Mask) -> None:
    """The crosses that a sonographer sets at the ends of a lesion."""
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return
    for at in (int(np.argmin(columns)), int(np.argmax(columns))):
        row, column = int(rows[at]), int(columns[at])
        picture[max(0, row - 2) : row + 3, column] = 1
        picture[row, max(0, column - 2) : column + 3] = 1


def dermoscopy(rng: Random, size: int) -> Picture:
    """Skin with a pigmented lesion, hairs, a vignette."""
    x, y = plane(rng, size, 0.04, 0.1)
    tone = np.array([0.85, 0.66, 0.58]) * rng.uniform(0.75, 1.1) + rng.normal(0, 0.04, 3)
    grain = 0.03 * cloud(rng, x.shape, 12)
    picture = np.stack([np.float32(c) + grain * np.float32(rng.uniform(0.7, 1.3)) for c in tone])
    masks: dict[str, Mask] = {}
    if rng.random() > 0.1:
        radius = rng.uniform(0.15, 0.65)
        cx, cy = rng.normal(0, 0.12, 2)
        lesion = blob(
            rng,
            x,
            y,
            cx,
            cy,
            radius,
            radius * rng.uniform(0.65, 1),
            rng.uniform(0, 3),
            rng.uniform(0.04, 0.12),
        )
        lesion += np.float32(0.015) * smooth(rng, x.shape, 14)
        dark = np.array([0.5, 0.3, 0.22]) * rng.uniform(0.4, 1.5)
        network = 0.06 * cloud(rng, x.shape, 9) + 0.04 * np.abs(smooth(rng, x.shape, 40))
        cover = soft(lesion, rng.uniform(0.04, 0.2)) * np.float32(rng.uniform(0.55, 0.95))
        picture = np.stack(
            [mix(p, np.float32(d) + network, cover) for p, d in zip(picture, dark, strict=True)]
        )
        masks["skin lesion"] = lesion < 0
    for _ in range(int(rng.choice([0, 0, 3, 9]))):
        bend = np.float32(rng.uniform(-0.5, 0.5))
        turn = rng.uniform(0, 3.14)
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        hair = np.abs(across - rng.uniform(-1, 1) - bend * along**2) - 0.006
        picture = mix(picture, 0.12, soft(hair.astype(np.float32), 0.015) * np.float32(0.8))
    far = np.hypot(x, y)
    picture *= 1 - np.float32(rng.uniform(0, 0.4)) * np.clip(far - 0.5, 0, 1)
    if rng.random() < 0.15:
        picture *= far < 1.05
    return np.clip(picture + noise(rng, picture.shape) * 0.012, 0, 1).astype(np.float32), masks, {}


def endoscopy(rng: Random, size: int) -> Picture:
    """Red mucosa with folds, a dark lumen, highlights; a polyp that bulges, or none."""
    x, y = plane(rng, size, 0.06, 0.1)
    lx, ly = rng.uniform(-0.6, 0.6, 2)
    far = np.hypot(x - lx, y - ly)
    folds = np.cos(far * np.float32(rng.uniform(5, 12)) + 1.2 * smooth(rng, x.shape, 4))
    height = 0.12 * cloud(rng, x.shape, 5) + 0.06 * folds
    vessels = np.clip(1 - np.abs(smooth(rng, x.shape, 14)) * 9, 0, 1)
    masks: dict[str, Mask] = {}
    redder = np.zeros_like(x)
    if rng.random() > 0.12:
        radius = rng.uniform(0.15, 0.5)
        cx, cy = rng.uniform(-0.45, 0.45, 2)
        polyp = blob(rng, x, y, cx, cy, radius, radius * rng.uniform(0.65, 1), rng.uniform(0, 3), 0.06)
        bulge = np.sqrt(np.clip(-polyp / radius, 0, None))
        height = height * (1 - 0.7 * soft(polyp)) + bulge * np.float32(rng.uniform(0.3, 0.6))
        vessels *= 1 - soft(polyp)
        redder = soft(polyp, 0.04) * np.float32(rng.uniform(-0.08, 0.12))
        masks["polyp"] = polyp < 0
    slope_y, slope_x = np.gradient(height * size / 8)
    turn = rng.uniform(0, 6.28)
    light = (
        0.75 - 0.35 * (slope_x * np.cos(turn) + slope_y * np.sin(turn)) - 0.45 * np.exp(-((far / 0.35) ** 2))
    )
    light = np.clip(light * (1 + 0.25 * smooth(rng, x.shape, 3) * 0.5), 0.03, 1.1)
    tone = np.array([0.95, 0.5, 0.38]) * rng.uniform(0.85, 1.1) + rng.normal(0, 0.04, 3)
    tint = (0.0, -0.12, -0.1)
    picture = np.stack(
        [
            light * (np.float32(c) + redder * (1 if i == 0 else -1) + vessels * np.float32(t))
            for i, (c, t) in enumerate(zip(tone, tint, strict=True))
        ]
    )
    shine = smooth(rng, x.shape, 26) + 0.8 * light
    picture = mix(picture, 1.0, np.clip((shine - 2.9) * 3, 0, 1))
    scope = np.maximum(np.abs(x), np.abs(y)) + 0.4 * np.clip(np.abs(x) + np.abs(y) - 1.5, 0, None) < 0.95
    if rng.random() < 0.7:
        picture *= scope
        masks = {name: mask & scope for name, mask in masks.items()}
    return np.clip(picture + noise(rng, picture.shape) * 0.015, 0, 1).astype(np.float32), masks, {}
