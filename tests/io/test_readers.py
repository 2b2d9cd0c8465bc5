"""Every format keeps the contract of readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.io.image_files import LPS, write_dicom, write_itk, write_nifti, write_picture
from tests.io.reader_contract import ReaderContract, VolumeReaderContract

RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


class TestPicture(ReaderContract):
    names = ("p.png", "p.tif")
    kind = "picture"
    dtypes = (np.uint8, np.uint16)
    shape = (60, 40)

    def write(self, path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
        return write_picture(path, array)


class TestNIfTI(VolumeReaderContract):
    names = ("v.nii", "v.nii.gz")
    kind = "nifti"
    dtypes = (np.int16, np.uint8, np.int8, np.uint16, np.int32, np.uint32, np.float32, np.float64)

    def write(self, path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
        return write_nifti(path, array.view(RGB)[..., 0] if array.ndim == 4 else array, affine)


class TestMetaImage(VolumeReaderContract):
    names = ("v.mha", "v.mhd")
    kind = "itk"
    dtypes = (np.int16, np.uint8, np.int8, np.uint16, np.int32, np.uint32, np.float32, np.float64)

    def write(self, path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
        return write_itk(path, array, affine, colour=array.ndim == 4)

    def files(self, path: Path) -> list[Path]:
        return [path.with_suffix(".raw") if path.suffix == ".mhd" else path]


class TestCompressedMetaImage(TestMetaImage):
    names = ("compressed.mha",)

    def write(self, path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
        return write_itk(path, array, affine, colour=array.ndim == 4, compressed=True)


class TestNRRD(TestMetaImage):
    names = ("v.nrrd",)


class TestCompressedNRRD(TestCompressedMetaImage):
    names = ("compressed.nrrd",)


class TestDICOM(VolumeReaderContract):
    names = ("ct",)
    kind = "dicom"
    dtypes = (np.int16, np.uint16)
    colour = False

    def write(self, path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
        if array.ndim == 3:
            return write_dicom(path, array, affine)
        return write_dicom(path, array[..., 0], affine, SamplesPerPixel=3, PhotometricInterpretation="RGB")

    def files(self, path: Path) -> list[Path]:
        return sorted(path.iterdir())

    def as_read(self, stored: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Slices are read in the order in which they rise along their normal."""
        if np.linalg.det((LPS @ affine)[:3, :3]) > 0:
            return stored, affine
        turned = affine.copy()
        turned[:3, 3] += affine[:3, 2] * (stored.shape[2] - 1)
        turned[:3, 2] *= -1
        return stored[:, :, ::-1], turned
