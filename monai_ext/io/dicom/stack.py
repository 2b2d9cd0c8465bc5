"""Check that the planes of a DICOM series form one straight, even stack, and compute where that stack lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monai_ext.errors import InputError, quoted_name
from monai_ext.io.dicom.colours import is_colour
from monai_ext.io.dicom.copies import SAME, check_owners, without_copies
from monai_ext.io.dicom.headers import PROJECTIONS, Plane
from monai_ext.io.volumes import MAX_SIDE

EVEN, NEARLY = 0.01, 0.1
"""Slice distances within 1 % of their median are even; up to 10 % off they are read with a warning."""


def stack(name: str, planes: Sequence[Plane]) -> tuple[list[Plane], np.ndarray, list[str]]:
    """Planes of one series ordered along their normal, their affine, and what is doubtful about them.

    Args:
        name: of what was given, for errors.
        planes: at least one; all are slices.

    Returns:
        planes, first to last; (4, 4) affine, from indices (column, row, plane) to RAS mm; warnings.

    Raises:
        InputError: the planes are no even stack of equal, parallel grey images, with the reason.
    """
    for plane in planes:
        _check_plane(plane)
    if len(planes) > 1 and any(map(is_colour, planes)):
        raise InputError(f"{name}: {len(planes)} pictures in colour are no volume; give them one by one.")
    check_owners(name, planes)
    planes, notes = without_copies(name, planes)
    if len({(p.columns, p.rows) for p in planes}) > 1:
        sizes = ", ".join(f"{w} × {h}" for w, h in sorted({(p.columns, p.rows) for p in planes}))
        raise InputError(f"{name}: slices of different sizes ({sizes}); give one folder per stack of slices.")
    if len(planes) == 1:
        return (planes, *_affine_of_one(planes[0], notes))
    lacking = next((p for p in planes if None in (p.position, p.orientation, p.spacing)), None)
    if lacking:
        raise InputError(
            f"{lacking.file.name}: no position, orientation or pixel spacing, so {len(planes)} images cannot be"
            " stacked; give single pictures one by one."
        )
    rows, columns = _in_plane(name, planes)
    normal = np.cross(rows, columns)
    planes = sorted(planes, key=lambda p: float(np.dot(p.position or 0, normal)))
    positions = np.array([p.position for p in planes])
    notes += _check_distances(name, planes, positions @ normal)
    step = _step(name, planes, positions, normal)
    return planes, _affine(planes[0], rows, columns, step), notes


def _check_plane(plane: Plane) -> None:
    where = plane.file.name
    if plane.frames > 1 and plane.modality in ("SM", "GM") and plane.position is None:
        raise InputError(
            f"{where}: a whole slide in {plane.frames} tiles is not read; export the field to be segmented as one picture."
        )
    if plane.frames > 1 and plane.position is None:
        raise InputError(
            f"{where}: multi-frame DICOM ({plane.frames} frames) without a position per frame, a film or an old"
            " format; export it as single slices or pictures."
        )
    grey = plane.photometric == "MONOCHROME2"
    # The grey values of an X-ray picture may be turned round; those of CT or PET are numbers with a unit.
    inverted = plane.photometric == "MONOCHROME1" and plane.modality in PROJECTIONS
    if not (grey or inverted or is_colour(plane)):
        raise InputError(
            f"{where}: only MONOCHROME2 DICOM is read (and MONOCHROME1 of X-ray pictures, colours of photographs and"
            f" ultrasound), this is {_known(plane.photometric)}; convert it to PNG."
        )
    if min(plane.rows, plane.columns) < 2:
        raise InputError(f"{where}: {plane.columns} × {plane.rows} pixels are no image.")
    if max(plane.rows, plane.columns) > MAX_SIDE:
        raise InputError(f"{where}: {plane.columns} × {plane.rows} pixels, the limit is {MAX_SIDE}; crop it.")
    if plane.slope == 0:
        raise InputError(f"{where}: RescaleSlope is 0, which leaves no image; export it again.")
    if plane.spacing and min(plane.spacing[:2]) <= 0:
        raise InputError(f"{where}: {plane.spacing[2]} is not positive; repair it.")
    if plane.orientation:
        row, column = np.reshape(plane.orientation, (2, 3))
        if np.abs([row @ row - 1, column @ column - 1, row @ column]).max() > 0.01:
            raise InputError(
                f"{where}: ImageOrientationPatient holds no two perpendicular directions; repair it."
            )


def _known(photometric: str) -> str:
    base = photometric.split(" with ")[0]
    common = (
        "MONOCHROME1",
        "MONOCHROME2",
        "RGB",
        "PALETTE COLOR",
        "YBR_FULL",
        "YBR_FULL_422",
        "YBR_RCT",
        "YBR_ICT",
    )
    return photometric if base in common else "an unknown kind"


def _affine_of_one(plane: Plane, notes: list[str]) -> tuple[np.ndarray, list[str]]:
    """Affine of a single image: without a position it lies at the origin, upright as stored."""
    if plane.spacing is None:
        notes = [*notes, "no pixel spacing in the DICOM file: 1 mm is assumed, sizes in mm are not right"]
        plane = replace(plane, spacing=(1.0, 1.0, ""))
    elif plane.spacing[2] != "PixelSpacing":
        notes = [
            *notes,
            f"pixel spacing is that of the detector ({plane.spacing[2]}): sizes in mm are too large",
        ]
    rows, columns = np.reshape(plane.orientation or (1, 0, 0, 0, 1, 0), (2, 3))
    thickness = plane.thickness if plane.thickness and plane.thickness > 0 else 1.0
    return _affine(plane, rows, columns, np.cross(rows, columns) * thickness), notes


def _in_plane(name: str, planes: Sequence[Plane]) -> np.ndarray:
    """(2, 3) directions along a row and along a column, equal in all planes."""
    directions = np.array([p.orientation for p in planes])
    if np.abs(directions - directions[0]).max() > 1e-3:
        raise InputError(f"{name}: slices of different orientations; give one folder per stack of slices.")
    spacing = np.array([p.spacing[:2] for p in planes if p.spacing])
    if np.abs(spacing / spacing[0] - 1).max() > 1e-3:
        raise InputError(f"{name}: slices of different pixel spacing; give one folder per stack of slices.")
    return directions[0].reshape(2, 3)


def _check_distances(name: str, planes: Sequence[Plane], depth: np.ndarray) -> list[str]:
    """Warnings about slice distances.

    A mask has one slice distance. Where slices are missing, all behind the gap would lie at a wrong position, and
    volumes would be wrong by a slice each: dicom2nifti (TotalSegmentator) stops there too, dcm2niix interpolates.
    Small unevenness, mostly of rounded positions, moves no slice by more than a fraction of that distance.
    """
    gaps = np.diff(depth)
    if gaps.min() < SAME:
        first = int(gaps.argmin())
        raise InputError(
            f"{name}: {quoted_name(planes[first].file)} and {quoted_name(planes[first + 1].file)} lie side by side in"
            " one plane; give one folder per stack of slices."
        )
    distances = f"slice distances vary from {gaps.min():.2f} to {gaps.max():.2f} mm"
    counts = np.round(gaps / gaps.min())
    skips = counts > 1
    if 0 < skips.mean() <= 0.5 and np.abs(gaps / gaps.min() - counts).max() < 0.25:
        missing, gap = int((counts - 1).sum()), int(skips.argmax())
        raise InputError(
            f"{name}: {'a slice is' if missing == 1 else f'{missing} slices are'} missing"
            f"{', first' if skips.sum() > 1 else ''} between {quoted_name(planes[gap].file)} and"
            f" {quoted_name(planes[gap + 1].file)} ({gaps[gap]:.2f} mm apart, others {np.median(gaps[~skips]):.2f} mm);"
            " complete the series."
        )
    off = float(np.abs(gaps / np.median(gaps) - 1).max())
    if off > NEARLY:
        raise InputError(f"{name}: {distances}; resample the series to equal distances first.")
    return [f"{distances}, their mean is used"] if off > EVEN + 1e-6 else []


def _step(name: str, planes: Sequence[Plane], positions: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """(3,) mm from one plane to the next, along the normal."""
    distance = positions[-1] - positions[0]
    depth = (positions - positions[0]) @ normal
    aside = np.linalg.norm(positions - positions[0] - np.outer(depth, normal), axis=1)
    if aside[-1] > 0.01 * depth[-1]:
        raise InputError(f"{name}: the slices are stacked aslant (gantry tilt); resample the series first.")
    # beyond the tilt that is allowed a slice may lie beside the others by half a pixel
    beside = aside - 0.01 * depth
    if beside.max() > 0.5 * min((planes[0].spacing or (1, 1))[:2]):
        raise InputError(
            f"{name}: {quoted_name(planes[int(beside.argmax())].file)} lies {aside[beside.argmax()]:.2f} mm beside the"
            " other slices; resample the series first."
        )
    return distance / (len(planes) - 1)


def _affine(first: Plane, rows: np.ndarray, columns: np.ndarray, step: np.ndarray) -> np.ndarray:
    """(4, 4): column index, row index and plane number to RAS mm; DICOM is LPS."""
    assert first.spacing is not None
    affine = np.eye(4)
    # PixelSpacing is the distance of rows, then of columns; its first direction runs along a row.
    affine[:3, :3] = np.stack([rows * first.spacing[1], columns * first.spacing[0], step], axis=1)
    affine[:3, 3] = first.position or (0, 0, 0)
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
