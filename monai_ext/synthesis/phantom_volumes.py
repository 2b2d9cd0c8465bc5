"""3D phantoms: the abdomen in CT (HU) and the head in MR, with an affine as scanners write it."""

from __future__ import annotations

import zlib
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

from monai_ext.synthesis.fields import Array, Mask, Random, noise, smooth

VOLUME_KINDS = ("abdominal_ct", "brain_mr")
_MODALITY = {"abdominal_ct": "ct", "brain_mr": "mri"}
_TITLE = {"abdominal_ct": "a CT scan of the abdomen", "brain_mr": "an MRI scan of the brain"}

# name, probability to be missing, HU, centre and radii in (right, anterior, superior), body half-widths = 1
_ORGANS = (
    ("aorta", 0.0, 180, (-0.06, -0.25, 0.0), (0.06, 0.08, 1.2)),
    ("inferior vena cava", 0.0, 110, (0.1, -0.22, 0.0), (0.06, 0.08, 1.2)),
    ("left kidney", 0.15, 150, (-0.38, -0.32, -0.25), (0.15, 0.19, 0.36)),
    ("right kidney", 0.15, 150, (0.38, -0.34, -0.35), (0.12, 0.15, 0.28)),
    ("gallbladder", 0.3, 8, (0.25, 0.3, -0.1), (0.08, 0.11, 0.16)),
    ("liver", 0.05, 105, (0.38, 0.08, 0.35), (0.42, 0.52, 0.5)),
    ("spleen", 0.15, 120, (-0.6, -0.15, 0.4), (0.16, 0.28, 0.3)),
    ("stomach", 0.15, 40, (-0.28, 0.35, 0.4), (0.24, 0.22, 0.3)),
    ("pancreas", 0.15, 85, (-0.1, 0.05, 0.0), (0.3, 0.08, 0.1)),
)


def volume(
    kind: str,
    seed: int,
    shape: tuple[int, int, int] = (64, 56, 40),
    spacing: tuple[float, float, float] = (5.0, 5.0, 8.0),
    axcodes: str = "RAS",
) -> dict[str, Any]:
    """One 3D phantom; the same bytes for the same arguments.

    Args:
        kind: one of ``VOLUME_KINDS``.
        seed: any non-negative whole number.
        shape: voxels to the patient's right, anterior and superior, whatever `axcodes`.
        spacing: mm along the same directions.
        axcodes: the order that the arrays are stored in, such as ``"LPS"``.

    Returns:
        ``volume`` (X, Y, Z) float32, in HU for CT; ``affine`` (4, 4) float64, voxels to RAS mm; ``masks``
        {target: (X, Y, Z) uint8}; ``captions``, ``absent``, ``modality``, ``facts``, ``kind`` as in
        :func:`monai_ext.synthesis.phantoms.phantom`.

    Raises:
        ValueError: for another kind.
    """
    if kind not in VOLUME_KINDS:
        raise ValueError(f"volume phantom kind {kind!r} is unknown; known are {', '.join(VOLUME_KINDS)}.")
    rng = np.random.default_rng([zlib.crc32(f"volume {kind}".encode()), seed])
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in shape]
    right, front, up = np.meshgrid(*axes, indexing="ij")
    draw = _abdomen if kind == "abdominal_ct" else _head
    image, masks, absent, facts = draw(rng, right, front, up)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [-(n - 1) / 2 * mm for n, mm in zip(shape, spacing, strict=True)]
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(tuple(axcodes)))

    def stored(array: np.ndarray, dtype: type) -> np.ndarray:
        return np.ascontiguousarray(nib.apply_orientation(array, turn), dtype=dtype)

    title = _TITLE[kind]
    return {
        "volume": stored(image, np.float32),
        "affine": affine @ inv_ornt_aff(turn, shape),
        "masks": {name: stored(mask, np.uint8) for name, mask in masks.items()},
        "captions": [title, *(f"{title} that shows the {name}" for name in masks)],
        "absent": absent,
        "modality": _MODALITY[kind],
        "facts": facts,
        "kind": kind,
    }


def _ball(rng: Random, grid: tuple[Array, Array, Array], centre: Any, radii: Any, vary: float = 0.1) -> Mask:
    """The mask of an ellipsoid with a wavering surface, (X, Y, Z) bool."""
    near = [
        ((g - np.float32(c + rng.normal(0, 0.015))) / np.float32(r * rng.uniform(1 - vary, 1 + vary))) ** 2
        for g, c, r in zip(grid, centre, radii, strict=True)
    ]
    return sum(near) + 0.08 * smooth(rng, grid[0].shape, 5) < 1


def _abdomen(
    rng: Random, right: Array, front: Array, up: Array
) -> tuple[Array, dict[str, Mask], list[str], dict[str, str]]:
    grid, shape = (right, front, up), right.shape
    radius = np.sqrt((right / 0.92) ** 2 + (front / 0.8) ** 2) + 0.02 * smooth(rng, shape, 4)
    hu = np.where(radius < 1, -100.0, -1000.0) + 10 * smooth(rng, shape, 8) * (radius < 1)
    hu = np.where(radius < 0.86, 55.0, hu)
    cavity = (radius < 0.78) & (front > -0.62)
    hu = np.where(cavity, -80.0, hu)
    spine = (right / 0.14) ** 2 + ((front + 0.45) / 0.14) ** 2 < 1
    spine |= (np.abs(right) < 0.03) & (front < -0.5) & (front > -0.72)
    ribs = (np.abs(radius - 0.82) < 0.03) & (np.sin(14 * (up + 0.5 * front)) > 0.6) & (up > -0.3)
    bone = spine | ribs
    hu = np.where(bone, 450.0, hu)
    free = cavity & ~bone
    masks: dict[str, Mask] = {}
    for name, missing, value, centre, radii in _ORGANS:
        present = rng.random() >= missing
        organ = _ball(rng, grid, centre, radii) & free
        if not present or not organ.any():
            continue
        masks[name] = organ
        free &= ~organ
        hu = np.where(organ, value + 6 * smooth(rng, shape, 8), hu)
    if "stomach" in masks:
        hu = np.where(masks["stomach"] & (front > 0.42), -950.0, hu)
    if "liver" in masks and rng.random() < 0.5:
        tumour = _ball(rng, grid, (0.45, 0.05, 0.35), (0.14, 0.17, 0.18)) & masks["liver"]
        if tumour.any():
            masks["liver tumour"] = tumour
            hu = np.where(tumour, 50.0, hu)
    kidneys = [masks[name] for name in ("left kidney", "right kidney") if name in masks]
    if kidneys:
        masks["kidneys"] = np.logical_or.reduce(kidneys)
    masks["bone"] = bone
    known = [*(name for name, *_ in _ORGANS), "liver tumour", "kidneys", "bone"]
    hu = hu + 10 * noise(rng, shape)
    return hu, masks, [name for name in known if name not in masks], {}


def _head(
    rng: Random, right: Array, front: Array, up: Array
) -> tuple[Array, dict[str, Mask], list[str], dict[str, str]]:
    """T1 after contrast, in arbitrary units."""
    grid, shape = (right, front, up), right.shape
    radius = np.sqrt((right / 0.8) ** 2 + (front / 0.92) ** 2 + (up / 0.92) ** 2) + 0.01 * smooth(
        rng, shape, 5
    )
    image = np.where(radius < 1, 700.0, 0.0)
    image = np.where(radius < 0.92, 60.0, image)
    brain = radius < 0.85
    folds = np.abs(smooth(rng, shape, 10))
    image = np.where(brain, 400 - 150 * np.clip(1 - 3 * folds, 0, 1) * (radius > 0.65), image)
    image = np.where(radius < 0.68, 500.0, image)
    horns = np.zeros(shape, bool)
    for side in (-1, 1):
        horns |= _ball(rng, grid, (side * 0.12, 0.0, 0.1), (0.07, 0.3, 0.14))
    image = np.where(horns, 120.0, image)
    masks: dict[str, Mask] = {"brain": brain, "ventricles": horns}
    facts: dict[str, str] = {"sequence": "T1c"}
    if rng.random() < 0.7:
        side = rng.choice([-1.0, 1.0])
        centre = (side * rng.uniform(0.25, 0.4), rng.uniform(-0.35, 0.35), rng.uniform(-0.2, 0.4))
        radii = rng.uniform(0.12, 0.24, 3)
        core = _ball(rng, grid, centre, radii) & brain
        whole = (_ball(rng, grid, centre, radii * 1.5) & brain & ~horns) | core
        image = np.where(whole, 330.0, image)
        image = np.where(core, 900.0, image)
        masks["ventricles"] = horns & ~core
        masks |= {"brain tumour": core, "whole brain tumour": whole, "tumour core": core}
        masks["peritumoral oedema"] = whole & ~core
        facts |= {"tumour_type": "glioma", "side": "right" if side > 0 else "left"}
    image = np.clip(image * (1 + 0.1 * smooth(rng, shape, 3)) + 12 * noise(rng, shape), 0, None)
    known = ("brain", "ventricles", "brain tumour", "whole brain tumour", "tumour core", "peritumoral oedema")
    return image, masks, [name for name in known if name not in masks], facts
