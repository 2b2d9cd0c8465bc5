"""Read the segments of a DICOM SEG on the grid of the series that it was drawn on, by highdicom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.errors import InputError
from monai_ext.io.dicom.series import Series
from monai_ext.logs import suppress_logs

OFF = 0.1
"""Parts of a voxel by which the grid of a SEG may be off that of its series."""


def read_segments(file: Path, series: Series) -> Iterator[tuple[str, np.ndarray]]:
    """Each segment's label and its (X, Y, Z) bool mask, axes as :func:`monai_ext.io.dicom.read.load_dicom` gives them.

    Flipped, cropped and permuted grids are put in place exactly. Of fractions at least one half counts.

    Raises:
        InputError: the file is no SEG that highdicom reads, or lies on other voxels than the series.
    """
    import highdicom as hd

    try:
        with suppress_logs("pydicom", "highdicom"):
            seg = hd.seg.segread(file)
            numbers = {int(number): _label(seg, number) for number in seg.segment_numbers}
    except Exception as error:  # highdicom answers damage with errors of any kind
        raise InputError(f"{file.name}: not a readable DICOM SEG ({type(error).__name__}).") from error
    for number, label in numbers.items():
        try:
            with suppress_logs("pydicom", "highdicom"):
                volume = seg.get_volume(segment_numbers=[number], combine_segments=False)
        except Exception as error:
            raise InputError(
                f"{file.name}: its segment {number} is no even stack of frames ({type(error).__name__});"
                " convert it to NIfTI."
            ) from error
        yield label, _placed(file.name, np.asarray(volume.array[..., 0]) >= 0.5, volume.affine, series)


def _label(seg: Any, number: int) -> str:
    return str(seg.get_segment_description(number).segment_label).strip() or f"segment {number}"


def _placed(name: str, segment: np.ndarray, affine: np.ndarray, series: Series) -> np.ndarray:
    """(X, Y, Z) bool of a segment with an LPS affine of its own.

    Raises:
        InputError: when a voxel of it is none of the series'.
    """
    first = series.planes[0]
    mask = np.zeros((first.columns, first.rows, len(series.planes)), bool)
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    if len(segment) == 1:  # whose distance to the next one is not known
        ras[:3, 0] = series.affine[:3, 2]
    to_series = np.linalg.inv(series.affine) @ ras
    voxels = np.argwhere(segment) @ to_series[:3, :3].T + to_series[:3, 3]
    turn = np.round(to_series[:3, :3])
    if abs(abs(np.linalg.det(turn)) - 1) > OFF or np.abs(to_series[:3, :3] - turn).max() > OFF:
        raise InputError(f"{name}: its voxels are of another size or direction than those of its series.")
    places = np.round(voxels).astype(int)
    if voxels.size and np.abs(voxels - places).max() > OFF:
        raise InputError(f"{name}: its voxels lie between those of its series.")
    if voxels.size and ((places < 0) | (places >= mask.shape)).any():
        raise InputError(f"{name}: it reaches beyond the slices of its series that are there.")
    mask[tuple(places.T)] = True
    return mask
