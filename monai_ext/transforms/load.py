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
from monai_ext.io.read_image import load_image
from monai_ext.io.volumes import MAX_SIDE, MAX_VOXELS


class MedicalLoadImage(LoadImage):
    """Load one image, or several that are stacked as channels, into a float MetaTensor.

    :func:`monai_ext.io.read_image.load_image` reads the files and says how the voxels come: pictures as (C, H, W),
    upright; volumes as (C, X, Y, Z) in the order of the file, with their affine in RAS and millimetres.

    ``meta`` holds only what later steps need, nothing that names a patient: what the reader gives, ``affine``,
    ``kind``, ``modality``, ``bits``, ``spacing``, ``slice_normal``, ``nifti_header``, ``source`` and ``warnings``
    (here sentences, one a line: a list would not survive collation), and what MONAI expects, ``original_affine``,
    ``spatial_shape``, ``space``, ``original_channel_dim`` (0) and ``filename_or_obj``.

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
        InputError: as :func:`monai_ext.io.read_image.load_image` does.
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
        array, meta = load_image(
            paths, self.label, self.dtype, self.channels, self.max_voxels, self.max_side, self.series
        )
        meta.update(
            original_affine=meta["affine"].copy(),
            spatial_shape=np.asarray(array.shape[1:]),
            space="RAS",
            original_channel_dim=0,
            filename_or_obj=str(paths[0]),
            warnings="\n".join(dict.fromkeys(meta["warnings"])),
        )
        # a file's own memory, mapped or a picture's, may be read-only; torch knows no negative steps
        if not array.flags.writeable or min(array.strides, default=0) < 0:
            array = array.copy(order="K")
        image = MetaTensor(torch.from_numpy(array), meta=meta)
        return image if self.image_only else (image, image.meta)


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
