"""Small DICOM series for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def write_series(
    folder: Path,
    volume: np.ndarray,
    spacing: tuple[float, float, float] = (1.0, 2.0, 5.0),
    positions: list[tuple[float, float, float]] | None = None,
    slope: float = 1.0,
    intercept: float = -1024.0,
    number: int = 1,
    **tags: Any,
) -> None:
    """Write (X, Y, Z) stored values as axial slices, file names against the order of the positions.

    `spacing` is (column, row, slice) distance in mm; `positions` are DICOM's (LPS), one per slice, else on a
    straight stack from (10, 20, 30). `tags` overwrite those of every slice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    series = generate_uid()
    count = volume.shape[2]
    for z in range(count):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        ds = Dataset()
        ds.file_meta = meta
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        ds.SeriesInstanceUID, ds.SeriesNumber, ds.Modality = series, number, "CT"
        ds.PatientName, ds.PatientID = "Doe^Jane", "secret-42"
        ds.Columns, ds.Rows = volume.shape[0], volume.shape[1]
        ds.PixelSpacing = [spacing[1], spacing[0]]
        ds.SliceThickness = spacing[2]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = list(positions[z]) if positions else [10.0, 20.0, 30.0 + spacing[2] * z]
        ds.InstanceNumber = z + 1
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated = ds.BitsStored = 16
        ds.HighBit, ds.PixelRepresentation = 15, 0
        ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
        ds.PixelData = np.ascontiguousarray(volume[:, :, z].T, dtype="<u2").tobytes()
        for name, value in tags.items():
            setattr(ds, name, value)
        ds.save_as(folder / f"{number}-{count - z:03d}.dcm", enforce_file_format=True)
