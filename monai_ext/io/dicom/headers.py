"""What the header of a DICOM file says of its images: one plane per slice, or per frame of a multi-frame file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.errors import InputError
from monai_ext.io.dicom import acquisition
from monai_ext.io.dicom.files import is_dicom
from monai_ext.logs import suppress_logs

NO_IMAGE = {"SEG", "SR", "PR", "KO", "REG", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE"}
"""Modalities of objects that are no images."""
PROJECTIONS = {"CR", "DX", "MG", "RG", "IO", "PX"}
"""Modalities of X-ray pictures: grey values without a unit, often a file each without a position in the patient."""
LIGHT = {"OP", "XC", "ES", "SM", "GM", "DMS"}
"""Modalities of pictures in visible light: of the eye, of the body, by endoscope, by microscope, of the skin."""
TAGS: list[Any] = [
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "Modality",
    "ImageType",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "SliceThickness",
    "RescaleSlope",
    "RescaleIntercept",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    *acquisition.TAGS,
]


@dataclass(frozen=True)
class Plane:
    """One image of a series. Lengths are mm, directions and positions DICOM's (LPS).

    Attributes:
        file, frame, frames: where the pixels are: frame `frame` (from 0) of the `frames` of a file.
        series, number, instance: SeriesInstanceUID, SeriesNumber ("" if none) and SOPInstanceUID.
        sop_class: SOPClassUID, "" if unknown.
        modality: such as "CT"; "" if it is no code.
        no_slice: what the image is instead of a slice ("localiser", "SEG object", …), else "".
        syntax: TransferSyntaxUID, "" if the file does not state it.
        columns, rows: size in pixels.
        photometric: PhotometricInterpretation, with the number of samples per pixel unless 1.
        position: of the centre of the first pixel, (3,) or None.
        orientation: direction along a row, then along a column, (6,) or None.
        spacing: distance of rows, then of columns, and the name of the tag that gives it; None if none does.
        thickness: of the slice, None if unknown.
        slope, intercept: stored values times `slope` plus `intercept` are the values meant.
        marks: how it was acquired, see :func:`~monai_ext.io.dicom.acquisition.marks_of`.
        owners: of whom and where, see :func:`~monai_ext.io.dicom.acquisition.owners_of`.
    """

    file: Path
    frame: int = 0
    frames: int = 1
    series: str = ""
    number: str = ""
    instance: str = ""
    sop_class: str = ""
    modality: str = ""
    no_slice: str = ""
    syntax: str = ""
    columns: int = 0
    rows: int = 0
    photometric: str = "MONOCHROME2"
    position: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, float, str] | None = None
    thickness: float | None = None
    slope: float = 1.0
    intercept: float = 0.0
    marks: tuple[tuple[str, str], ...] = ()
    owners: tuple[tuple[str, str], ...] = ()


def read_planes(file: Path) -> list[Plane]:
    """The planes of one DICOM file, in the order of its frames; none of a DICOMDIR.

    An object that is no slice, and a multi-frame file without a position per frame, are one plane.

    Raises:
        InputError: the file cannot be opened, or its header is damaged.
    """
    from pydicom import dcmread

    try:
        if not is_dicom(file):
            raise InputError(f"{file.name}: no DICOM file, or a damaged one; copy it again or take it away.")
        with file.open("rb") as stream, suppress_logs("pydicom"):
            if b"1.2.840.10008.1.2.1.99\0" in stream.read(2048):  # could inflate to any size
                raise InputError(
                    f"{file.name}: deflated DICOM is not read; convert it to Explicit VR Little Endian."
                )
            stream.seek(0)
            return _planes(file, dcmread(stream, stop_before_pixels=True, force=True, specific_tags=TAGS))
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            f"{file.name}: cannot be read ({error.strerror or 'cut short'}); copy it again."
        ) from error
    except Exception as error:  # damaged bytes lead pydicom to errors of any kind
        raise InputError(
            f"{file.name}: damaged DICOM header ({type(error).__name__}); copy it again from its source."
        ) from error


def _planes(file: Path, header: Any) -> list[Plane]:
    from pydicom.uid import UID, MediaStorageDirectoryStorage

    kind = UID(str(header.get("SOPClassUID", "") or header.file_meta.get("MediaStorageSOPClassUID", "")))
    if kind == MediaStorageDirectoryStorage:
        return []
    modality = str(header.get("Modality") or "")
    base: dict[str, Any] = {
        "file": file,
        "series": str(header.get("SeriesInstanceUID") or ""),
        "number": str(_number(header, "SeriesNumber", "")),
        "instance": str(header.get("SOPInstanceUID") or ""),
        "sop_class": str(kind),
        "modality": modality if re.fullmatch("[A-Z]{2,16}", modality) else "",
    }
    no_slice = _no_slice(kind, base["modality"], list(header.get("ImageType") or []))
    if no_slice and not no_slice.endswith("localiser"):
        return [Plane(**base, no_slice=no_slice)]
    samples = _number(header, "SamplesPerPixel", 1)
    photometric = str(header.get("PhotometricInterpretation") or "")
    base |= {
        "no_slice": no_slice,
        "rows": int(header["Rows"].value),  # a KeyError when the file ends before
        "columns": int(header["Columns"].value),
        "syntax": str(header.file_meta.get("TransferSyntaxUID") or ""),
        "owners": acquisition.owners_of(header),
        "frames": max(int(_number(header, "NumberOfFrames", 1)), 1),
        "photometric": photometric + ("" if samples == 1 else f" with {samples} samples per pixel"),
    }
    per_frame = len(header.get("PerFrameFunctionalGroupsSequence") or [])
    if no_slice or (base["frames"] > 1 and per_frame != base["frames"]):
        return [Plane(**base)]
    return [Plane(**base, frame=frame, **_geometry(header, frame)) for frame in range(base["frames"])]


def _no_slice(kind: Any, modality: str, image_type: list[str]) -> str:
    if modality in NO_IMAGE or (kind.keyword and "Image" not in kind.keyword):
        return f"{modality or 'other'} object"
    if "LOCALIZER" in image_type:
        return "localiser"
    if "MOSAIC" in image_type:
        return "Siemens mosaic"
    # Dose pages and screen shots have no HU and no position. X-ray pictures are often stored so, as RSNA's are, and
    # photographs.
    secondary = f"{kind}.".startswith("1.2.840.10008.5.1.4.1.1.7.")
    return "secondary capture" if secondary and modality not in PROJECTIONS | LIGHT else ""


def _geometry(header: Any, frame: int) -> dict[str, Any]:
    """Position, spacing, rescaling and acquisition of a frame: from its functional groups, else from the top level."""
    groups = [
        header[name].value[index]
        for name, index in (
            ("PerFrameFunctionalGroupsSequence", frame),
            ("SharedFunctionalGroupsSequence", 0),
        )
        if len(header.get(name) or []) > index
    ]

    def group(name: str) -> Any:
        return next((g[name].value[0] for g in groups if g.get(name)), header)

    measures, rescale = group("PixelMeasuresSequence"), group("PixelValueTransformationSequence")
    spacing = None
    for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        if spacing is None and (pair := _numbers(measures, name, 2)):
            spacing = (pair[0], pair[1], name)
    return {
        "position": _numbers(group("PlanePositionSequence"), "ImagePositionPatient", 3),
        "orientation": _numbers(group("PlaneOrientationSequence"), "ImageOrientationPatient", 6),
        "spacing": spacing,
        "thickness": _number(measures, "SliceThickness", None),
        "slope": float(_number(rescale, "RescaleSlope", 1.0)),
        "intercept": float(_number(rescale, "RescaleIntercept", 0.0)),
        "marks": acquisition.marks_of(header, groups),
    }


def _number(dataset: Any, name: str, default: Any) -> Any:
    values = _numbers(dataset, name, 1)
    if values is None:
        return default
    return int(values[0]) if values[0].is_integer() else values[0]


def _numbers(dataset: Any, name: str, count: int) -> tuple[float, ...] | None:
    """The `count` finite numbers of a tag; None when it is absent or empty."""
    value = dataset.get(name)
    if value is None or value == "" or (hasattr(value, "__len__") and len(value) == 0):
        return None
    numbers = tuple(float(number) for number in np.atleast_1d(value))
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"{name} holds other than {count} finite numbers")
    return numbers
