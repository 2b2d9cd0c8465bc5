"""Small RTSTRUCT objects for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

Contour = list[tuple[float, float, float]]


def write_rtstruct(
    file: Path,
    folder: Path,
    regions: Mapping[str, list[Contour]],
    kind: str = "CLOSED_PLANAR",
    refer: str = "series",
) -> None:
    """Write the regions (corners in LPS mm) as drawn on the series in `folder`.

    `refer` says by what it refers to the series: "series", "instance" or "frame".
    """
    image = dcmread(next(iter(sorted(folder.glob("*.dcm")))), stop_before_pixels=True)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = RTStructureSetStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    ds = Dataset()
    ds.file_meta = meta
    ds.SOPClassUID, ds.SOPInstanceUID = RTStructureSetStorage, meta.MediaStorageSOPInstanceUID
    ds.Modality, ds.SeriesInstanceUID, ds.PatientID = "RTSTRUCT", generate_uid(), image.PatientID
    frame = item(FrameOfReferenceUID=image.get("FrameOfReferenceUID", generate_uid()))
    if refer == "series":
        frame.RTReferencedStudySequence = [
            item(RTReferencedSeriesSequence=[item(SeriesInstanceUID=image.SeriesInstanceUID)])
        ]
    ds.ReferencedFrameOfReferenceSequence = [frame]
    ds.StructureSetROISequence = [item(ROINumber=n, ROIName=name) for n, name in enumerate(regions, 1)]
    ds.ROIContourSequence = [
        item(
            ReferencedROINumber=n,
            ContourSequence=[
                contour(corners, kind, image if refer == "instance" else None) for corners in contours
            ],
        )
        for n, contours in enumerate(regions.values(), 1)
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(file, enforce_file_format=True)


def contour(corners: Contour, kind: str, image: Dataset | None) -> Dataset:
    numbers = [float(number) for corner in corners for number in corner]
    found = item(ContourGeometricType=kind, NumberOfContourPoints=len(corners), ContourData=numbers)
    if image is not None:
        found.ContourImageSequence = [item(ReferencedSOPInstanceUID=image.SOPInstanceUID)]
    return found


def item(**tags) -> Dataset:
    ds = Dataset()
    for name, value in tags.items():
        setattr(ds, name, value)
    return ds


def box(left: float, top: float, right: float, bottom: float, z: float) -> Contour:
    """A rectangle in mm (LPS) in an axial plane."""
    return [(left, top, z), (right, top, z), (right, bottom, z), (left, bottom, z)]
