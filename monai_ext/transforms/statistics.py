"""Add the figures of each mask to its record."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_ext.io.write_masks import MaskFormat
from monai_ext.metrics.mask_statistics import mask_statistics

STATISTICS = "statistics"
"""Key of the figures in a record."""


class MaskStatisticsd(MapTransform):
    """Add ``statistics`` to the record of each prompt, see :func:`monai_ext.metrics.mask_statistics.mask_statistics`.

    They hold beside these figures ``coordinates``, of bounding box and centroid: "RAS" or "LPS" in mm, as the file of
    the mask counts (NIfTI: RAS; DICOM, MetaImage and NRRD: LPS), or "column, row" in pixels; ``length_unit``, "mm" or
    "px"; and ``intensity_unit``, "HU" of what was shown as CT, else "stored value", with "mean of 3 channels" of colour.

    Args:
        keys: key of the (P, ...) masks.
        enabled: False adds nothing.
        output_format: of the masks, see :class:`monai_ext.transforms.MaskSaveImaged`.
        stored_key: data key of the (C, ...) image as it is stored, which
            :class:`monai_ext.transforms.DisplayRanged` keeps there with ``keep_stored``.
        record_key: data key of the record, a list of one dict per prompt.
        allow_missing_keys: do not raise when the masks are missing.

    Raises:
        KeyError: when the image or the record is missing.
    """

    def __init__(
        self,
        keys: KeysCollection = "masks",
        enabled: bool = True,
        output_format: MaskFormat = "auto",
        stored_key: str = "stored",
        record_key: str = "record",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.enabled = enabled
        self.output_format = output_format
        self.stored_key = stored_key
        self.record_key = record_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with a longer record."""
        d = dict(data)
        if not self.enabled:
            return d
        for key in self.key_iterator(d):
            masks, values = d[key], _array(d[self.stored_key])
            meta = getattr(masks, "meta", {})
            system = coordinates(meta, self.output_format)
            affine = None if masks.ndim == 3 else np.asarray(meta["affine"], np.float64)
            if system == "LPS":
                affine = np.diag([-1.0, -1, 1, 1]) @ affine
            stated = {
                "coordinates": system,
                "length_unit": "px" if affine is None else "mm",
                "intensity_unit": intensity_unit(meta, len(values)),
            }
            d[self.record_key] = [
                {**row, STATISTICS: {**stated, **mask_statistics(mask, values, affine)}}
                for row, mask in zip(d[self.record_key], _array(masks), strict=True)
            ]
        return d


def coordinates(meta: Mapping[str, Any], output_format: MaskFormat) -> str:
    """What the coordinates of a mask's file count: "RAS", "LPS" or "column, row"."""
    if meta.get("kind") == "picture":
        return "column, row"
    return "LPS" if meta.get("kind") in ("dicom", "itk") and output_format != "nifti" else "RAS"


def intensity_unit(meta: Mapping[str, Any], channels: int) -> str:
    """The unit of the intensities of an image."""
    if meta.get("shown_as") == "CT" and channels == 1:
        return "HU"
    return "stored value" if channels == 1 else f"stored value, mean of {channels} channels"


def _array(image: torch.Tensor) -> np.ndarray:
    return image.detach().cpu().numpy()
