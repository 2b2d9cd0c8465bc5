"""Small files of every format that is read, made of an array and its affine, with a patient's name where one fits."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from PIL import Image, PngImagePlugin

from tests.io.dicom.dicom_files import write_series

PATIENT = "Doe^Jane"
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From RAS, in which affines are given, to the axes of ITK and DICOM, and back."""

AFFINE = np.array([[-2.0, 0, 0, 11], [0, 0, 3, 12], [0, 1.5, 0, 13], [0, 0, 0, 1]])
"""Of no two axes alike: voxels of 2 mm to the left, 1.5 mm to superior, 3 mm to anterior."""


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    """(X, Y, Z) or (X, Y) numbers, or colours (fields R, G, B), as ``.nii`` or ``.nii.gz``."""
    volume = nib.Nifti1Image(array, affine)
    volume.header["descrip"] = volume.header["db_name"] = PATIENT.encode()
    nib.save(volume, path)
    return path


def itk_image(array: np.ndarray, affine: np.ndarray | None = None, colour: bool = False) -> sitk.Image:
    """(X, Y, Z) or (X, Y), with `colour` (X, Y, Z, 3), whose 2D affine is the first columns and rows of a 3D one."""
    axes = range(array.ndim - colour - 1, -1, -1)
    stored = np.ascontiguousarray(array.transpose(*axes, *[array.ndim - 1] * colour))
    image = sitk.GetImageFromArray(stored, isVector=colour)
    if affine is not None:
        n = len(axes)
        spacing = np.linalg.norm(affine[:n, :n], axis=0)
        image.SetSpacing(spacing.tolist())
        image.SetOrigin((LPS @ affine)[:n, 3].tolist())
        image.SetDirection(((LPS @ affine)[:n, :n] / spacing).ravel().tolist())
    return image


def write_itk(
    path: Path,
    array: np.ndarray,
    affine: np.ndarray | None = None,
    colour: bool = False,
    compressed: bool = False,
) -> Path:
    """An array as :func:`itk_image` takes it, as ``.mha``, ``.mhd`` or ``.nrrd``."""
    sitk.WriteImage(itk_image(array, affine, colour), str(path), useCompression=compressed)
    nrrd = path.suffix == ".nrrd"
    head, sign, rest = path.read_bytes().partition(b"\n\n" if nrrd else b"ElementDataFile")
    line = f"\n# {PATIENT}\nPatient:={PATIENT}" if nrrd else f"Comment = {PATIENT}\n"
    path.write_bytes(head + line.encode() + sign + rest)
    return path


def write_dicom(folder: Path, array: np.ndarray, affine: np.ndarray, **tags: object) -> Path:
    """(X, Y, Z) of 16 bits as a folder of slices."""
    placed = LPS @ affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    row, column = (placed[:3, axis] / spacing[axis] for axis in (0, 1))
    write_series(
        folder,
        array.astype(np.int64) & 0xFFFF,
        tuple(spacing),
        [tuple(np.round(placed[:3, 3] + z * placed[:3, 2], 9)) for z in range(array.shape[2])],
        intercept=0.0,
        PixelRepresentation=int(array.dtype.kind == "i"),
        ImageOrientationPatient=[round(float(x), 12) for x in (*row, *column)],
        PatientName=PATIENT,
        **tags,
    )
    return folder


def write_picture(path: Path, array: np.ndarray) -> Path:
    """(H, W) or (H, W, 3) as ``.png``, ``.tif`` or ``.bmp``."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", PATIENT)
    more = {".png": {"pnginfo": text}, ".tif": {"description": PATIENT}}
    Image.fromarray(array).save(path, **more.get(path.suffix, {}))
    return path
