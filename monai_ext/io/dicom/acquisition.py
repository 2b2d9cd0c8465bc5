"""How the images of a DICOM series were acquired, and of whom: what tells images at one position apart."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

MARKS = {
    "AcquisitionNumber": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "AcquisitionTime": ("FrameContentSequence", "FrameAcquisitionDateTime"),
    "ConvolutionKernel": ("CTReconstructionSequence", "ConvolutionKernel"),
    "DiffusionBValue": ("MRDiffusionSequence", "DiffusionBValue"),
    "DiffusionGradientOrientation": ("MRDiffusionSequence", "DiffusionGradientOrientation"),
    "EchoNumbers": ("", ""),
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
    "FlipAngle": ("MRTimingAndRelatedParametersSequence", "FlipAngle"),
    "FrameReferenceTime": ("", ""),
    "ImageType": ("MRImageFrameTypeSequence", "FrameType"),
    "InversionTime": ("MRModifierSequence", "InversionTimes"),
    "KVP": ("CTXRayDetailsSequence", "KVP"),
    "NominalPercentageOfCardiacPhase": ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),
    "RepetitionTime": ("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
    "StackID": ("FrameContentSequence", "StackID"),
    "TemporalPositionIdentifier": ("FrameContentSequence", "TemporalPositionIndex"),
    "TriggerTime": ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
}
"""Tags that distinguish images at one position, with the functional group and tag that replace each in multi-frame
files."""
PRIVATE_B_VALUES = {0x0019100C: "SIEMENS", 0x00431039: "GEMS", 0x20011003: "Philips"}
"""Where manufacturers keep the b-value, and how the creator of that block begins. GE adds a multiple of 100 000."""
FACTS = {
    "AcquisitionNumber",
    "DiffusionBValue",
    "EchoNumbers",
    "EchoTime",
    "FlipAngle",
    "InversionTime",
    "KVP",
    "RepetitionTime",
    "TemporalPositionIdentifier",
    "TriggerTime",
}
"""Marks whose values an error may quote; of the others (times of day, free text) it quotes only the names."""
FIGURE = re.compile(r"-?\d{1,9}(\.\d{1,9})?(e[+-]?\d{1,2})?", re.IGNORECASE)
NONE = "none"
OWNERS = ("FrameOfReferenceUID", "StudyInstanceUID", "PatientID", "PatientName")
"""Tags of what all images of a series must share."""
TAGS: list[Any] = [*MARKS, *OWNERS, *PRIVATE_B_VALUES, *(tag & 0xFFFF0000 | 0x10 for tag in PRIVATE_B_VALUES)]
"""What :func:`marks_of` and :func:`owners_of` read at the top level of a file."""


def marks_of(header: Any, groups: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    """Names and values of the tags of :data:`MARKS` that an image has.

    Args:
        header: pydicom Dataset of the file.
        groups: functional groups of the frame, the first before the others; none of a file of one image.
    """
    marks = {}
    for mark, (sequence, tag) in MARKS.items():
        places = [(group[sequence].value[0], tag) for group in groups if sequence and group.get(sequence)]
        values = (_text(place, name) for place, name in (*places, (header, mark)))
        marks[mark] = next(filter(None, values), "")
    marks["DiffusionBValue"] = marks["DiffusionBValue"] or _private_b_value(header)
    return tuple((mark, value) for mark, value in marks.items() if value)


def _text(dataset: Any, tag: str) -> str:
    try:
        value = dataset.get(tag)
    except (
        Exception
    ):  # damaged bytes lead pydicom to errors of any kind, and no image needs this tag to be read
        return ""
    return "" if value is None else str(value).strip()


def _private_b_value(header: Any) -> str:
    for tag, maker in PRIVATE_B_VALUES.items():
        creator, value = header.get(tag & 0xFFFF0000 | 0x10), header.get(tag)
        if value is not None and creator is not None and str(creator.value).startswith(maker):
            text = value.value.decode("latin-1") if isinstance(value.value, bytes) else str(value.value)
            if number := re.match(r"\[?(\d+(\.\d+)?)", text):  # the first of several
                return f"{float(number[1]) % 100_000:g}"
    return ""


def owners_of(header: Any) -> tuple[tuple[str, str], ...]:
    """Names of the tags of :data:`OWNERS` that a file fills in, each with a hash of its value.

    A name is the same in capitals and without the carets of its empty parts.
    """
    values = {tag: _text(header, tag) for tag in OWNERS}
    values["PatientName"] = " ".join(values["PatientName"].casefold().replace("^", " ").split())
    return tuple(
        (tag, hashlib.sha256(value.encode("utf-8", "replace")).hexdigest())
        for tag, value in values.items()
        if value
    )


def difference(marks: Sequence[tuple[tuple[str, str], ...]]) -> str:
    """In which of their marks images differ, such as "EchoTime (4.6, 9.2), ImageType"; "" if in none.

    Args:
        marks: of each image, as :func:`marks_of` gives them.
    """
    parts = []
    for mark in MARKS:
        values = {dict(one).get(mark, NONE) for one in marks}
        if len(values) < 2:
            continue
        if mark in FACTS and all(FIGURE.fullmatch(value) for value in values - {NONE}):
            figures = sorted(values, key=lambda value: float("inf" if value == NONE else value))
            parts.append(f"{mark} ({', '.join(figures[:6])}{', …' if len(figures) > 6 else ''})")
        else:
            parts.append(mark)
    return ", ".join(parts)
