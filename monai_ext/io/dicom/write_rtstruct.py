"""Write the masks of one DICOM series as an RT Structure Set, by pydicom."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext import __version__
from monai_ext.errors import InputError
from monai_ext.files import whole_file
from monai_ext.io.coded_terms import PRIVATE, long_string, term_of
from monai_ext.io.colours import COLOURS
from monai_ext.io.dicom.archive import unpacked
from monai_ext.io.dicom.contours import closed_contours
from monai_ext.io.dicom.headers import Plane
from monai_ext.io.dicom.series import Series
from monai_ext.io.dicom.source import (
    DATES,
    EMPTY,
    SERIES_NUMBER,
    TEXTS,
    TIMES,
    date_and_time,
    derived_uid,
    item,
    read_again,
    source_images,
)
from monai_ext.logs import suppress_logs

RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
"""The retired class by which an RT Structure Set still refers to a study."""
ANATOMICAL = "Anatomical Structure"
"""Category of what is interpreted as an organ."""


def write_rtstruct(
    path: Path,
    masks: np.ndarray,
    prompts: Sequence[str],
    source: Path,
    series: str,
    algorithm: tuple[str, str],
) -> list[str]:
    """One ROI per prompt, numbered from 1, with closed planar contours in the slices of the series.

    The contours are those of :func:`monai_ext.io.dicom.contours.closed_contours`, in the plane of their slice, to a
    ten-thousandth of a millimetre. An empty mask keeps its ROI, without contours. Of the patient, and of the bytes of
    the same masks, holds what :func:`monai_ext.io.dicom.write_seg.write_seg` says of a SEG. The file is in implicit
    VR, since a contour in explicit VR ends at 64 kB.

    Args:
        path: ``.dcm`` to write.
        masks: (P, X, Y, Z) uint8 in {0, 1}, axes as :func:`monai_ext.io.dicom.read.load_dicom` gives them.
        prompts: P texts, which become the names of the ROIs.
        source, series: what was segmented, as `load_dicom` took it; it is read again, without its pixels.
        algorithm: name and version of the method that segmented it.

    Returns:
        sentences on what the source lacks for an RT Structure Set.

    Raises:
        InputError: when `source` no longer holds the series, or its images have no position in the patient.
        OSError: when `path` cannot be written.
    """
    with unpacked(source) as folder:
        found = read_again(folder, series, source.name, masks.shape[1:])
        with suppress_logs("pydicom"):
            images, notes = source_images(found, "RT Structure Set")
            if "FrameOfReferenceUID" not in images[0]:
                raise InputError(
                    f"{source.name}: no position in the patient, which an RT Structure Set needs; write a DICOM SEG"
                    " or NIfTI with --format auto or nifti."
                )
            structures = _structure_set(masks, prompts, found, images, algorithm)
    with whole_file(path) as temporary, suppress_logs("pydicom"):
        structures.save_as(temporary, enforce_file_format=True)
    return notes


def _structure_set(
    masks: np.ndarray, prompts: Sequence[str], series: Series, images: list[Any], algorithm: tuple[str, str]
) -> Any:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ImplicitVRLittleEndian

    digest = hashlib.sha256(np.packbits(np.ascontiguousarray(masks)).tobytes()).hexdigest()
    origin = [image.SOPInstanceUID for image in images]
    names = [digest, str(masks.shape), *origin, *prompts, *algorithm, __version__]
    references = _references(series, images)
    made = _head(images[0], series, algorithm)
    made.SeriesInstanceUID = derived_uid(names, "RT series")
    made.SOPInstanceUID = derived_uid(names, "RT structure set")
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    made.ReferencedFrameOfReferenceSequence = [_frame(images[0], references)]
    made.StructureSetROISequence = [
        item(
            ROINumber=number,
            ReferencedFrameOfReferenceUID=images[0].FrameOfReferenceUID,
            ROIName=long_string(prompt),
            ROIGenerationAlgorithm="AUTOMATIC",
        )
        for number, prompt in enumerate(prompts, 1)
    ]
    made.ROIContourSequence = [_roi(number, mask, series, references) for number, mask in enumerate(masks, 1)]
    made.RTROIObservationsSequence = [
        _observation(number, prompt) for number, prompt in enumerate(prompts, 1)
    ]
    return made


def _head(image: Any, series: Series, algorithm: tuple[str, str]) -> Any:
    """Everything but UIDs of its own and structures: patient, study, series, frame of reference, equipment."""
    taken = (*TEXTS, *EMPTY, *DATES, *TIMES, "PatientSex", "StudyInstanceUID", "FrameOfReferenceUID")
    day, time = date_and_time(image)
    return item(
        SpecificCharacterSet="ISO_IR 192",
        SOPClassUID=RT_STRUCTURE_SET,
        **{name: image.get(name, "") for name in taken},
        Modality="RTSTRUCT",
        SeriesNumber=SERIES_NUMBER + int(series.planes[0].number or 0) % 1_000_000,
        SeriesDescription=long_string(f"monai_ext {algorithm[0]}"),
        OperatorsName="",
        PositionReferenceIndicator="",
        Manufacturer="monai_ext",
        ManufacturerModelName=long_string(f"{algorithm[0]} {algorithm[1]}"),
        SoftwareVersions=__version__,
        StructureSetLabel="monai_ext",
        StructureSetDescription="Segmented from text prompts",
        StructureSetDate=day,
        StructureSetTime=time if day else "",
        ApprovalStatus="UNAPPROVED",
    )


def _references(series: Series, images: list[Any]) -> dict[Plane, Any]:
    """The reference to the image of each plane, to the frame in a file of several."""
    of_file = dict(zip(series.files, images))
    references = {}
    for plane in series.planes:
        image = of_file[plane.file]
        one = item(ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID)
        if plane.frames > 1:
            one.ReferencedFrameNumber = plane.frame + 1
        references[plane] = one
    return references


def _frame(image: Any, references: dict[Plane, Any]) -> Any:
    """The frame of reference, with the study, the series and all its images."""
    of_series = item(
        SeriesInstanceUID=image.SeriesInstanceUID, ContourImageSequence=list(references.values())
    )
    study = item(
        ReferencedSOPClassUID=STUDY_CLASS,
        ReferencedSOPInstanceUID=image.StudyInstanceUID,
        RTReferencedSeriesSequence=[of_series],
    )
    return item(FrameOfReferenceUID=image.FrameOfReferenceUID, RTReferencedStudySequence=[study])


def _roi(number: int, mask: np.ndarray, series: Series, references: dict[Plane, Any]) -> Any:
    """The contours of one mask (X, Y, Z) in all slices."""
    colour = list(COLOURS[(number - 1) % len(COLOURS)])
    roi = item(ROIDisplayColor=colour, ReferencedROINumber=number)
    contours = [
        item(
            ContourImageSequence=[references[plane]],
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=len(points),
            ContourData=[f"{value:.4f}" for value in points.ravel()],
        )
        for plane, points in _placed(mask, series)
    ]
    if contours:
        roi.ContourSequence = contours
    return roi


def _placed(mask: np.ndarray, series: Series) -> Iterator[tuple[Plane, np.ndarray]]:
    """Each contour (N, 3) in LPS mm, with its plane."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ series.affine
    for index, plane in enumerate(series.planes):
        origin = lps[:3, 3] + index * lps[:3, 2] if plane.position is None else np.array(plane.position)
        for polygon in closed_contours(mask[:, :, index].T):
            yield plane, origin + polygon @ lps[:3, :2].T + 0.0  # no -0.0


def _observation(number: int, prompt: str) -> Any:
    term = term_of(prompt)
    organ = term.category[2] == ANATOMICAL
    made = item(
        ObservationNumber=number,
        ReferencedROINumber=number,
        RTROIInterpretedType="ORGAN" if organ else "",
        ROIInterpreter="",
    )
    value, scheme, meaning = term.kind
    if scheme != PRIVATE:
        made.RTROIIdentificationCodeSequence = [
            item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)
        ]
    return made
