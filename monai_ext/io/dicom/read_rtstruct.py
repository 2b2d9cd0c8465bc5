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
        if str(contour.ContourGeometricType).startswith("CLOSED") and len(contour.ContourData) >= 9:
            yield np.reshape(np.asarray(contour.ContourData, dtype=np.float64), (-1, 3))


def _filled(name: str, contours: Sequence[np.ndarray], series: Series) -> np.ndarray:
    from skimage.draw import polygon2mask

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
        low = np.clip(np.floor(places[:, :2].min(0)).astype(int), 0, mask.shape[:2])
        high = np.clip(np.ceil(places[:, :2].max(0)).astype(int) + 1, 0, mask.shape[:2])
        part = mask[low[0] : high[0], low[1] : high[1], plane]  # the box around it: a view
        part ^= polygon2mask(part.shape, places[:, :2] - low)
    return mask
