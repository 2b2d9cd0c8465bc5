"""The objects that annotate a DICOM series: which there are, and which series each is drawn on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai_ext.errors import InputError
from monai_ext.io.dicom.acquisition import owners_of
from monai_ext.io.dicom.files import MAX_FILES, dicom_files
from monai_ext.io.dicom.headers import Plane, read_planes
from monai_ext.logs import suppress_logs

SEG, RTSTRUCT = "SEG", "RTSTRUCT"


@dataclass(frozen=True)
class Annotation:
    """A DICOM SEG or RTSTRUCT.

    Attributes:
        file: where it is.
        kind: "SEG" or "RTSTRUCT".
        series: SeriesInstanceUIDs that it refers to; may be empty.
        instances: SOPInstanceUIDs of the images that it refers to.
        frame: of reference, as :func:`frame_of` gives it.
    """

    file: Path
    kind: str
    series: frozenset[str]
    instances: frozenset[str]
    frame: str


@dataclass
class Archive:
    """What lies in a folder: slices by their SeriesInstanceUID, and annotations, in the order of the file names."""

    slices: dict[str, list[Plane]] = field(default_factory=dict)
    annotations: list[Annotation] = field(default_factory=list)


def read_archive(folder: Path) -> Archive:
    """All DICOM images and annotations of a folder and its sub-folders; localisers and other objects are passed over.

    Raises:
        InputError: a file is damaged, or there are more than :data:`~monai_ext.io.dicom.files.MAX_FILES`.
    """
    archive = Archive()
    for number, file in enumerate(dicom_files(folder)):
        if number >= MAX_FILES:
            raise InputError(
                f"{folder.name}: more than {MAX_FILES} DICOM files; give fewer studies at a time."
            )
        for plane in read_planes(file):
            if not plane.no_slice:
                archive.slices.setdefault(plane.series, []).append(plane)
            elif plane.modality in (SEG, RTSTRUCT):
                archive.annotations.append(_annotation(file, plane.modality))
    return archive


def read_object(file: Path, pixels: bool = True) -> Any:
    """A DICOM object as a pydicom Dataset, whole or without its pixels.

    Raises:
        InputError: when it cannot be read.
    """
    from pydicom import dcmread

    try:
        with suppress_logs("pydicom"):
            return dcmread(file, force=True, stop_before_pixels=not pixels)
    except Exception as error:  # damaged bytes lead pydicom to errors of any kind
        raise InputError(
            f"{file.name}: damaged DICOM object ({type(error).__name__}); copy it again."
        ) from error


def referenced_series(annotation: Annotation, slices: dict[str, list[Plane]]) -> list[str]:
    """The series an annotation is drawn on, by SeriesInstanceUID, else by its images, else by frame of reference.

    Returns:
        SeriesInstanceUIDs among `slices`: none, one, or several that it may mean.
    """
    by_uid = [series for series in slices if series in annotation.series]
    by_image = [
        series for series, planes in slices.items() if any(p.instance in annotation.instances for p in planes)
    ]
    if by_uid or by_image or annotation.series:  # a series that is named and not there is no other one
        return [series for series in by_uid if series in by_image] or by_uid or by_image
    return [
        series for series, planes in slices.items() if frame_of(planes[0].owners) == annotation.frame != ""
    ]


def frame_of(owners: Sequence[tuple[str, str]]) -> str:
    """The hash of the FrameOfReferenceUID among what ``owners_of`` gives; "" if there is none."""
    return dict(owners).get("FrameOfReferenceUID", "")


def _annotation(file: Path, kind: str) -> Annotation:
    dataset = read_object(file, pixels=False)
    uids: dict[str, set[str]] = {"SeriesInstanceUID": set(), "ReferencedSOPInstanceUID": set()}
    items = list(_items(dataset))
    for item in items:
        for name, found in uids.items():
            if value := item.get(name):
                found.add(str(value))
    frames = [frame for one in (dataset, *items) if (frame := frame_of(owners_of(one)))]
    return Annotation(
        file,
        kind,
        frozenset(uids["SeriesInstanceUID"]),
        frozenset(uids["ReferencedSOPInstanceUID"]),
        frames[0] if frames else "",
    )


def _items(dataset: Any) -> Iterator[Any]:
    """All items of all sequences of a dataset, at any depth."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield item
                yield from _items(item)
