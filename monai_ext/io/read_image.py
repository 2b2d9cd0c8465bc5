"""Read an image of any format as an array, channel first, with the geometry its mask will need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from monai_ext.errors import InputError, quoted_name
from monai_ext.io.datalists import DICOM, ITK, NIFTI, PICTURES, READABLE, is_folder
from monai_ext.io.dicom.files import is_dicom
from monai_ext.io.dicom.read import load_dicom
from monai_ext.io.read_itk import load_itk
from monai_ext.io.read_nifti import load_nifti
from monai_ext.io.read_picture import load_picture
from monai_ext.io.volumes import MAX_SIDE, MAX_VOXELS, check_channels, nearly_whole


def load_image(
    paths: Sequence[Path],
    label: bool = False,
    dtype: DTypeLike | None = np.float32,
    channels: Sequence[int] | None = None,
    max_voxels: int = MAX_VOXELS,
    max_side: int = MAX_SIDE,
    series: str = "",
) -> tuple[np.ndarray, dict[str, Any]]:
    """One file or DICOM folder, or several of equal geometry stacked as channels.

    Pictures (PNG, JPEG, TIFF, BMP) come upright as (C, H, W), row 0 on top, with EXIF orientation applied,
    C = 1 or 3 and the identity as affine. Volumes (NIfTI, MHA, MHD, NRRD, DICOM) come as (C, X, Y, Z) in the
    order of the file with their affine in RAS, millimetres; a 2D volume has Z = 1. CT from DICOM is in HU.
    Nothing is resampled or reoriented.

    Args:
        paths: at least one.
        label: the files are label maps: one channel, palette indices instead of palette colours; numbers that
            are nearly whole are rounded, since a file may scale them by nearly 1.
        dtype: of the array; None keeps the reader's. float32 holds every label up to 2^24 exactly.
        channels: numbers of the sequences that become the channels, counted from 0: the files where several are
            given, else the volumes of a 4D NIfTI file. None takes all files, and refuses a 4D file with more than
            one volume.
        max_voxels, max_side: largest number of values, and of voxels along one axis, that a file may announce;
            they are compared before anything is allocated.
        series: which series of a DICOM folder, as :func:`monai_ext.io.dicom.read.load_dicom` takes it.

    Returns:
        the array, which may share the file's read-only memory; and ``meta``, which names no patient: ``affine``
        (4, 4), ``kind`` ("picture", "nifti", "itk", "dicom"), ``modality`` (DICOM's, such as "CT", or ""), ``bits``
        (per channel of a picture, 8 of a volume in colour, else 0), ``spacing`` (mm), ``slice_normal`` ((3,)
        RAS, across the slices that a DICOM series states, else zeros), ``nifti_header`` (uint8, the
        geometry of a NIfTI file), ``source`` (what else the writer of a mask in kind needs, a text) and ``warnings``
        (a list of sentences).

    Raises:
        InputError: a file is missing, damaged, too large or of another format; files differ in shape, position or
            bits; sequences are asked for that are not there; a folder holds several DICOM series.
    """
    if len(paths) == 1:
        array, meta = _load(paths[0], label, channels, max_voxels, max_side, series)
    else:
        if channels is not None:
            check_channels(paths[0].name, len(paths), channels)
            paths = [paths[channel] for channel in channels]
        loaded = [_load(path, label, None, max_voxels, max_side, series) for path in paths]
        array, meta = _stacked(paths, loaded)
    if label:
        array = nearly_whole(array)
    with np.errstate(over="ignore"):
        return np.asarray(array, dtype=dtype), meta  # in the file's own order: turning it costs seconds


def _stacked(
    paths: Sequence[Path], loaded: Sequence[tuple[np.ndarray, dict[str, Any]]]
) -> tuple[np.ndarray, dict[str, Any]]:
    """What several files hold, stacked as channels, with the ``meta`` of the first of them."""
    array, meta = loaded[0]
    for path, (other, other_meta) in zip(paths[1:], loaded[1:], strict=True):
        same_position = np.allclose(other_meta["affine"], meta["affine"], atol=1e-3)
        if other.shape[1:] != array.shape[1:] or not same_position:
            raise InputError(
                f"{path.name}: not of the shape and position of {quoted_name(paths[0])}; register them first."
            )
        if other_meta["bits"] != meta["bits"]:
            raise InputError(f"{path.name}: not of as many bits as {quoted_name(paths[0])}; save them alike.")
    notes = [note for _, other_meta in loaded for note in other_meta["warnings"]]
    return np.concatenate([planes for planes, _ in loaded]), {**meta, "warnings": notes}


def _load(
    path: Path, label: bool, channels: Sequence[int] | None, max_voxels: int, max_side: int, series: str
) -> tuple[np.ndarray, dict[str, Any]]:
    """(C, ...) array and the ``meta`` of one file or DICOM folder, by the reader of its format."""
    name = path.name.lower()
    folder = is_folder(path)
    try:
        if name.endswith(NIFTI) and not folder:
            return load_nifti(path, label, channels, max_voxels, max_side)
        if channels is not None:
            check_channels(path.name, 1, channels)
        if folder or name.endswith(DICOM):
            return load_dicom(path, series, max_voxels, max_side)
        if name.endswith(PICTURES):
            return load_picture(path, label, max_voxels, max_side)
        if name.endswith(ITK):
            return load_itk(path, label, max_voxels, max_side)
        if is_dicom(path):  # archives of images name a file by a number or a UID
            return load_dicom(path, series, max_voxels, max_side)
    except MemoryError as error:
        raise InputError(f"{path.name}: more than the memory holds; crop it.") from error
    raise InputError(f"{path.name}: not a format that is read; give {READABLE}.")
