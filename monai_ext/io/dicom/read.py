"""Read one DICOM series as a volume: from a folder with sub-folders, a zip archive of them, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.io.dicom.archive import unpacked
from monai_ext.io.dicom.colours import colour_picture, is_colour
from monai_ext.io.dicom.pixels import series_volume
from monai_ext.io.dicom.series import Series, read_series
from monai_ext.io.volumes import MAX_SIDE, MAX_VOXELS, check_size, file_affine, volume_meta


def load_dicom(
    path: Path, series: str = "", max_voxels: int = MAX_VOXELS, max_side: int = MAX_SIDE
) -> tuple[np.ndarray, dict[str, Any]]:
    """(1, X, Y, Z) float32 of one DICOM series, rescaled (CT: HU; PET: each slice by its own), with its ``meta``.

    A picture in colour comes as (3, X, Y, 1) with ``bits`` = 8, see :mod:`monai_ext.io.dicom.colours`.

    X runs along the rows of a slice, Y along its columns, Z along the normal. Nothing is resampled. ``source``
    is `series`, with which :func:`monai_ext.io.dicom.series.read_series` finds the same slices in the same order.

    Args:
        path: folder, searched with its sub-folders; ``.zip`` of one; or a single file.
        series: the SeriesNumber, or the start of the SeriesInstanceUID, where there are several.
        max_voxels, max_side: of the largest series that is read, and of its longest axis.

    Raises:
        InputError: as :func:`monai_ext.io.dicom.series.read_series`; the pixels are damaged, or more than
            `max_voxels`; the affine is of no patient.
    """
    with unpacked(path) as folder:
        array, meta = load_series(path.name, read_series(folder, series, path.name), max_voxels, max_side)
    return array, {**meta, "source": series}


def load_series(
    name: str, series: Series, max_voxels: int = MAX_VOXELS, max_side: int = MAX_SIDE
) -> tuple[np.ndarray, dict[str, Any]]:
    """As :func:`load_dicom`, of a series whose planes are known; ``source`` is empty.

    Args:
        name: what errors call it.
    """
    first = series.planes[0]
    colour = is_colour(first)
    values = max_voxels // 3 if colour else max_voxels
    check_size(name, (first.columns, first.rows, len(series.planes)), values, max_side)
    affine = file_affine(name, series.affine)
    return colour_picture(first) if colour else series_volume(series.planes)[None], {
        **volume_meta(affine, "dicom", series.modality, bits=8 if colour else 0),
        "slice_normal": np.cross(affine[:3, 0], affine[:3, 1])
        / np.prod(np.linalg.norm(affine[:3, :2], axis=0)),
        "warnings": list(series.warnings),
    }
