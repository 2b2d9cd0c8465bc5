"""Intensities of any modality to the display range that all methods need: float32 in [0, 1], three channels."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform
from monai.transforms.utils_pytorch_numpy_unification import percentile
from monai.utils import TransformBackends, convert_to_tensor

from monai_ext.errors import InputError
from monai_ext.io.volumes import AIR
from monai_ext.transforms.margin import inside_bright_margin
from monai_ext.transforms.polarity import inverted_chest, shows_chest

AUTO = "auto"


class DisplayRange(Transform):
    """Scale an image (C, ...) to [0, 1] and to three channels.

    Three channels that are made of one share its memory (:meth:`torch.Tensor.expand`): clone before writing into them.

    - Pictures of 8 bits are divided by 255, those of 16 bits are scaled from their own range.
    - CT is windowed in Hounsfield units.
    - MR is scaled between two percentiles of the foreground of the volume (all values above the minimum).
    - Any other modality of DICOM is scaled from its own range.

    Pictures, and single slices of other modalities than CT and MR, lie in black after this: an even bright margin, as
    of a scan or a screenshot, becomes 0. A chest radiograph whose grey levels are turned is turned back. Sentences in
    ``meta["warnings"]`` say so. ``meta["recognised_as"]`` is "X-ray" for a picture of no stated modality that is
    surely a chest radiograph, else "".

    A volume whose file names no modality (NIfTI) is shown as CT when its minimum lies below -500, else as MR, and a
    sentence in ``meta["warnings"]`` says so.

    Args:
        modality: "auto", which follows the file and else the intensities; or "CT", "MR" or another modality for all
            volumes. It has no effect on pictures, which hold no HU.
        window: lower and upper end of the CT window, HU.
        percentiles: lower and upper percentile of the MR foreground, in [0, 100].

    Raises:
        InputError: on NaN or infinite values, where all values are equal, and on channel numbers other than 1 and 3.
    """

    backend = [TransformBackends.TORCH]  # noqa: RUF012 (as every transform of MONAI)

    def __init__(
        self,
        modality: str = AUTO,
        window: Sequence[float] = (-160.0, 240.0),
        percentiles: Sequence[float] = (0.5, 99.5),
    ) -> None:
        if not window[0] < window[1]:
            raise InputError(f"window {tuple(window)}: the lower end comes first.")
        if not 0 <= percentiles[0] < percentiles[1] <= 100:
            raise InputError(f"percentiles {tuple(percentiles)}: two rising numbers within 0 and 100.")
        self.modality = modality
        self.window = window
        self.percentiles = percentiles

    def __call__(self, img: NdarrayOrTensor, modality: str | None = None) -> torch.Tensor:
        """(3, ...) float32 in [0, 1] of a (1 or 3, ...) image; `modality` replaces that of the file."""
        image = convert_to_tensor(img, track_meta=True)
        full = 0.0 if image.is_floating_point() else float(torch.iinfo(image.dtype).max)
        meta = dict(image.meta)  # a copy, since warnings belong to the result and not to the input
        plain = image.as_tensor().to(torch.float32)
        name = Path(str(meta.get("filename_or_obj", "image"))).name
        if plain.shape[0] not in (1, 3):
            raise InputError(f"{name}: {plain.shape[0]} channels; give one, or three by channels.")
        # numpy reads an array in its memory order; torch would copy it, or compute indices for it
        values = plain.cpu().numpy().ravel(order="K")
        ends = float(values.min()), float(values.max())
        if not (math.isfinite(ends[0]) and math.isfinite(ends[1])):  # NaN where one value is NaN
            raise InputError(f"{name}: holds NaN or infinite values; replace them.")
        if ends[0] == ends[1]:
            raise InputError(f"{name}: all values are {ends[0]:g}; there is nothing to be seen in it.")
        low, high = self._range(values, ends, meta, modality, full)
        # as ScaleIntensityRange, but in the memory of one result: a large CT has a third of a gigabyte
        shown = plain.sub(low).div_(high - low).clamp_(0, 1) if high > low else torch.zeros_like(plain)
        meta["recognised_as"] = ""
        if meta.get("shown_as") not in ("CT", "MR") and (shown.ndim == 3 or shown.shape[-1] == 1):
            _mend_picture(shown if shown.ndim == 3 else shown[..., 0].transpose(1, 2), meta)
        shown = shown.expand(3, *shown.shape[1:])
        return MetaTensor(shown, meta=meta, applied_operations=image.applied_operations)

    def _range(
        self,
        values: np.ndarray,
        ends: tuple[float, float],
        meta: dict[str, Any],
        modality: str | None,
        full: float,
    ) -> tuple[float, float]:
        """The values that become 0 and 1.

        Args:
            values: all of the image.
            ends: the lowest and the highest of them, which differ.
            meta: of the image; the modality that it is shown as is added to it.
            modality: replaces that of the file.
            full: the highest value of the image's integer type, 0 for floating point.
        """
        if meta.get("bits") == 8:  # a picture, or a volume in colour
            return 0.0, 255.0
        if meta.get("kind") is None and full == 255.0:  # an 8-bit array from memory
            return 0.0, 255.0
        kind = meta["shown_as"] = self._modality(ends[0], meta, modality)
        if kind == "CT":
            return float(self.window[0]), float(self.window[1])
        if kind != "MR":
            return ends
        foreground = torch.from_numpy(values[values > ends[0]])
        low, high = (float(percentile(foreground, p, overwrite_input=True)) for p in self.percentiles)
        return low, high

    def _modality(self, lowest: float, meta: dict[str, Any], modality: str | None) -> str:
        """Modality in capitals ("CT", "MR", …): the configured one, else that of the file, else by the intensities."""
        stated = canonical(str(modality or meta.get("modality") or meta.get("Modality") or ""))
        if meta.get("kind") == "picture":
            return "PICTURE"
        if self.modality.lower() != AUTO:
            shown = canonical(self.modality)
            if stated not in ("", shown):
                _warn(meta, f"shown as {shown}, as configured, but the file says {stated}")
            return shown
        if stated:
            return stated
        guess = "CT" if lowest < AIR else "MR"
        _warn(meta, f"the file names no modality; by its intensities it was shown as {guess}")
        return guess


def _mend_picture(shown: torch.Tensor, meta: dict[str, Any]) -> None:
    """Blacken the margin and turn the polarity of a (C, H, W) picture in [0, 1], in place, with warnings in `meta`."""
    if (box := inside_bright_margin(shown)) is not None:
        inside = shown[:, *box].clone()
        shown.zero_()[:, *box] = inside
        _warn(meta, "the even bright margin around the picture was taken for black")
    if len(shown) == 1 and (box := inverted_chest(shown)) is not None:
        shown[:, *box] = 1 - shown[:, *box]
        _warn(meta, "the chest radiograph looks inverted, with bright lungs: its grey levels were turned")
    if not meta.get("modality") and _is_grey(shown) and shows_chest(shown[:1]):
        meta["recognised_as"] = "X-ray"


def _is_grey(picture: torch.Tensor) -> bool:
    """Whether the channels of a (C, H, W) picture in [0, 1] are equal, but for what a compression does to them."""
    return float((picture - picture[:1]).abs().max()) < 0.03


def _warn(meta: dict[str, Any], note: str) -> None:
    meta["warnings"] = "\n".join(line for line in (meta.get("warnings", ""), note) if line)


def canonical(modality: str) -> str:
    """The code of a modality in DICOM, in capitals: "MR" for MRI, "CT" for ct."""
    name = modality.strip().upper()
    return "MR" if name == "MRI" else name


class DisplayRanged(MapTransform):
    """Dictionary-based wrapper of :class:`DisplayRange`.

    Args:
        keys: keys of the images.
        modality, window, percentiles: see :class:`DisplayRange`.
        modality_key: key of the item's own modality, where it has one ("ct", "mri", …).
        keep_stored: keep the (C, ...) image as it is stored under `stored_key`, without copying it; of one key only.
        allow_missing_keys: do not raise when a key is missing.
    """

    backend = DisplayRange.backend

    def __init__(
        self,
        keys: KeysCollection,
        modality: str = AUTO,
        window: Sequence[float] = (-160.0, 240.0),
        percentiles: Sequence[float] = (0.5, 99.5),
        modality_key: str = "modality",
        keep_stored: bool = False,
        stored_key: str = "stored",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.display = DisplayRange(modality, window, percentiles)
        self.modality_key = modality_key
        self.keep_stored = keep_stored
        self.stored_key = stored_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Scale every key of `data`."""
        d = dict(data)
        for key in self.key_iterator(d):
            if self.keep_stored:
                d[self.stored_key] = d[key]
            d[key] = self.display(d[key], d.get(self.modality_key))
        return d


DisplayRangeD = DisplayRangeDict = DisplayRanged
