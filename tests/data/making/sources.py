"""Small folders of images and masks in the layouts that ``dataset make`` understands."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from monai_ext.data.making import Plan, Source, Wishes, find_source, plan_set, write_set

RANDOM = np.random.RandomState(11)
US = Wishes({"1": "breast tumour"}, "ultrasound")
CT = Wishes({}, "CT")


def picture(path: Path, size: tuple[int, ...] = (12, 10)) -> np.ndarray:
    """A picture of noise; (H, W) or (H, W, 3) uint8."""
    pixels = RANDOM.randint(0, 256, size).astype(np.uint8)
    return save(path, pixels)


def save(path: Path, pixels: np.ndarray, **options) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def mask(path: Path, rows=(2,), value=255, size=(12, 10)) -> np.ndarray:
    """A mask with these rows bright."""
    pixels = np.zeros(size, np.uint8)
    pixels[list(rows)] = value
    return save(path, pixels)


def volume(path: Path, affine=None, shape=(6, 5, 4)) -> np.ndarray:
    """A NIfTI volume of noise, CT with air."""
    return nifti(path, RANDOM.randint(-1000, 400, shape).astype(np.int16), affine)


def nifti(path: Path, array: np.ndarray, affine=None) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([-2.0, 1.0, 5.0, 1.0]) if affine is None else affine
    nib.save(nib.Nifti1Image(array, affine), path)
    return array


def region(*planes: int, value: int = 1, shape=(6, 5, 4)) -> np.ndarray:
    """A label map with these planes along the first axis filled."""
    array = np.zeros(shape, np.uint8)
    array[list(planes)] = value
    return array


def plan(path: Path, wishes: Wishes = US) -> Plan:
    return plan_set(find_source(path), wishes)


def made(path: Path, out: Path, wishes: Wishes = US, link: bool = False) -> tuple[Source, Plan]:
    """Make a data set; what was found and planned."""
    found = find_source(path)
    planned = plan_set(found, wishes)
    write_set(planned, path, out, link)
    return found, planned


def pairs(found: Source) -> dict[str, list[str]]:
    """File names of the masks of each case."""
    return {case.name: [mask.file.name for mask in case.masks] for case in found.cases}
