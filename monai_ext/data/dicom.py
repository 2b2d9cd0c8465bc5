"""The slices of a DICOM folder: which files form a series, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.errors import InputError

NO_IMAGE = {"SEG", "SR", "PR", "KO", "REG", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE"}
TAGS = [
    "SeriesInstanceUID",
    "SeriesNumber",
    "Modality",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "ImageOrientationPatient",
    "ImagePositionPatient",
]


@dataclass(frozen=True)
class Series:
    """Files of one series, ordered along the slice normal, and what is doubtful about them."""

    files: tuple[Path, ...]
    modality: str
    warnings: tuple[str, ...] = ()


def image_files(folder: Path) -> list[tuple[Path, Any]]:
    """(file, header without pixels) of the DICOM images directly in `folder`, by name.

    Objects that are no images (SEG, SR, …) and files of other formats are left out.
    """
    from pydicom import dcmread
    from pydicom.misc import is_dicom

    found = []
    for file in sorted(folder.iterdir()):
        if file.is_file() and is_dicom(file):
            header = dcmread(file, stop_before_pixels=True, specific_tags=TAGS)
            if "Rows" in header and header.get("Modality", "") not in NO_IMAGE:
                found.append((file, header))
    return found


def read_series(folder: Path) -> Series:
    """The one series in `folder`, its slices ordered by position along the slice normal.

    Raises:
        InputError: when there is no image, more than one series, or a series that is no stack of equal,
            parallel, single-frame grey slices at different positions.
    """
    images = image_files(folder)
    if not images:
        raise InputError(
            f"{folder.name}: no DICOM image in this folder; give the folder that holds the slices."
        )
    groups: dict[str, list[tuple[Path, Any]]] = {}
    for file, header in images:
        groups.setdefault(str(header.get("SeriesInstanceUID", "")), []).append((file, header))
    if len(groups) > 1:
        # numbers and modalities only: descriptions and identifiers can name a patient
        listing = "; ".join(
            f"series {g[0][1].get('SeriesNumber', '?')} ({g[0][1].get('Modality', '?')}, {len(g)} files,"
            f" first {g[0][0].name})"
            for g in groups.values()
        )
        raise InputError(f"{folder.name}: {len(groups)} DICOM series: {listing}; give one folder per series.")
    first = images[0][1]
    for file, header in images:
        if int(header.get("NumberOfFrames", 1) or 1) > 1:
            raise InputError(
                f"{folder.name}/{file.name}: multi-frame DICOM is not read yet; export single slices."
            )
        if (
            int(header.get("SamplesPerPixel", 1)) != 1
            or header.get("PhotometricInterpretation") != "MONOCHROME2"
        ):
            raise InputError(
                f"{folder.name}/{file.name}: only MONOCHROME2 DICOM is read yet, this is"
                f" {header.get('PhotometricInterpretation', 'unknown')}; convert it to PNG."
            )
        if min(header.Rows, header.Columns) < 2:  # ITK would stack the slices along the wrong axis
            raise InputError(f"{folder.name}/{file.name}: a single row of pixels is no image.")
        if (header.Rows, header.Columns) != (first.Rows, first.Columns):
            raise InputError(
                f"{folder.name}: slices of different sizes; give one folder per stack of slices."
            )
    modality = str(first.get("Modality", ""))
    if len(images) == 1:
        return Series((images[0][0],), modality)
    return _ordered(folder, images, modality)


def _ordered(folder: Path, images: list[tuple[Path, Any]], modality: str) -> Series:
    """Several slices ordered by position, with a warning when their distances (mm) vary."""
    lacking = [
        f.name for f, h in images if "ImagePositionPatient" not in h or "ImageOrientationPatient" not in h
    ]
    if lacking:
        raise InputError(
            f"{folder.name}/{lacking[0]}: no slice position or orientation; the stack cannot be ordered."
        )
    directions = np.array([h.ImageOrientationPatient for _, h in images], dtype=float)
    if np.abs(directions - directions[0]).max() > 1e-3:
        raise InputError(
            f"{folder.name}: slices of different orientations; give one folder per stack of slices."
        )
    normal = np.cross(directions[0, :3], directions[0, 3:])
    positions = np.array([h.ImagePositionPatient for _, h in images], dtype=float)
    depth = positions @ normal
    order = np.argsort(depth, kind="stable")
    gaps = np.diff(depth[order])
    if gaps.min() < 1e-3:
        raise InputError(
            f"{folder.name}: two slices at one position; give one folder per time point or echo."
        )
    way = positions[order[-1]] - positions[order[0]]
    if np.linalg.norm(way - (way @ normal) * normal) > 0.01 * np.linalg.norm(way):
        raise InputError(
            f"{folder.name}: the slices are stacked aslant (gantry tilt); resample the series first."
        )
    uneven = gaps.max() - gaps.min() > 0.02 * float(np.median(gaps))
    note = f"slice distances vary from {gaps.min():.2f} to {gaps.max():.2f} mm, a slice may be missing"
    return Series(tuple(images[i][0] for i in order), modality, (note,) if uneven else ())
