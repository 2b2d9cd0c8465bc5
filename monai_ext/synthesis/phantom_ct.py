"""Axial CT phantoms: the abdomen and the chest, painted in HU organ by organ."""

from __future__ import annotations

import numpy as np

from monai_ext.synthesis.fields import Array, Mask, Random, blob, cloud, mix, noise, oval, plane, smooth, soft

Masks = dict[str, Mask]


class Painter:
    """An HU slice and the masks of its organs, painted together; an organ takes only free pixels, so masks are disjoint."""

    def __init__(self, rng: Random, size: int) -> None:
        self.rng = rng
        self.x, self.y = plane(rng, size)
        self.hu = np.full((size, size), -1000, np.float32)
        self.free = np.zeros((size, size), bool)
        self.masks: Masks = {}

    def organ(self, name: str | None, distance: Array, hu: float, texture: float = 6) -> Mask:
        """Paint an organ where pixels are still free; returns its mask (bool)."""
        got = (distance < 0) & self.free
        grain = cloud(self.rng, self.hu.shape, 10, 2) * np.float32(texture)
        self.hu = mix(self.hu, hu + grain, soft(distance, 0.025) * self.free)
        self.free &= ~got
        if name is not None and got.sum() >= 12:
            self.masks[name] = got
        return got

    def body(self, rx: float, ry: float, fat: float) -> Mask:
        """Skin, fat, muscle wall, ribs and spine; frees the cavity. Returns the bone (bool)."""
        rng, x, y = self.rng, self.x, self.y
        outline = blob(rng, x, y, 0, 0, rx, ry, rough=0.03)
        wall = blob(rng, x, y, 0, 0, rx - fat, ry - fat, rough=0.02)
        self.hu = mix(self.hu, -100 + 12 * cloud(rng, self.hu.shape, 8, 2), soft(outline))
        self.hu = mix(self.hu, 55 + 10 * cloud(rng, self.hu.shape, 12, 2), soft(wall))
        cavity = np.maximum(wall + 0.07, -oval(x, y, 0, ry * 0.72, rx * 0.42, ry * 0.33))
        self.hu = mix(self.hu, -95 + 15 * cloud(rng, self.hu.shape, 8, 2), soft(cavity))
        spine = oval(x, y, 0, ry * 0.5, 0.13, 0.11)
        canal = oval(x, y, 0, ry * 0.5 + 0.15, 0.05, 0.04)
        arch = np.minimum(
            oval(x, y, 0, ry * 0.5 + 0.17, 0.1, 0.08), oval(x, y, 0, ry * 0.5 + 0.27, 0.025, 0.1)
        )
        bone = np.maximum(
            np.minimum(np.minimum(spine, arch), oval(x, y, 0, ry * 0.5 + 0.14, 0.22, 0.025)), -canal
        )
        turn = np.arctan2(y, x)
        count, phase = rng.integers(9, 14), rng.uniform(0, 6.28)
        ribs = np.maximum(np.abs(wall + 0.045) - 0.022, 0.25 - np.sin(count * turn + phase) * 0.5)
        bone = np.minimum(bone, np.maximum(ribs, -y - ry * 0.5))
        marrow = 180 + 60 * cloud(rng, self.hu.shape, 16, 2)
        self.hu = mix(self.hu, 650, soft(bone))
        self.hu = mix(self.hu, marrow, soft(spine + 0.02))
        self.free = (cavity < 0) & (bone >= 0)
        return bone < 0

    def table(self) -> None:
        """The scanner's table under the body, sometimes."""
        if self.rng.random() < 0.6:
            curve = np.abs(self.y - np.float32(0.86) + 0.12 * self.x * self.x) - 0.012
            self.hu = mix(self.hu, 80.0, soft(curve) * (self.hu < -900))

    def slice(self) -> Array:
        """The slice in HU with the noise of a scanner."""
        grain = noise(self.rng, self.hu.shape) * np.float32(self.rng.uniform(4, 18))
        return (self.hu + grain).astype(np.float32)


def abdomen(rng: Random, size: int) -> tuple[Array, Masks]:
    """HU slice (size, size) with patient's right on the left, and the masks of what it shows."""
    level = rng.random()  # 0 at the dome of the liver, 1 below the kidneys
    paint = Painter(rng, size)
    x, y = paint.x, paint.y
    rx, ry = rng.uniform(0.72, 0.85), rng.uniform(0.5, 0.62)
    bone = paint.body(rx, ry, rng.uniform(0.05, 0.14))
    contrast = rng.uniform(0, 1)

    def here(low: float, high: float, missing: float = 0.04) -> bool:
        return low <= level <= high and rng.random() >= missing

    aorta = blob(rng, x, y, 0.05, ry * 0.5 - 0.18, 0.055, 0.055, rough=0.03)
    paint.organ("aorta", aorta, 45 + 180 * contrast, 3)
    if here(0, 0.95):
        cava = blob(rng, x, y, -0.11, ry * 0.5 - 0.17, 0.065, 0.05, rough=0.06)
        paint.organ("inferior vena cava", cava, 45 + 90 * contrast, 3)
    right_size = rng.uniform(0.75, 0.95) * np.sqrt(max(0.1, 1 - ((level - 0.6) / 0.42) ** 2))
    for name, side, scale in (
        ("right kidney", -1, right_size),
        ("left kidney", 1, right_size * rng.uniform(1.12, 1.3)),
    ):
        if here(0.28, 0.95):
            cx, cy = side * rng.uniform(0.36, 0.42), ry * 0.5 - rng.uniform(0.02, 0.08)
            shape = blob(rng, x, y, cx, cy, 0.12 * scale, 0.15 * scale, side * -0.4, rough=0.06)
            sinus = oval(x, y, cx - side * 0.08 * scale, cy, 0.07 * scale, 0.045 * scale)
            paint.organ(name, np.maximum(shape, -sinus), 40 + 150 * contrast, 8)
    if here(0, 0.85):
        grow = 1.05 - 0.55 * level
        shape = blob(rng, x, y, -0.42 - 0.1 * level, -0.06, 0.34 * grow, 0.4 * grow, 0.3, rough=0.08)
        if level < 0.5:
            shape = np.minimum(shape, blob(rng, x, y, -0.12, -0.2, 0.34 * grow, 0.17 * grow, 0.1, rough=0.08))
        if here(0.3, 0.75, 0.25):
            bile = blob(
                rng, x, y, -0.22, -0.12, 0.08, rng.uniform(0.08, 0.14), rng.uniform(-0.5, 0.5), rough=0.04
            )
            paint.organ("gallbladder", bile, 8, 2)
        base = rng.uniform(45, 65) + 60 * contrast
        liver = paint.organ("liver", shape, base, 5)
        vessels = np.abs(smooth(rng, liver.shape, 7)) < 0.08
        paint.hu = mix(paint.hu, paint.hu + 30 * contrast, (vessels & liver).astype(np.float32))
        if "liver" in paint.masks and rng.random() < 0.35:
            lesion(paint, liver, base)
    if here(0, 0.7):
        shape = blob(rng, x, y, 0.62 * rx / 0.78, 0.05, 0.13, rng.uniform(0.2, 0.3), -0.25, rough=0.06)
        paint.organ("spleen", shape, 50 + 75 * contrast, 5)
    if here(0, 0.75):
        cx, cy, wide, tall = (
            rng.uniform(0.2, 0.34),
            rng.uniform(-0.3, -0.18),
            rng.uniform(0.16, 0.27),
            rng.uniform(0.13, 0.2),
        )
        stomach = paint.organ("stomach", blob(rng, x, y, cx, cy, wide, tall, 0.5, rough=0.08), 45, 12)
        gas = (
            stomach
            & (oval(x, y, cx, cy, wide * 0.85, tall * 0.8, 0.5) < 0)
            & (y < cy - tall * rng.uniform(-0.4, 0.5))
        )
        paint.hu[gas] = -950
    if here(0.2, 0.8, 0.1):
        wave = y + 0.02 + 0.16 * x - 0.06 * np.sin(5 * x + np.float32(rng.uniform(0, 6)))
        shape = np.maximum(np.abs(wave) - rng.uniform(0.035, 0.06), np.abs(x - 0.12) - rng.uniform(0.15, 0.3))
        paint.organ("pancreas", shape.astype(np.float32), 40 + 55 * contrast, 14)
    for _ in range(int(rng.integers(2, 5) + 7 * level)):
        cx, cy, r = rng.uniform(-0.5, 0.5), rng.uniform(-0.4, 0.15), rng.uniform(0.05, 0.1)
        loop = paint.organ(None, blob(rng, x, y, cx, cy, r * 1.3, r, rng.uniform(0, 3), rough=0.12), 40, 14)
        if rng.random() < 0.4:
            paint.hu[loop & (oval(x, y, cx, cy, r * 0.7, r * 0.6) < 0) & (y < cy)] = -900
    if {"left kidney", "right kidney"} & set(paint.masks):
        sides = [paint.masks[name] for name in ("left kidney", "right kidney") if name in paint.masks]
        paint.masks["kidneys"] = np.logical_or.reduce(sides)
    paint.masks["bone"] = bone
    paint.table()
    return paint.slice(), paint.masks


def lesion(paint: Painter, organ: Mask, base: float) -> None:
    """Paint a darker or brighter tumour into the liver, whose mask still contains it."""
    rng = paint.rng
    rows, columns = np.nonzero(organ)
    at = rng.integers(len(rows))
    cx, cy, r = paint.x[rows[at], columns[at]], paint.y[rows[at], columns[at]], rng.uniform(0.05, 0.13)
    shape = blob(rng, paint.x, paint.y, float(cx), float(cy), r, r * rng.uniform(0.7, 1), rough=0.1)
    value = base + rng.choice([-1, 1], p=[0.8, 0.2]) * rng.uniform(30, 60)
    inside = (shape < 0) & organ
    if inside.sum() >= 12:
        paint.hu = mix(paint.hu, float(value), soft(shape, 0.04) * organ)
        paint.masks["liver tumour"] = inside


def chest(rng: Random, size: int) -> tuple[Array, Masks]:
    """As :func:`abdomen`, at the height of the lungs."""
    paint = Painter(rng, size)
    x, y = paint.x, paint.y
    rx, ry = rng.uniform(0.75, 0.88), rng.uniform(0.52, 0.62)
    bone = paint.body(rx, ry, rng.uniform(0.04, 0.1))
    level = rng.random()  # 0 at the apex, 1 at the diaphragm
    contrast = rng.uniform(0, 1)
    paint.organ(
        "aorta", blob(rng, x, y, 0.1, ry * 0.5 - 0.14, 0.055, 0.055, rough=0.03), 45 + 200 * contrast, 3
    )
    paint.organ("oesophagus", blob(rng, x, y, 0.0, ry * 0.5 - 0.17, 0.035, 0.025, rough=0.1), 35, 3)
    if level < 0.45:
        paint.organ("trachea", oval(x, y, 0.0, -0.02, 0.05, 0.055), -980, 1)
    elif rng.random() < 0.95:
        grow = 0.7 + 0.5 * level
        heart = blob(rng, x, y, 0.13, -0.12, 0.27 * grow, 0.2 * grow, 0.35, rough=0.05)
        paint.organ("heart", heart, 40 + 110 * contrast, 10)
    middle = oval(x, y, 0.0, -0.1, 0.14, ry * 0.8)
    wall = oval(x, y, 0, 0, rx - 0.17, ry - 0.17)
    for name, side in (("right lung", -1), ("left lung", 1)):
        if rng.random() < 0.05:
            continue
        shape = np.maximum(np.maximum(wall, -middle), -side * x - 0.0)
        if level > 0.8:
            shape = np.maximum(shape, -oval(x, y, side * 0.38, -0.05, 0.25 * (level - 0.6) * 3, 0.2))
        lung = paint.organ(name, shape.astype(np.float32), rng.uniform(-880, -780), 25)
        bright = (smooth(rng, lung.shape, 24) > 1.7) & lung
        paint.hu = mix(paint.hu, -150.0, bright * np.float32(0.7))
    sides = [paint.masks[name] for name in ("left lung", "right lung") if name in paint.masks]
    if sides:
        paint.masks["lungs"] = np.logical_or.reduce(sides)
    paint.organ(None, np.full_like(x, -1), 20, 15)
    paint.masks["bone"] = bone
    paint.table()
    return paint.slice(), paint.masks


WINDOWS = {
    "abdominal_ct": ((40, 400), (60, 350), (50, 250), (30, 600)),
    "chest_ct": ((-600, 1500), (-500, 1400), (40, 400), (-200, 1600)),
}


def window(rng: Random, hu: Array, kind: str) -> Array:
    """HU in one of the usual display windows of the region, as [0, 1]."""
    centre, width = WINDOWS[kind][rng.integers(len(WINDOWS[kind]))]
    return np.clip((hu - (centre - width / 2)) / width, 0, 1).astype(np.float32)
