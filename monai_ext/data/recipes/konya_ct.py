"""Lungs in chest CT of fibrotic disease: Kónya's masks of OSIC scans, as slices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from monai_ext.data.recipes.recipe import Case, Recipe
from monai_ext.errors import InputError
from monai_ext.io.read_picture import load_picture

_MASK = re.compile(r"(?P<patient>.+)_mask_(?P<number>\d+)\.jpg", re.IGNORECASE)
LUNGS = 2
"""Channel of the mask pictures that holds the lungs (they were written as BGR); the others: heart, trachea."""
_CHECKED = 50
"""Number of masks whose channels are compared."""


def cases(source: Path) -> Iterator[Case]:
    """The images ``ID_0.jpg`` that have a mask ``ID_mask_0.jpg``, in whatever folders."""
    pictures = sorted(source.rglob("*.jpg"))
    images = {path.name: path for path in pictures if not _MASK.fullmatch(path.name)}
    masks = {path: found for path in pictures if (found := _MASK.fullmatch(path.name))}
    _check_channel(list(masks))
    for mask, found in masks.items():
        patient, number = found["patient"], found["number"]
        if f"{patient}_{number}.jpg" not in images:
            raise InputError(f"{mask.name}: no image {patient}_{number}.jpg; unpack images and masks.")
        image = images[f"{patient}_{number}.jpg"]
        yield Case(f"{patient}_{int(number):04d}", patient, "the release", image, [mask], LUNGS)


def _check_channel(masks: Sequence[Path]) -> None:
    """Lungs fill more than heart and trachea; a copy with its channels in another order would be mislabelled."""
    filled = np.zeros(3, dtype=np.int64)
    for path in masks[:: max(len(masks) // _CHECKED, 1)]:
        planes = load_picture(path)[0]
        filled += (planes > 127).sum((1, 2)) if len(planes) == 3 else 0
    if filled.max() > filled[LUNGS]:
        raise InputError(
            f"masks: the channel with the lungs (blue) fills less than another ({', '.join(map(str, filled))} pixels"
            " of red, green, blue); get the release's own pictures, which have not been converted."
        )


KONYA_CT = Recipe(
    name="konya_ct",
    description="Axial chest CT slices of patients with pulmonary fibrosis, with lung masks",
    modality="CT (windowed 8-bit pictures)",
    target="lungs",
    prompts=("lungs in a chest CT",),
    licence="NOT STATED on the page of the slices; the scans are OSIC's, under the rules of its competition",
    reference="Konya 2020, CT Lung & Heart & Trachea segmentation; OSIC Pulmonary Fibrosis Progression",
    where="https://www.kaggle.com/datasets/polomarco/chest-ct-segmentation",
    layout="images/ with ID…_0.jpg and masks/ with ID…_mask_0.jpg",
    patients="OSIC patient id",
    cases=cases,
    official={"the release": 12769},
    sizes={"the release": {"training": 7959, "validation": 3010, "test": 1800}},
    remarks="Sizes of MedCLIP-SAMv2, whose own split is not published; whole patients go into a list.",
)
