"""DICOM series with the SEG and RTSTRUCT objects that were drawn on them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.data.making.found import Found, Mask, Source
from monai_ext.io.case_names import case_id
from monai_ext.io.dicom.annotations import SEG, Annotation, Archive, read_archive, referenced_series
from monai_ext.io.dicom.headers import Plane
from monai_ext.io.dicom.read import load_series
from monai_ext.io.dicom.read_rtstruct import read_contours
from monai_ext.io.dicom.read_seg import read_segments
from monai_ext.io.dicom.series import Series
from monai_ext.io.dicom.stack import stack

KIND = "DICOM series with SEG or RTSTRUCT"


def find_dicom(archive: Archive, source: Path) -> Source:
    """Each series that an annotation refers to, with all its annotations; labels of segments and regions are targets.

    Cases are called by their SeriesInstanceUID and grouped by their PatientID, both hashed: neither names a patient.
    """
    drawn: dict[str, list[Annotation]] = defaultdict(list)
    alone: list[str] = []
    doubtful: list[str] = []
    for annotation in archive.annotations:
        found = referenced_series(annotation, archive.slices)
        if len(found) == 1:
            drawn[found[0]].append(annotation)
        else:
            (doubtful if found else alone).append(annotation.file.relative_to(source).as_posix())
    cases = [
        _case(series, archive.slices[series], annotations, source) for series, annotations in drawn.items()
    ]
    without = [
        planes[0].file.relative_to(source).as_posix()
        for series, planes in archive.slices.items()
        if series not in drawn
    ]
    unmatched = {
        "series without an annotation": without,
        "annotation whose series is not there": alone,
        "annotation that may be of several series": doubtful,
    }
    return Source(KIND, cases, unmatched)


def has_annotations(source: Path) -> Archive | None:
    """What a folder with DICOM SEG or RTSTRUCT objects holds; None without such an object."""
    archive = read_archive(source)
    return archive if archive.annotations else None


class _Drawn:
    """A series and what was drawn on it; its slices are put in order when they are first needed."""

    def __init__(self, name: str, planes: Sequence[Plane]) -> None:
        self.name, self.planes = name, planes

    @cached_property
    def series(self) -> Series:
        planes, affine, notes = stack(self.name, self.planes)
        return Series(tuple(planes), affine, planes[0].modality, tuple(notes))

    def image(self) -> tuple[np.ndarray, dict[str, Any]]:
        return load_series(self.name, self.series)

    def regions(self, annotation: Annotation) -> Iterator[tuple[str, np.ndarray]]:
        read = read_segments if annotation.kind == SEG else read_contours
        return read(annotation.file, self.series)


def _case(uid: str, planes: Sequence[Plane], annotations: Sequence[Annotation], source: Path) -> Found:
    first = planes[0].file.relative_to(source).as_posix()
    drawn = _Drawn(first, planes)
    owners: Mapping[str, str] = dict(planes[0].owners)
    patient = owners.get("PatientID") or owners.get("PatientName", "")
    return Found(
        first,
        tuple(sorted({plane.file for plane in planes})),
        tuple(Mask(one.file, read=partial(drawn.regions, one)) for one in annotations),
        group=f"patient-{patient[:12]}" if patient else "",
        modality=planes[0].modality,
        id=case_id(hashlib.sha256(uid.encode()).hexdigest()),
        read=drawn.image,
    )
