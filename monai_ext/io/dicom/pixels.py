"""The pixels of a DICOM series, whatever their compression, as the values they stand for."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from monai_ext.errors import InputError
from monai_ext.io.dicom import gdcm
from monai_ext.io.dicom.headers import Plane
from monai_ext.io.dicom.padding import outside, padded
from monai_ext.logs import suppress_logs

TAGS = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ModalityLUTSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "PixelData",
]
PYDICOM = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
}
"""Transfer syntaxes that pydicom decodes, those of JPEG with pillow."""
GDCM = {
    "1.2.840.10008.1.2.4.51": "JPEG Extended",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless SV1",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-lossless",
}
"""Transfer syntaxes that SimpleITK's GDCM decodes; pydicom would need more packages for them."""
LONGEST = 600
"""Seconds that decoding a series may take: some ten times what a thousand slices take on a busy machine."""
DAMAGED = "(?i)corrupt|premature|invalid|bogus|unsupported|must downscale|error"
"""What GDCM and its decoders print of pixels that they give although they are damaged."""
SOUND = "Unsupported JPEG data precision 12|Invalid SOS parameters for sequential JPEG"
"""What they print of sound JPEG Extended: a first try with 8 bits, and a needless parameter that is not zero."""


def series_volume(planes: Sequence[Plane]) -> np.ndarray:
    """(columns, rows, planes) float32 of planes of equal size: stored values times slope plus intercept of each.

    Pixels that the file states as padding are what lies outside of the patient, see
    :func:`monai_ext.io.dicom.padding.outside`.

    Raises:
        InputError: pixels cannot be decoded, are not finite, or are compressed in an unknown way.
    """
    volume = np.empty((planes[0].columns, planes[0].rows, len(planes)), np.float32)
    padded = False
    for index, values, padding in plane_values(planes):
        with np.errstate(over="ignore", invalid="ignore"):
            volume[:, :, index] = values.T
        if not np.isfinite(volume[:, :, index]).all():
            raise InputError(f"{planes[index].file.name}: NaN or infinite pixel values; export it again.")
        if padding is not None:
            volume[:, :, index][padding.T] = np.nan
            padded = True
    if padded:
        nowhere = np.isnan(volume)
        volume[nowhere] = outside(planes[0].modality, volume[~nowhere])
    return volume


def plane_values(planes: Sequence[Plane]) -> Iterator[tuple[int, np.ndarray, np.ndarray | None]]:
    """The index of each plane, its values (rows, columns), and which of them are padding, None if none are.

    They come by file, so that a file of many frames is decoded only one time.

    Raises:
        InputError: pixels cannot be decoded, or are compressed in an unknown way.
    """
    file, frames, padding = None, np.empty(0), None
    with _decoded([p.file for p in planes if p.syntax in GDCM]) as decoded:
        for index, plane in sorted(enumerate(planes), key=lambda pair: str(pair[1].file)):
            if plane.file != file:
                file = plane.file
                frames, padding = stored_values(file, plane.photometric == "MONOCHROME1", decoded.get(file))
            values = frames[plane.frame]
            if (plane.slope, plane.intercept) != (1, 0):
                values = values * plane.slope + plane.intercept  # in float64
            yield index, values, None if padding is None else padding[plane.frame]


def stored_values(
    file: Path, inverted: bool = False, decoded: Path | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """(frames, rows, columns) of a grey DICOM file as stored, or after its modality LUT if it has one.

    Args:
        file: one DICOM file.
        inverted: turn bright and dark, within the range that the stored bits can hold (MONOCHROME1).
        decoded: a ``.npy`` file of its values, (frames, rows, columns), where GDCM has decoded them.

    Returns:
        the values; and which of them are padding, bool of the same shape, None if none are.

    Raises:
        InputError: the pixels are cut short, damaged or compressed in a way that is not decoded.
    """
    from pydicom import dcmread

    try:  # pydicom 2, which MONAI Label needs, has it elsewhere
        from pydicom.pixels import apply_modality_lut
    except ImportError:
        from pydicom.pixel_data_handlers.util import apply_modality_lut  # type: ignore[no-redef]

    try:
        with suppress_logs("pydicom"):
            image = dcmread(file, force=True, specific_tags=TAGS)
            refuse_syntax(file, image, PYDICOM if decoded is None else GDCM)
            values = np.load(decoded) if decoded else image.pixel_array
            values = values.reshape(int(image.get("NumberOfFrames") or 1), image.Rows, image.Columns)
            padding = padded(image, values)
            if inverted:
                low = -(1 << (image.BitsStored - 1)) if image.PixelRepresentation else 0
                values = 2 * low + (1 << image.BitsStored) - 1 - values.astype(np.int64)
            return apply_modality_lut(values, image) if "ModalityLUTSequence" in image else values, padding
    except InputError:
        raise
    except Exception as error:  # damaged bytes lead the decoders to errors of any kind
        raise InputError(undecodable(file, error)) from error


def refuse_syntax(file: Path, image: Any, known: Collection[str]) -> None:
    """Refuse a file whose transfer syntax is none of these.

    Raises:
        InputError: with its name and what to do.
    """
    syntax = _transfer_syntax(image)
    if syntax not in known:
        raise InputError(
            f"{file.name}: compressed as {syntax.name}, which is not decoded{_in_colour(image)}; convert it to Explicit VR"
            " Little Endian (for example with gdcmconv --raw)."
        )


def _in_colour(image: Any) -> str:
    return " in colour" if image.get("SamplesPerPixel") == 3 else ""


def _transfer_syntax(image: Any) -> Any:
    """The transfer syntax that the file states, or, without file meta information, the one it was read with."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in image.file_meta:
        implicit, little = image.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return image.file_meta.TransferSyntaxUID


@contextmanager
def _decoded(files: Sequence[Path]) -> Iterator[dict[Path, Path]]:
    """Temporary ``.npy`` of the stored values of each file, by GDCM in a process of its own, which may crash."""
    if not files:
        yield {}
        return
    with TemporaryDirectory(prefix="monai_ext_") as folder:
        copies = {
            file: Path(folder) / f"{number:06d}.dcm" for number, file in enumerate(dict.fromkeys(files))
        }
        for file, copy in copies.items():
            _copy_pixels(file, copy)
        # by its path, with -P: neither the working folder nor this one is searched for modules
        command = [sys.executable, "-P", gdcm.__file__, folder]
        try:
            done = subprocess.run(command, capture_output=True, timeout=LONGEST)
            remarks, failed = done.stderr.decode(errors="replace"), done.returncode != 0
        except subprocess.TimeoutExpired as error:
            remarks, failed = (error.stderr or b"").decode(errors="replace"), True
        begun = re.split(r"^(\d{6}\.dcm)$", remarks, flags=re.MULTILINE)  # text, name, text, name, text
        complaints = [
            name
            for name, text in zip(begun[1::2], begun[2::2])
            if re.search(DAMAGED, re.sub(SOUND, "", text))
        ]
        if failed or complaints:
            name = complaints[0] if complaints else begun[-2] if len(begun) > 1 else "000000.dcm"
            file = next(file for file, copy in copies.items() if copy.name == name)
            raise InputError(
                f"{file.name}: the compressed DICOM pixels cannot be decoded, they are damaged; copy the file again"
                " or export it uncompressed."
            )
        yield {file: copy.with_suffix(".npy") for file, copy in copies.items()}


def _copy_pixels(file: Path, copy: Path) -> None:
    """Write a DICOM file with nothing but the pixels of `file`: GDCM rescales the values of some classes."""
    from pydicom import __version__ as pydicom_version
    from pydicom import dcmread
    from pydicom.uid import (
        MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        SecondaryCaptureImageStorage,
        generate_uid,
    )

    try:
        with suppress_logs("pydicom"):
            image = dcmread(file, force=True, specific_tags=TAGS)
            image.pop("ModalityLUTSequence", None)
            several = int(image.get("NumberOfFrames") or 1) > 1
            kind = (
                MultiFrameGrayscaleWordSecondaryCaptureImageStorage
                if several
                else SecondaryCaptureImageStorage
            )
            image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = kind
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            image.PhotometricInterpretation = "MONOCHROME2"
            old = pydicom_version.startswith("2.")  # MONAI Label's
            image.save_as(copy, **({"write_like_original": False} if old else {"enforce_file_format": True}))
    except Exception as error:
        raise InputError(undecodable(file, error)) from error


def undecodable(file: Path, error: Exception) -> str:
    """That the pixels of a file cannot be decoded, and what to do."""
    return (
        f"{file.name}: the DICOM pixels cannot be decoded ({type(error).__name__}), they are damaged or cut short;"
        " copy the file again or export it uncompressed."
    )
