"""Read one MetaImage (.mha, .mhd) or NRRD file with the geometry its mask will need."""

from __future__ import annotations

import json
import os
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from monai.data.image_reader import ITKReader
from monai.data.utils import to_affine_nd

from monai_ext.errors import InputError
from monai_ext.io.volumes import MAX_SIDE, MAX_VOXELS, check_size, file_affine, grey_or_colour, volume_meta

HEADER = 1 << 20
"""Bytes within which the text before the voxels ends."""
TEXT_END = {"=": re.compile(rb"^ElementDataFile[^\n]*\n?", re.MULTILINE), ":": re.compile(rb"\r?\n\r?\n")}
"""What ends the text of a MetaImage (key = value) and of a NRRD file (key: value)."""
BLOCK = 1 << 20
SPACE = ("space", "space dimension", "space directions", "space origin")
"""What a NRRD file says of its geometry."""


def load_itk(
    path: Path, label: bool = False, max_voxels: int = MAX_VOXELS, max_side: int = MAX_SIDE
) -> tuple[np.ndarray, dict[str, Any]]:
    """(C, X, Y, Z) float32 of a MetaImage or NRRD file in its own order, with its ``meta``.

    The affine is turned from ITK's LPS to RAS. 2D gets Z = 1. C is 1, or 3 for RGB of 8 bits, with
    ``bits`` = 8, as a picture. The voxels are in the file, or in one beside it, raw or compressed by zlib.
    ``source`` is JSON: spacing, origin and direction (by rows) as ITK reads them, and the lines of a NRRD
    file that say so.

    Raises:
        InputError: damaged or cut file; voxels elsewhere or written as text; other than two or three
            dimensions; several numbers a voxel that are no RGB; an affine that is singular, not finite or of
            no patient; more than `max_voxels` values; an axis above `max_side`.
    """
    import itk

    nrrd = path.name.lower().endswith(".nrrd")
    fields, text_bytes = _text(path, ":" if nrrd else "=")
    try:
        image_io = (itk.NrrdImageIO if nrrd else itk.MetaImageIO).New()
        image_io.SetFileName(str(path))
        image_io.ReadImageInformation()
        dimensions = image_io.GetNumberOfDimensions()
        components = image_io.GetNumberOfComponents()
        sizes = [int(image_io.GetDimensions(axis)) for axis in range(dimensions)]
        if dimensions not in (2, 3):
            raise InputError(f"{path.name}: {dimensions} dimensions; give files of two or three.")
        check_size(path.name, sizes if components == 1 else [*sizes, components], max_voxels, max_side)
        colour = components == 3 and image_io.GetComponentType() == itk.CommonEnums.IOComponent_UCHAR
        if components != 1 and (label or not colour):
            raise InputError(
                f"{path.name}: {components} numbers a voxel; save each sequence as a file of its own."
            )
        _check_voxels(path, fields, text_bytes, int(image_io.GetImageSizeInBytes()))
        # 2D and 3D in one way, scalar and colour too: a pixel is a vector
        pixels = itk.VectorImage[itk.F, dimensions]
        reader = itk.ImageFileReader[pixels].New(FileName=str(path), ImageIO=image_io)
        reader.Update()
        image = reader.GetOutput()
        image.SetMetaDataDictionary(itk.MetaDataDictionary())  # free text: can name a patient
        affine = to_affine_nd(3, ITKReader().get_data(image)[1]["affine"])
        source = {
            "spacing": list(image.GetSpacing()),
            "origin": list(image.GetOrigin()),
            "direction": itk.array_from_matrix(image.GetDirection()).ravel().tolist(),
            "lines": _space(fields) if nrrd else [],
        }
        stored = itk.array_from_image(image).reshape(*sizes[::-1], components)  # (Z, Y, X, C) or (Y, X, C)
    except (RuntimeError, zlib.error) as error:
        raise InputError(f"{path.name}: not a whole MetaImage or NRRD file; export it again.") from error
    planes = stored.T.reshape(components, *sizes, *[1] * (3 - dimensions))
    meta = volume_meta(file_affine(path.name, affine), "itk", bits=8 if colour else 0)
    return grey_or_colour(planes), {**meta, "source": json.dumps(source), "warnings": []}


def _text(path: Path, sign: str) -> tuple[dict[str, str], int]:
    """The fields of the text before the voxels, keys in small letters, and its length in bytes."""
    with path.open("rb") as stream:
        text = stream.read(HEADER)
    end = TEXT_END[sign].search(text)
    length = end.end() if end else len(text)
    lines = [os.fsdecode(line).partition(sign) for line in text[:length].splitlines()]
    fields = {key.strip().lower(): value.strip() for key, _, value in lines}
    dimensions = fields.get("dimension", fields.get("ndims", ""))
    if not dimensions.isdecimal():
        raise InputError(f"{path.name}: not a MetaImage or NRRD file; export it again.")
    if dimensions not in ("2", "3", "4"):  # 4: of NRRD, one may be the colour
        raise InputError(f"{path.name}: {dimensions[:9]} dimensions; give files of two or three.")
    return fields, length


def _voxels_in(fields: dict[str, str]) -> str:
    """Name of the file that holds the voxels; "" if they follow the text."""
    name = fields.get("elementdatafile") or fields.get("data file") or fields.get("datafile") or ""
    return "" if name.upper() == "LOCAL" else name


def voxel_file(path: Path) -> Path:
    """The file beside `path` that holds its voxels, or `path` itself: of MetaImage and NRRD, for any file."""
    if not path.name.lower().endswith((".mha", ".mhd", ".nrrd")):
        return path
    try:
        name = _voxels_in(_text(path, ":" if path.name.lower().endswith(".nrrd") else "=")[0])
    except InputError:  # reading it says what is wrong
        return path
    beside = path.parent / name
    return beside if name and Path(name).name == name and beside.is_file() else path


def _space(fields: dict[str, str]) -> list[str]:
    """The lines of a NRRD file that place its axes, without that of the colours; none if it has none."""
    if "space directions" not in fields:
        return []
    vectors = " ".join(re.findall(r"\([^)]*\)", fields["space directions"]))
    placed = {**fields, "space directions": vectors}
    return [f"{name}: {placed[name]}" for name in SPACE if name in placed]


def _check_voxels(path: Path, fields: dict[str, str], text_bytes: int, announced: int) -> None:
    """Refuse voxels that are not as many bytes as announced: ITK fills them up, or reads on in disorder."""
    encoding = fields.get("encoding", "raw").lower()
    if encoding not in ("raw", "gz", "gzip") or fields.get("binarydata", "True").lower() != "true":
        raise InputError(f"{path.name}: voxels as text or bzip2 are not read; save them raw or by zlib.")
    name = _voxels_in(fields)
    data, start = path, text_bytes
    if name:
        # ITK would go wherever the text says, and wait there
        if Path(name).name != name or not (path.parent / name).is_file():
            raise InputError(f"{path.name}: its voxels are not in one file beside it; put them there.")
        data, start = path.parent / name, 0
    if encoding != "raw" or fields.get("compresseddata", "").lower() == "true":
        held = _inflated(data, start, announced)
    elif {"headersize", "byte skip", "line skip", "byteskip", "lineskip"} & set(fields):
        return  # ITK knows where they begin, and refuses too few
    else:
        held = data.stat().st_size - start
    if held != announced:
        raise InputError(
            f"{path.name}: {'less' if held < announced else 'more'} data than its header announces;"
            " export it again."
        )


def _inflated(path: Path, start: int, most: int) -> int:
    """Bytes in the zlib or gzip stream from `start`, whose checksum is right; it is left beyond `most`."""
    stream = zlib.decompressobj(wbits=47)  # either header
    held = 0
    with path.open("rb") as file:
        file.seek(start)
        while not stream.eof and held <= most:
            block = stream.unconsumed_tail or file.read(BLOCK)
            if not block:
                raise zlib.error("the stream ends early")
            held += len(stream.decompress(block, BLOCK))
    return held
