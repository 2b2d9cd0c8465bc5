"""Intensities of any modality to the display range that all methods take: float32 in [0, 1], three channels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import MapTransform, ScaleIntensityRange, Transform
from monai.transforms.utils_pytorch_numpy_unification import percentile
from monai.utils import TransformBackends, convert_to_tensor

from monai_ext.errors import InputError

AUTO = "auto"
AIR = -500.0  # no MR scanner writes values below this, every CT with air around or in the body does (HU)


class DisplayRange(Transform):
    """Scale an image (C, ...) to [0, 1] and to three channels.

    - Pictures are taken as they are: 8 bit over 255, 16 bit over their own range.
    - CT is windowed in Hounsfield units.
    - MR lies between two percentiles of its foreground (all that is above its minimum), over the volume.
    - Any other modality of DICOM over its own range.

    A volume whose file names no modality (NIfTI) is taken for CT when its minimum lies below -500, else for
    MR, and a sentence in ``meta["warnings"]`` says so.

    Args:
        modality: "auto" (what the file says, then the intensities), or "CT", "MR" or a name of another
            modality, which decides for every volume. Pictures hold no HU: they are scaled the same whatever
            it says.
        window: lower and upper end of the CT window, HU.
        percentiles: lower and upper percentile of the MR foreground, in [0, 100].

    Raises:
        InputError: on NaN or infinite values, and on channel numbers other than 1 and 3.
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
        """(3, ...) float32 in [0, 1] of a (1 or 3, ...) image; `modality` stands in for the file's own."""
        image = convert_to_tensor(img, track_meta=True)
        whole = not image.is_floating_point()
        high = float(torch.iinfo(image.dtype).max) if whole else 0.0
        image = image.to(torch.float32)
        if isinstance(image, MetaTensor):  # warnings go to the result, not to the input
            image = MetaTensor(
                image.as_tensor(), meta=dict(image.meta), applied_operations=image.applied_operations
            )
        meta = image.meta if isinstance(image, MetaTensor) else {}
        name = Path(str(meta.get("filename_or_obj", "image"))).name
        if image.shape[0] not in (1, 3):
            raise InputError(f"{name}: {image.shape[0]} channels; give one, or three by channels.")
        if not torch.isfinite(image).all():
            raise InputError(f"{name}: holds NaN or infinite values; replace them.")
        if image.numel() and bool((image == image.reshape(-1)[0]).all()):
            note = "all values of the image are equal: there is nothing to be seen in it"
            meta["warnings"] = "\n".join(w for w in (meta.get("warnings", ""), note) if w)
        low, high = self._range(image, meta, modality, high)
        if high > low:
            image = convert_to_tensor(
                ScaleIntensityRange(low, high, 0.0, 1.0, clip=True)(image), track_meta=True
            )
        else:
            image = torch.zeros_like(image)
        return image if image.shape[0] == 3 else image.expand(3, *image.shape[1:]).contiguous()

    def _range(
        self, image: torch.Tensor, meta: dict[str, Any], modality: str | None, high: float
    ) -> tuple[float, float]:
        """Values shown as 0 and 1."""
        if meta.get("bits") == 8:  # a picture, or a volume in colour
            return 0.0, 255.0
        if meta.get("kind") is None and high == 255.0:  # an 8-bit array from memory
            return 0.0, 255.0
        kind = self._modality(image, meta, modality)
        if kind == "CT":
            return float(self.window[0]), float(self.window[1])
        lowest, highest = float(image.min()), float(image.max())
        if kind != "MR" or highest <= lowest:
            return lowest, highest
        foreground = image[image > lowest].reshape(-1)
        ends = [
            float(percentile(foreground.as_tensor() if isinstance(foreground, MetaTensor) else foreground, p))
            for p in self.percentiles
        ]
        return ends[0], ends[1]

    def _modality(self, image: torch.Tensor, meta: dict[str, Any], modality: str | None) -> str:
        """ "CT", "MR" or another name in capitals, as configured, else of the file, else by the intensities."""
        if meta.get("kind") == "picture":
            return "PICTURE"
        if self.modality.lower() != AUTO:
            return canonical(self.modality)
        said = modality or meta.get("modality") or meta.get("Modality") or ""
        if said:
            return canonical(str(said))
        guess = "CT" if float(image.min()) < AIR else "MR"
        note = f"the file names no modality; by its intensities it was shown as {guess}"
        meta["warnings"] = "\n".join(w for w in (meta.get("warnings", ""), note) if w)
        return guess


def canonical(modality: str) -> str:
    """ "MR" for MRI, "CT" for ct, and so on: the code that DICOM uses, in capitals."""
    name = modality.strip().upper()
    return "MR" if name == "MRI" else name


class DisplayRanged(MapTransform):
    """Dictionary-based wrapper of :class:`DisplayRange`.

    Args:
        keys: keys of the images.
        modality, window, percentiles: see :class:`DisplayRange`.
        modality_key: key of the item's own modality, where it has one ("ct", "mri", …).
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
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.display = DisplayRange(modality, window, percentiles)
        self.modality_key = modality_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Scale every key of `data`."""
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.display(d[key], d.get(self.modality_key))
        return d


DisplayRangeD = DisplayRangeDict = DisplayRanged
