"""Small DICOM series for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)


def write_series(
    folder: Path,
    volume: np.ndarray,
    spacing: tuple[float, float, float] = (1.0, 2.0, 5.0),
    positions: list[tuple[float, float, float]] | None = None,
    slope: float = 1.0,
    intercept: float = -1024.0,
    number: int = 1,
    each: Callable[[Dataset, int], None] | None = None,
    rle: bool = False,
    **tags: Any,
) -> None:
    """Write (X, Y, Z) stored values as axial slices, file names against the order of the positions.

    `spacing` is (column, row, slice) distance in mm; `positions` are DICOM's (LPS), one per slice, else on a
    straight stack from (10, 20, 30). `tags` overwrite those of every slice, None takes one away; `each` may
    change each slice, by its number. `rle` compresses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    series = generate_uid()
    count = volume.shape[2]
    for z in range(count):
        ds = _image(volume[:, :, z : z + 1], CTImageStorage)
        ds.SeriesInstanceUID, ds.SeriesNumber = series, number
        ds.PixelSpacing = [spacing[1], spacing[0]]
        ds.SliceThickness = spacing[2]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = list(positions[z]) if positions else [10.0, 20.0, 30.0 + spacing[2] * z]
        ds.InstanceNumber = z + 1
        ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
        for name, value in tags.items():
            if value is None:
                delattr(ds, name)
            else:
                setattr(ds, name, value)
        if each:
            each(ds, z)
        if rle:
            ds.compress(RLELossless, generate_instance_uid=False)
        ds.save_as(folder / f"{number}-{count - z:03d}.dcm", enforce_file_format=True)


def write_enhanced(
    file: Path,
    volume: np.ndarray,
    positions: list[tuple[float, float, float]],
    spacing: tuple[float, float] = (1.0, 2.0),
    slopes: list[float] | None = None,
    **tags: Any,
) -> None:
    """Write (X, Y, Z) stored values as frames of one enhanced CT file, frame z at ``positions[z]`` (LPS).

    `spacing` is (column, row) distance in mm; `slopes` are each frame's, its intercept is -1024.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    ds = _image(volume, EnhancedCTImageStorage)
    ds.SeriesInstanceUID, ds.SeriesNumber, ds.NumberOfFrames = generate_uid(), 1, volume.shape[2]
    ds.SharedFunctionalGroupsSequence = _item(
        PixelMeasuresSequence=_item(PixelSpacing=[spacing[1], spacing[0]], SliceThickness=5.0),
        PlaneOrientationSequence=_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
    )
    ds.PerFrameFunctionalGroupsSequence = Sequence(
        _item(
            PlanePositionSequence=_item(ImagePositionPatient=list(position)),
            PixelValueTransformationSequence=_item(
                RescaleSlope=slopes[z] if slopes else 1.0, RescaleIntercept=-1024.0
            ),
            FrameContentSequence=_item(TemporalPositionIndex=z + 1),
        )[0]
        for z, position in enumerate(positions)
    )
    for name, value in tags.items():
        setattr(ds, name, value)
    ds.save_as(file, enforce_file_format=True)


def put_frame(ds: Dataset, frame: bytes, syntax: str) -> None:
    """Replace the pixels by one compressed frame of that transfer syntax."""
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True


def without_preamble(file: Path) -> None:
    """Write a DICOM file again as old programs did: without preamble and file meta information."""
    from pydicom import dcmread

    ds = dcmread(file)
    plain = Dataset({element.tag: element for element in ds})
    plain.save_as(file, implicit_vr=True, little_endian=True)
    assert ds.file_meta.TransferSyntaxUID in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


def _image(volume: np.ndarray, kind: str) -> Dataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = kind
    meta.MediaStorageSOPInstanceUID = generate_uid()
    ds = Dataset()
    ds.file_meta = meta
    ds.SOPClassUID, ds.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    ds.Modality = "CT"
    ds.PatientName, ds.PatientID = "Doe^Jane", "secret-42"
    ds.Columns, ds.Rows = volume.shape[0], volume.shape[1]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.PixelData = np.ascontiguousarray(volume.T, dtype="<u2").tobytes()
    return ds


def _item(**tags: Any) -> Sequence:
    item = Dataset()
    for name, value in tags.items():
        setattr(item, name, value)
    return Sequence([item])
