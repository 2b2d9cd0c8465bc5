"""Read one NIfTI file with the geometry its mask will need."""

from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError

from monai_ext.errors import InputError
from monai_ext.io.nifti_forms import stated_affine
from monai_ext.io.volumes import (
    MAX_SIDE,
    MAX_VOXELS,
    check_channels,
    check_size,
    file_affine,
    grey_or_colour,
    volume_meta,
)
from monai_ext.logs import suppress_logs

PRIVATE = ("data_type", "db_name", "descrip", "aux_file", "intent_name")  # free text: can name a patient
KINDS = {348: nib.Nifti1Image, 540: nib.Nifti2Image}
"""Class by the header's size in bytes, which is its first number."""
DEFLATE = 1032
"""No gzip file holds more than this times its own size."""
UNITS = {1: ("metres", 1e3), 3: ("micrometres", 1e-3)}
"""Name and millimetres of NIfTI's units of length; 2 and 0 (unknown) are taken for millimetres."""


@suppress_logs("nibabel")  # which prints on standard error what it mends in a header
def load_nifti(
    path: Path,
    label: bool = False,
    channels: Sequence[int] | None = None,
    max_voxels: int = MAX_VOXELS,
    max_side: int = MAX_SIDE,
) -> tuple[np.ndarray, dict[str, Any]]:
    """(C, X, Y, Z) of a NIfTI file in its own order, scaled as its header says, with its ``meta``.

    An image of two dimensions gets Z = 1. C is 1; or 3 for RGB24, with ``bits`` = 8, as in a picture; or the number
    of `channels`, the volumes chosen from a 4D file, counted from 0. ``nifti_header`` is that of a 2D or 3D file.
    The codes of sform and qform say which of them is the affine, see :func:`monai_ext.io.nifti_forms.stated_affine`.

    Raises:
        InputError: the file is damaged or cut; it has four dimensions and no `channels` are given; it has five; its
            values are complex or RGBA; its affine is singular, not finite or of no patient; it has more than
            `max_voxels` values (all volumes together) or an axis above `max_side`.
    """
    volume, stated = _open(path, max_voxels, max_side)
    chosen = _chosen(path.name, volume.shape, channels)
    planes = _planes(path.name, volume, chosen, label)
    header = volume.header.copy()
    affine, notes = stated_affine(header, stated["pixdim"][1:4].astype(np.float64))
    notes += [
        f"{code} {stated[code]} is none of NIfTI's, so that this form was not used"
        for code in ("sform_code", "qform_code")
        if stated[code] != header[code]
    ]
    unit, millimetres = UNITS.get(int(header["xyzt_units"]) % 8, ("mm", 1.0))
    if unit != "mm":
        notes.append(f"the header counts in {unit}, which were turned to millimetres")
    affine = file_affine(path.name, affine * np.array([[millimetres]] * 3 + [[1.0]]))
    if chosen:
        header.set_data_shape(planes.shape[1:])
    for field in PRIVATE:
        if field in header:
            header[field] = b""
    block = np.frombuffer(header.as_byteswapped("<").binaryblock, dtype=np.uint8).copy()
    meta = volume_meta(affine, "nifti", bits=8 if volume.get_data_dtype().fields else 0)
    return planes, {**meta, "nifti_header": block, "warnings": notes}


def _open(path: Path, max_voxels: int, max_side: int) -> tuple[nib.Nifti1Image, nib.Nifti1Header]:
    """The volume, whose header nibabel mends, and the header as it stands in the file.

    A compressed file is inflated here, by no byte more than the header announces; a plain one is mapped.
    """
    compressed = path.name.lower().endswith(".gz")
    size = path.stat().st_size
    try:
        with gzip.open(path) if compressed else path.open("rb") as stream:
            head = stream.read(max(KINDS))
            sizes = (int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big"))
            kind = next((kind for number, kind in KINDS.items() if number in sizes), None)
            if kind is None:
                raise ImageFileError("no NIfTI header")
            block = head[: kind.header_class.template_dtype.itemsize]
            header = kind.header_class(block)
            stated = kind.header_class(block, check=False)
            check_size(path.name, header.get_data_shape(), max_voxels, max_side)
            voxels = math.prod(int(n) for n in header.get_data_shape())
            announced = header.get_data_offset() + voxels * header.get_data_dtype().itemsize
            if announced > size * (DEFLATE if compressed else 1):
                raise EOFError
            stream.seek(0)
            # one byte more than there should be: at the stream's end gzip compares its checksum
            content = stream.read(announced + 1) if compressed else b""
        held = len(content) if compressed else size
        if held < announced:
            raise EOFError
        if held > announced:
            raise InputError(f"{path.name}: more data in it than its header announces; export it again.")
        volume = kind.from_bytes(content) if compressed else kind.from_filename(path)
    except (InputError, MemoryError):
        raise
    except EOFError as error:
        raise InputError(
            f"{path.name}: less data in it than its header announces; export it again."
        ) from error
    except Exception as error:  # nibabel answers damage with ValueError, HeaderDataError, OverflowError, …
        raise InputError(
            f"{path.name}: not a readable NIfTI file ({type(error).__name__}); export it again."
        ) from error
    return volume, stated


def _chosen(name: str, shape: Sequence[int], channels: Sequence[int] | None) -> Sequence[int]:
    """The numbers of the volumes on the fourth axis that are read; empty for a file of one volume."""
    if any(size != 1 for size in shape[4:]):
        raise InputError(f"{name}: {len(shape)}D NIfTI {tuple(shape)}; give files of three dimensions.")
    count = shape[3] if len(shape) > 3 else 1
    if channels is not None:
        check_channels(name, count, channels)
    elif count > 1:
        raise InputError(
            f"{name}: {count} volumes in one file; choose one or three with channels, such as [0] or [0, 1, 2],"
            " counted from 0; a label map has one."
        )
    return () if channels is None or count == 1 else channels


def _planes(name: str, volume: nib.Nifti1Image, chosen: Sequence[int], label: bool) -> np.ndarray:
    """(C, X, Y, Z) values of the `chosen` volumes, or of the only one."""
    dtype = volume.get_data_dtype()
    colour = dtype.fields is not None
    if dtype.kind == "c" or (colour and (label or chosen or len(dtype.fields) != 3)):
        raise InputError(
            f"{name}: {'colour' if colour else 'complex'} NIfTI of this kind is not read;"
            " save one number per voxel."
        )
    shape = (*volume.shape, 1)[:3]
    if chosen:
        return np.stack([np.asanyarray(volume.dataobj[:, :, :, i]).reshape(shape) for i in chosen])
    array = np.asanyarray(volume.dataobj).reshape(shape)
    if colour:
        return grey_or_colour(np.stack([array[field] for field in "RGB"]))
    return array[None]
