"""What a DICOM SEG or an RT Structure Set takes from the series that was segmented."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.errors import InputError
from monai_ext.io.coded_terms import printable
from monai_ext.io.dicom.headers import Plane
from monai_ext.io.dicom.series import Series, read_series

TEXTS = ("PatientName", "PatientID")
DATES = ("PatientBirthDate", "StudyDate", "SeriesDate")
TIMES = ("StudyTime", "SeriesTime")
CODES = {
    "PatientSex": r"[MFO]",
    "LossyImageCompression": r"0[01]",
    "LossyImageCompressionMethod": r"ISO_[0-9_]{1,12}",
    "LossyImageCompressionRatio": r"\d{1,6}(\.\d{1,6})?",
}
"""Tags that hold one of few values."""
UIDS = ("StudyInstanceUID", "FrameOfReferenceUID")
EMPTY = ("AccessionNumber", "StudyID", "ReferringPhysicianName")
"""Tags that a SEG must have and that may be empty: they can name persons, and a SEG is filed by its UIDs."""
TIME = r"([01]\d|2[0-3])[0-5]\d[0-5]\d(\.\d{1,6})?"
WITH_FRAME = {"CT", "MR", "PT"}
"""Modalities whose images always have a frame of reference."""
FRAMED = {
    f"1.2.840.10008.5.1.4.1.1.{kind}"
    for kind in ("77.1.5.1", "77.1.5.2", "3.1", "7.1", "7.2", "7.3", "7.4", "12.1", "12.2")
}
"""Classes of images that may hold several frames, of which a SEG needs the geometry also where the file has none:
ophthalmic photographs, ultrasound, secondary capture, angiography and fluoroscopy."""
SERIES_NUMBER = 1000
"""Added to the number of the series that was segmented."""


def read_again(folder: Path, series: str, name: str, shape: Sequence[int]) -> Series:
    """The series that was segmented, of which the masks are (X, Y, Z).

    Args:
        folder, series, name: as :func:`monai_ext.io.dicom.series.read_series` takes them.
        shape: of the masks.

    Raises:
        InputError: when it is no longer there, or of another size.
    """
    found = read_series(folder, series, name)
    first = found.planes[0]
    if tuple(shape) != (first.columns, first.rows, len(found.planes)):
        raise InputError(f"{name}: changed while it was segmented; run it again.")
    return found


def date_and_time(image: Any) -> tuple[str, str]:
    """Those of the series of a dataset of :func:`source_images`, else of its study; "" where they are not stated."""
    if image.SeriesDate:
        return image.SeriesDate, image.SeriesTime
    return image.StudyDate, image.StudyTime


def derived_uid(names: Sequence[str], what: str) -> str:
    """A UID made of texts, the same in every run."""
    from pydicom.uid import generate_uid

    return generate_uid(entropy_srcs=[what, *(f"{len(name)} {name}" for name in names)])


def source_images(series: Series, derived: str = "SEG") -> tuple[list[Any], list[str]]:
    """One pydicom Dataset for each file of a series, in their order, made anew of what a SEG needs.

    They hold the patient module (name, ID, birth date, sex), dates and times of study and series, UIDs, size, and
    the geometry of the planes, at the top level and in functional groups. Values that DICOM does not allow are
    empty; UIDs that are missing are made from others. Where an image of other modalities than :data:`WITH_FRAME` and
    other classes than :data:`FRAMED` has no position in the patient, its dataset has none.

    Args:
        series: as it was read.
        derived: what sentences call the file that is made.

    Returns:
        the datasets; sentences on what was missing.
    """
    from pydicom.dataset import Dataset

    shared, missing = _shared(series)
    images = []
    for number, file in enumerate(series.files):
        planes = sorted((p for p in series.planes if p.file == file), key=lambda p: p.frame)
        image = Dataset()
        image.update(shared)
        image.SOPClassUID = _sop_class(planes[0].sop_class, missing)
        image.SOPInstanceUID = _uid(
            planes[0].instance, "SOPInstanceUID", missing, image.SeriesInstanceUID, str(number)
        )
        _add_geometry(image, planes, series)
        images.append(image)
    notes = []
    if missing:
        names = ", ".join(sorted(missing))
        notes.append(
            f"the DICOM files lack {names}: the {derived} has its own, viewers may not show it on the images"
        )
    if len({image.SOPInstanceUID for image in images}) < len(images):
        notes.append(
            f"several DICOM files have one SOPInstanceUID: viewers may show the {derived} on the wrong slices"
        )
    return images, notes


def _shared(series: Series) -> tuple[Any, set[str]]:
    """What all files have in common, from the first, and the names of the UIDs that it lacks."""
    from pydicom import dcmread
    from pydicom.dataset import Dataset

    first = series.planes[0]
    tags = ["SpecificCharacterSet", *TEXTS, *DATES, *TIMES, *CODES, *UIDS]
    header = dcmread(first.file, stop_before_pixels=True, force=True, specific_tags=tags)
    found = {name: _text(header.get(name)) for name in tags[1:]}
    shared = Dataset()
    for name in (*TEXTS, *EMPTY):
        setattr(shared, name, found.get(name, ""))
    for name in DATES:
        setattr(shared, name, found[name] if _is_date(found[name]) else "")
    for name, pattern in {**dict.fromkeys(TIMES, TIME), **CODES}.items():
        value = found[name] if re.fullmatch(pattern, found[name]) else ""
        if value or not name.startswith("Lossy"):
            setattr(shared, name, value)
    missing: set[str] = set()
    shared.Modality = first.modality
    shared.SeriesInstanceUID = _uid(first.series, "SeriesInstanceUID", missing, found["StudyInstanceUID"])
    shared.StudyInstanceUID = _uid(found["StudyInstanceUID"], "StudyInstanceUID", missing, first.series)
    if first.position or first.modality in WITH_FRAME or first.sop_class in FRAMED:
        frame = found["FrameOfReferenceUID"]
        shared.FrameOfReferenceUID = _uid(frame, "FrameOfReferenceUID", missing, shared.SeriesInstanceUID)
    return shared, missing


def _add_geometry(image: Any, planes: Sequence[Plane], series: Series) -> None:
    """Add size and geometry of the planes of one file; orientation and spacing are those of the first file."""
    from pydicom.dataset import Dataset

    first = series.planes[0]
    image.Rows, image.Columns = first.rows, first.columns
    in_patient = "FrameOfReferenceUID" in image
    measures = Dataset()
    if first.spacing and (in_patient or first.spacing[2] == "PixelSpacing"):
        measures.PixelSpacing = decimals(first.spacing[:2])
    elif in_patient:
        measures.PixelSpacing = decimals([1, 1])  # as the reader assumes
    if in_patient:
        step = float(np.linalg.norm(series.affine[:3, 2]))
        thickness = first.thickness if first.thickness and first.thickness > 0 else step
        measures.SliceThickness = decimals([thickness])[0]
    image.update(measures)
    if not in_patient:
        return
    positions = [decimals(plane.position or (0, 0, 0)) for plane in planes]
    image.ImageOrientationPatient = decimals(first.orientation or (1, 0, 0, 0, 1, 0))
    image.ImagePositionPatient = positions[0]
    image.NumberOfFrames = len(planes)
    orientation = item(ImageOrientationPatient=image.ImageOrientationPatient)
    image.SharedFunctionalGroupsSequence = [
        item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[orientation])
    ]
    image.PerFrameFunctionalGroupsSequence = [
        item(PlanePositionSequence=[item(ImagePositionPatient=position)]) for position in positions
    ]


def decimals(numbers: Sequence[float]) -> list[Any]:
    """Numbers as DICOM writes them, in at most 16 characters."""
    from pydicom.valuerep import DSfloat

    return [DSfloat(float(number), auto_format=True) for number in numbers]


def item(**tags: Any) -> Any:
    """A pydicom Dataset of these tags, for a sequence."""
    from pydicom.dataset import Dataset

    item = Dataset()
    for name, value in tags.items():
        setattr(item, name, value)
    return item


def _text(value: Any) -> str:
    """The value of a tag, the first of several, as one line."""
    if value is None or isinstance(value, str) or not isinstance(value, Sequence):
        return "" if value is None else printable(str(value))
    return printable(str(value[0])) if len(value) else ""


def _is_date(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"\d{8}", text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _sop_class(value: str, missing: set[str]) -> str:
    """A class of images that DICOM knows today, else that of pictures of any origin."""
    from pydicom.uid import UID, SecondaryCaptureImageStorage

    uid = UID(value)
    foreign = uid.is_retired or uid.keyword.startswith(("DICOS", "EddyCurrent"))
    if "ImageStorage" in uid.keyword and not foreign:
        return value
    missing.add("SOPClassUID")
    return SecondaryCaptureImageStorage


def _uid(value: str, name: str, missing: set[str], *origin: str) -> str:
    """A UID, or in its place one made of `origin`, which is then noted in `missing`."""
    from pydicom.uid import UID, generate_uid

    if value and UID(value).is_valid:
        return value
    missing.add(name)
    return generate_uid(entropy_srcs=[name, *origin])
