"""Read the regions of a DICOM RTSTRUCT as masks on the grid of the series that they were drawn on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.errors import InputError
from monai_ext.io.dicom.annotations import read_object
from monai_ext.io.dicom.series import Series

OFF = 0.3
"""Parts of the slice distance by which a contour may lie beside the slice it was drawn on."""


def read_contours(file: Path, series: Series) -> Iterator[tuple[str, np.ndarray]]:
    """Each region's name and its (X, Y, Z) bool mask, axes as :func:`monai_ext.io.dicom.read.load_dicom` gives them.

    Closed contours of one slice are filled by the even-odd rule, so that one within another is a hole. A pixel belongs
    to a contour that its centre lies in. Points and open lines have no area: a region of nothing else is left out.

    Raises:
        InputError: the file is damaged, or a contour lies on no slice of the series.
    """
    dataset = read_object(file)
    try:
        names = {
            int(roi.ROINumber): str(roi.get("ROIName") or "").strip() or f"region {roi.ROINumber}"
            for roi in dataset.StructureSetROISequence
        }
        regions = [
            (names[int(roi.ReferencedROINumber)], list(_closed(roi))) for roi in dataset.ROIContourSequence
        ]
    except (AttributeError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{file.name}: not a whole RTSTRUCT ({type(error).__name__}); copy it again."
        ) from error
    for name, contours in regions:
        if contours:
            yield name, _filled(file.name, contours, series)


def _closed(roi: Any) -> Iterator[np.ndarray]:
    """(N, 3) corners in LPS mm of each closed contour of a region."""
    for contour in roi.get("ContourSequence") or ():
        numbers = contour.ContourData
        if isinstance(
            numbers, bytes
        ):  # of more than 64 kB, whose kind explicit transfer syntaxes cannot state
            numbers = numbers.decode("ascii").rstrip(" \0").split("\\")
        corners = np.reshape(np.asarray(numbers, dtype=np.float64), (-1, 3))
        if str(contour.ContourGeometricType).startswith("CLOSED") and len(corners) > 2:
            yield corners


def _filled(name: str, contours: Sequence[np.ndarray], series: Series) -> np.ndarray:
    """(X, Y, Z) bool of the contours of one region."""
    first = series.planes[0]
    mask = np.zeros((first.columns, first.rows, len(series.planes)), bool)
    to_voxel = np.linalg.inv(series.affine) @ np.diag([-1.0, -1.0, 1.0, 1.0])
    for corners in contours:
        places = corners @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        plane = round(float(places[:, 2].mean()))
        if np.abs(places[:, 2] - plane).max() > OFF:
            raise InputError(f"{name}: a contour lies between the slices of its series.")
        if not 0 <= plane < mask.shape[2]:
            raise InputError(f"{name}: it reaches beyond the slices of its series that are there.")
        mask[:, :, plane] ^= even_odd(mask.shape[:2], places[:, :2])
    return mask


def even_odd(shape: tuple[int, int], corners: np.ndarray) -> np.ndarray:
    """(X, Y) bool: the pixels whose centres lie in a closed polygon, by the even-odd rule.

    Of centres on an edge those at its lower coordinates count, so that polygons side by side share no pixel.

    Args:
        shape: X and Y.
        corners: (N, 2) in pixels, of which centres have whole coordinates; also beyond the shape.
    """
    crossings = np.zeros((shape[0], shape[1] + 1), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        low, high = np.clip(np.ceil(sorted((x0, x1))), 0, shape[0]).astype(int)
        columns = np.arange(low, high)  # of which the edge crosses the line of centres
        if columns.size:
            at = y0 + (columns - x0) * (y1 - y0) / (x1 - x0)
            crossings[columns, np.clip(np.ceil(at), 0, shape[1]).astype(int)] ^= True
    return np.logical_xor.accumulate(crossings, axis=1)[:, :-1]
