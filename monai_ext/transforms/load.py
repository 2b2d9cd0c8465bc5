"""Load a picture, a NIfTI file or a DICOM folder, channel first, with the geometry its mask will need."""

from __future__ import annotations

import os
import zlib
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import numpy as np
import torch
from monai.config import DtypeLike, KeysCollection, PathLike
from monai.data import MetaTensor
from monai.data.image_reader import ImageReader, ITKReader, NibabelReader
from monai.data.utils import affine_to_spacing
from monai.transforms import LoadImage, LoadImaged, MapTransform
from monai.utils import ensure_tuple, ensure_tuple_rep
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from PIL import Image, ImageOps

from monai_ext.data.datalists import PICTURES, READABLE, VOLUMES
from monai_ext.data.dicom import read_series
from monai_ext.data.slices import check_affine
from monai_ext.errors import InputError

PRIVATE = ("data_type", "db_name", "descrip", "aux_file", "intent_name")  # free text: can name a patient


class MedicalLoadImage(LoadImage):
    """Load one image, or several that are stacked as channels, into a float MetaTensor.

    Pictures (PNG, JPEG) come upright as (C, H, W), row 0 on top, with EXIF orientation applied, C = 1 or 3
    and the identity as affine. Volumes come as (C, X, Y, Z) in the order of the file with their affine in
    RAS, millimetres; a 2D NIfTI file has Z = 1. CT from DICOM is in HU. Nothing is resampled or reoriented.

    ``meta`` holds only what later steps need, nothing that names a patient: ``affine``, ``original_affine``,
    ``spatial_shape``, ``space``, ``original_channel_dim`` (0), ``filename_or_obj``, ``spacing`` (mm),
    ``kind`` ("picture", "nifti", "dicom"), ``modality`` (DICOM's, such as "CT", or ""), ``bits`` (per
    channel of a picture, else 0), ``nifti_header`` (uint8, the geometry of a NIfTI file) and ``warnings``
    (sentences, one a line: a list would not survive collation).

    Args:
        label: the files are label maps: one channel, palette indices instead of palette colours.
        image_only: return only the MetaTensor; if False also its ``meta``, as LoadImage does.
        dtype: of the tensor. float32 holds every label up to 2^24 exactly.

    Raises:
        InputError: missing or damaged file, another format, 4D or colour NIfTI, several DICOM series.
    """

    def __init__(self, label: bool = False, image_only: bool = True, dtype: DtypeLike = np.float32) -> None:
        # not LoadImage's own constructor: it sets up every reader of MONAI, with notes on GPU decoders
        self.label = label
        self.image_only = image_only
        self.dtype = dtype

    def __call__(self, filename: Sequence[PathLike] | PathLike, reader: ImageReader | None = None) -> Any:
        """Load `filename`, one path or several of equal geometry; `reader` is not used, the format decides."""
        paths = [Path(os.fspath(name)).expanduser() for name in ensure_tuple(filename)]
        loaded = [self._load(path) for path in paths]
        array, meta = loaded[0]
        for path, (other, other_meta) in zip(paths[1:], loaded[1:], strict=True):
            if other.shape[1:] != array.shape[1:] or not np.allclose(
                other_meta["affine"], meta["affine"], atol=1e-3
            ):
                raise InputError(
                    f"{path.name}: not of the shape and position of {paths[0].name}; register them first."
                )
        array = np.concatenate([a for a, _ in loaded])
        meta.update(
            original_affine=meta["affine"].copy(),
            spatial_shape=np.asarray(array.shape[1:]),
            space="RAS",
            original_channel_dim=0,
            filename_or_obj=str(paths[0]),
            warnings="\n".join(dict.fromkeys(w for _, m in loaded for w in m["warnings"])),
        )
        image = MetaTensor(torch.from_numpy(np.ascontiguousarray(array, dtype=self.dtype)), meta=meta)
        return image if self.image_only else (image, image.meta)

    def _load(self, path: Path) -> tuple[np.ndarray, dict[str, Any]]:
        """(C, ...) array and the ``meta`` of one file or DICOM folder."""
        if not path.exists():
            raise InputError(f"{path.name}: no such file or folder.")
        name = path.name.lower()
        if path.is_dir():
            return load_dicom(path)
        if name.endswith(PICTURES):
            return load_picture(path, self.label)
        if name.endswith(VOLUMES):
            return load_nifti(path)
        raise InputError(f"{path.name}: not a format that is read; give {READABLE}.")


def load_picture(path: Path, label: bool = False) -> tuple[np.ndarray, dict[str, Any]]:
    """(1 or 3, H, W) of a picture, row 0 on top, transparency laid on black, with its ``meta``."""
    try:
        with Image.open(path) as opened:
            opened.load()
            picture = ImageOps.exif_transpose(opened)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{path.name}: not a readable picture ({type(error).__name__}); export it again."
        ) from error
    bits = 16 if picture.mode.startswith("I") else 8
    if picture.mode == "1":
        picture = picture.convert("L")
    if label:
        array = _label_plane(path, picture)
    elif picture.mode in ("P", "PA", "LA", "RGBA") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        array = np.asarray(Image.alpha_composite(black, rgba).convert("RGB"))
    elif picture.mode in ("L", "RGB") or bits == 16:
        array = np.asarray(picture)
    elif picture.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        array = np.asarray(picture.convert("RGB"))
    else:
        raise InputError(f"{path.name}: pictures of mode {picture.mode} are not read; save it as 8-bit PNG.")
    planes = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    if len(planes) == 3 and np.array_equal(planes[0], planes[1]) and np.array_equal(planes[0], planes[2]):
        planes = planes[:1]  # grey stored as colour
    meta = {"affine": np.eye(4), "kind": "picture", "modality": "", "bits": bits, "spacing": np.ones(2)}
    return planes, {**meta, "nifti_header": np.zeros(0, np.uint8), "warnings": []}


def _label_plane(path: Path, picture: Image.Image) -> np.ndarray:
    array = np.asarray(picture)
    if array.ndim == 3:
        if (array[..., :3] != array[..., :1]).any():
            raise InputError(f"{path.name}: a label map in colour; save one number per pixel.")
        array = array[..., 0]
    return array


def load_nifti(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """(1, X, Y, Z) of a 2D or 3D NIfTI file in its own order, with its ``meta``."""
    try:
        stored = cast(nib.Nifti1Pair, nib.load(path))
        reader = NibabelReader()
        volume = reader.read(str(path))
        array, meta = reader.get_data(volume)
    except (OSError, EOFError, ValueError, zlib.error, ImageFileError, HeaderDataError) as error:
        raise InputError(
            f"{path.name}: not a readable NIfTI file ({type(error).__name__}); export it again."
        ) from error
    if array.dtype.fields or np.iscomplexobj(array):
        raise InputError(f"{path.name}: colour and complex NIfTI are not read; save one number per voxel.")
    if any(size != 1 for size in array.shape[3:]):
        raise InputError(
            f"{path.name}: {array.ndim}D NIfTI {array.shape}; give one 3D file per time point or sequence."
        )
    if array.ndim < 2 or 0 in array.shape:
        raise InputError(f"{path.name}: no image in it, its shape is {array.shape}.")
    array = array.reshape((*array.shape, 1)[:3])
    try:
        affine = check_affine(meta["affine"])
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None
    notes = []
    header = stored.header.copy()
    if not np.allclose(affine, stored.affine, atol=1e-3):
        notes.append("the header's sform, qform and pixdim disagree; the one that fits pixdim was used")
        header = volume.header.copy()  # corrected by MONAI
    for field in PRIVATE:
        if field in header:
            header[field] = b""
    block = np.frombuffer(header.as_byteswapped("<").binaryblock, dtype=np.uint8).copy()
    return array[None], {**_volume_meta(affine, "nifti", ""), "nifti_header": block, "warnings": notes}


def load_dicom(folder: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """(1, X, Y, Z) of the one series in a DICOM folder, rescaled (CT: HU), with its ``meta``."""
    import itk

    series = read_series(folder)
    volume = itk.Image[itk.F, 3]
    try:
        reader = itk.ImageSeriesReader[volume].New(
            FileNames=[str(file) for file in series.files],
            ImageIO=itk.GDCMImageIO.New(),
            SpacingWarningRelThreshold=1.0,  # read_series looked at the distances already
        )
        reader.Update()
        array, meta = ITKReader().get_data(reader.GetOutput())
    except RuntimeError as error:
        raise InputError(
            f"{folder.name}: the DICOM pixels cannot be decoded; export them uncompressed."
        ) from error
    array = array.reshape(meta["spatial_shape"])  # one slice comes without its last axis
    affine = check_affine(meta["affine"])
    empty = np.zeros(0, np.uint8)
    return array[None], {
        **_volume_meta(affine, "dicom", series.modality),
        "nifti_header": empty,
        "warnings": list(series.warnings),
    }


def _volume_meta(affine: np.ndarray, kind: str, modality: str) -> dict[str, Any]:
    spacing = affine_to_spacing(affine, r=3)
    return {"affine": affine, "kind": kind, "modality": modality, "bits": 0, "spacing": spacing}


class MedicalLoadImaged(LoadImaged):
    """Dictionary-based wrapper of :class:`MedicalLoadImage`.

    Args:
        keys: keys of the paths to load.
        label_keys: those among `keys` that are label maps.
        dtype: of the tensors.
        allow_missing_keys: do not raise when a key is missing.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_keys: KeysCollection = "label",
        dtype: DtypeLike = np.float32,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)  # LoadImaged's own would build a LoadImage
        self.meta_keys = ensure_tuple_rep(None, len(self.keys))
        self.meta_key_postfix = ensure_tuple_rep("meta_dict", len(self.keys))
        self.label_keys = ensure_tuple(label_keys)
        self._loader = MedicalLoadImage(dtype=dtype)  # MONAI Label sets image_only on it
        self._label_loader = MedicalLoadImage(label=True, dtype=dtype)

    def __call__(self, data: Any, reader: ImageReader | None = None) -> dict[Hashable, Any]:
        """Load every key of `data`; raises as :class:`MedicalLoadImage` does."""
        d = dict(data)
        for key, meta_key, postfix in self.key_iterator(d, self.meta_keys, self.meta_key_postfix):
            loader = self._label_loader if key in self.label_keys else self._loader
            loader.image_only = self._loader.image_only
            loaded = loader(d[key])
            d[key] = loaded if loader.image_only else loaded[0]
            if not loader.image_only:
                d[meta_key or f"{key}_{postfix}"] = loaded[1]
        return d


MedicalLoadImageD = MedicalLoadImageDict = MedicalLoadImaged
