"""Load a picture, a volume or a DICOM series, channel first, with the geometry its mask will need."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import DtypeLike, KeysCollection, PathLike
from monai.data import MetaTensor
from monai.data.image_reader import ImageReader
from monai.transforms import LoadImage, LoadImaged, MapTransform
from monai.utils import ensure_tuple, ensure_tuple_rep

from monai_ext.errors import InputError
from monai_ext.io.datalists import DICOM, ITK, NIFTI, PICTURES, READABLE, is_folder
from monai_ext.io.dicom.read import load_dicom
from monai_ext.io.read_itk import load_itk
from monai_ext.io.read_nifti import load_nifti
from monai_ext.io.read_picture import load_picture
from monai_ext.io.volumes import MAX_SIDE, MAX_VOXELS, check_channels


class MedicalLoadImage(LoadImage):
    """Load one image, or several that are stacked as channels, into a float MetaTensor.

    Pictures (PNG, JPEG, TIFF, BMP) come upright as (C, H, W), row 0 on top, with EXIF orientation applied,
    C = 1 or 3 and the identity as affine. Volumes (NIfTI, MHA, MHD, NRRD, DICOM) come as (C, X, Y, Z) in the
    order of the file with their affine in RAS, millimetres; a 2D volume has Z = 1. CT from DICOM is in HU.
    Nothing is resampled or reoriented.

    ``meta`` holds only what later steps need, nothing that names a patient: ``affine``, ``original_affine``,
    ``spatial_shape``, ``space``, ``original_channel_dim`` (0), ``filename_or_obj``, ``spacing`` (mm),
    ``kind`` ("picture", "nifti", "itk", "dicom"), ``modality`` (DICOM's, such as "CT", or ""), ``bits``
    (per channel of a picture, 8 of a volume in colour, else 0), ``nifti_header`` (uint8, the geometry of a
    NIfTI file), ``source`` (what else the writer of a mask in kind needs, a text) and ``warnings`` (sentences,
    one a line: a list would not survive collation).

    Args:
        label: the files are label maps: one channel, palette indices instead of palette colours.
        image_only: return only the MetaTensor; if False also its ``meta``, as LoadImage does.
        dtype: of the tensor. float32 holds every label up to 2^24 exactly.
        channels: which sequences become the channels, counted from 0, such as [0, 2, 3] or [1]: the files
            where several are given, else the volumes of a 4D NIfTI file. None: all files; a 4D file with
            more than one volume is refused.
        max_voxels: values (voxels or pixels, times channels) that a file may announce, looked at before
            they are allocated. The default of 2^29 is 512 x 512 x 2048, 2 GiB as float32.
        max_side: voxels or pixels that a file may announce along one axis.
        series: of a DICOM folder that holds several, as :func:`monai_ext.io.dicom.read.load_dicom` takes it.

    Raises:
        InputError: missing, damaged or too large file, another format, files that differ in shape, position
            or bits, sequences that are not there, several DICOM series.
    """

    def __init__(
        self,
        label: bool = False,
        image_only: bool = True,
        dtype: DtypeLike = np.float32,
        channels: Sequence[int] | int | None = None,
        max_voxels: int = MAX_VOXELS,
        max_side: int = MAX_SIDE,
        series: str = "",
    ) -> None:
        # not LoadImage's own constructor: it sets up every reader of MONAI, with notes on GPU decoders
        self.label = label
        self.image_only = image_only
        self.dtype = dtype
        self.channels = None if channels is None else [int(c) for c in ensure_tuple(channels)]
        if self.channels is not None and (not self.channels or min(self.channels) < 0):
            raise InputError(f"channels {self.channels}: give numbers of sequences, counted from 0.")
        self.max_voxels, self.max_side = max_voxels, max_side
        self.series = series

    def __call__(self, filename: Sequence[PathLike] | PathLike, reader: ImageReader | None = None) -> Any:
        """Load `filename`, one path or several of equal geometry; `reader` is not used, the format decides."""
        paths = [Path(os.fspath(name)).expanduser() for name in ensure_tuple(filename)]
        if len(paths) == 1:
            array, meta = self._load(paths[0], self.channels)
        else:
            array, meta = self._load_several(paths)
        meta.update(
            original_affine=meta["affine"].copy(),
            spatial_shape=np.asarray(array.shape[1:]),
            space="RAS",
            original_channel_dim=0,
            filename_or_obj=str(paths[0]),
            warnings="\n".join(dict.fromkeys(meta["warnings"])),
        )
        with np.errstate(over="ignore"):  # beyond float32 lies infinity, which DisplayRange refuses
            array = np.asarray(array, dtype=self.dtype)  # in the file's own order: turning it costs seconds
        # a file's own memory, mapped or a picture's, may be read-only; torch knows no negative steps
        if not array.flags.writeable or min(array.strides, default=0) < 0:
            array = array.copy(order="K")
        image = MetaTensor(torch.from_numpy(array), meta=meta)
        return image if self.image_only else (image, image.meta)

    def _load_several(self, paths: Sequence[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """The files of `paths` that `channels` choose, stacked, with the ``meta`` of the first of them."""
        if self.channels is not None:
            check_channels(paths[0].name, len(paths), self.channels)
            paths = [paths[channel] for channel in self.channels]
        loaded = [self._load(path) for path in paths]
        array, meta = loaded[0]
        for path, (other, other_meta) in zip(paths[1:], loaded[1:], strict=True):
            if other.shape[1:] != array.shape[1:] or not np.allclose(
                other_meta["affine"], meta["affine"], atol=1e-3
            ):
                raise InputError(
                    f"{path.name}: not of the shape and position of {paths[0].name}; register them first."
                )
            if other_meta["bits"] != meta["bits"]:
                raise InputError(f"{path.name}: not of as many bits as {paths[0].name}; save them alike.")
        notes = [note for _, m in loaded for note in m["warnings"]]
        return np.concatenate([a for a, _ in loaded]), {**meta, "warnings": notes}

    def _load(self, path: Path, channels: Sequence[int] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """(C, ...) array and the ``meta`` of one file or DICOM folder."""
        name = path.name.lower()
        folder = is_folder(path)
        try:
            if name.endswith(NIFTI) and not folder:
                return load_nifti(path, self.label, channels, self.max_voxels, self.max_side)
            if channels is not None:
                check_channels(path.name, 1, channels)
            if folder or name.endswith(DICOM):
                return load_dicom(path, self.series, self.max_voxels, self.max_side)
            if name.endswith(PICTURES):
                return load_picture(path, self.label, self.max_voxels, self.max_side)
            if name.endswith(ITK):
                return load_itk(path, self.label, self.max_voxels, self.max_side)
        except MemoryError as error:
            raise InputError(f"{path.name}: more than the memory holds; crop it.") from error
        raise InputError(f"{path.name}: not a format that is read; give {READABLE}.")


class MedicalLoadImaged(LoadImaged):
    """Dictionary-based wrapper of :class:`MedicalLoadImage`.

    Args:
        keys: keys of the paths to load.
        label_keys: those among `keys` that are label maps.
        dtype: of the tensors.
        allow_missing_keys: do not raise when a key is missing.
        channels, max_voxels, max_side, series: see :class:`MedicalLoadImage`; label maps know no `channels`.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_keys: KeysCollection = "label",
        dtype: DtypeLike = np.float32,
        allow_missing_keys: bool = False,
        channels: Sequence[int] | int | None = None,
        max_voxels: int = MAX_VOXELS,
        max_side: int = MAX_SIDE,
        series: str = "",
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)  # LoadImaged's own would build a LoadImage
        self.meta_keys = ensure_tuple_rep(None, len(self.keys))
        self.meta_key_postfix = ensure_tuple_rep("meta_dict", len(self.keys))
        self.label_keys = ensure_tuple(label_keys)
        limits: dict[str, Any] = {"dtype": dtype, "max_voxels": max_voxels, "max_side": max_side}
        # MONAI Label sets image_only on it
        self._loader = MedicalLoadImage(channels=channels, series=series, **limits)
        self._label_loader = MedicalLoadImage(label=True, **limits)

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
