"""From one probability channel per prompt to masks and one label map."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_to_tensor


class PromptMasks(Transform):
    """Binary masks of P prompts: 1 where the probability is above the threshold.

    Args:
        threshold: probability in [0, 1].
    """

    backend = [TransformBackends.TORCH]  # noqa: RUF012 (as every transform of MONAI)

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def __call__(self, img: NdarrayOrTensor) -> torch.Tensor:
        """(P, ...) uint8 in {0, 1} of (P, ...) probabilities; masks may overlap."""
        return (convert_to_tensor(img, track_meta=True) > self.threshold).to(torch.uint8)


class LabelMap(Transform):
    """One label map of P prompts: label i + 1 for prompt i, 0 for background.

    Where masks overlap the higher probability wins, on a tie the earlier prompt.

    Args:
        threshold: probability in [0, 1] above which a pixel belongs to a prompt.
    """

    backend = [TransformBackends.TORCH]  # noqa: RUF012 (as every transform of MONAI)

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def __call__(self, img: NdarrayOrTensor) -> torch.Tensor:
        """(1, ...) uint8 of (P, ...) probabilities.

        Raises:
            ValueError: with more than 255 prompts, which uint8 cannot number.
        """
        probabilities = convert_to_tensor(img, track_meta=True)
        if len(probabilities) > 255:
            raise ValueError(f"{len(probabilities)} prompts; a uint8 label map holds at most 255.")
        best, index = probabilities.max(dim=0, keepdim=True)  # the first of equal values
        return torch.where(best > self.threshold, index + 1, torch.zeros_like(index)).to(torch.uint8)


class PromptMasksd(MapTransform):
    """Dictionary-based wrapper of :class:`PromptMasks`, which leaves the probabilities where they are.

    Args:
        keys: keys of the (P, ...) probabilities.
        masks_key: key for the masks, one name per key of `keys`.
        threshold: see :class:`PromptMasks`.
        allow_missing_keys: do not raise when a key is missing.
    """

    backend = PromptMasks.backend

    def __init__(
        self,
        keys: KeysCollection = "pred",
        masks_key: str = "masks",
        threshold: float = 0.5,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(self.keys) != 1:
            raise ValueError(f"one key is thresholded into {masks_key!r}, got {self.keys}.")
        self.masks_key = masks_key
        self.masks = PromptMasks(threshold)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the masks to `data`."""
        d = dict(data)
        for key in self.key_iterator(d):
            d[self.masks_key] = self.masks(d[key])
        return d


class LabelMapd(MapTransform):
    """Dictionary-based wrapper of :class:`LabelMap`.

    Args:
        keys: keys of the (P, ...) probabilities, replaced by their label map.
        threshold: see :class:`LabelMap`.
        allow_missing_keys: do not raise when a key is missing.
    """

    backend = LabelMap.backend

    def __init__(
        self, keys: KeysCollection = "pred", threshold: float = 0.5, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.label_map = LabelMap(threshold)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace the probabilities in `data`."""
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.label_map(d[key])
        return d


class PopPresenced(MapTransform):
    """Move the presence of each prompt from the prediction's ``meta`` to data keys of its own.

    It comes first of all post-processing, since ``Invertd`` replaces ``pred.meta`` by that of the image.

    Args:
        keys: key of the (P, ...) MetaTensor that PromptInferer made for one case. With it arrive
            ``presence``, P values in [0, 1] for the case, ``slice_presence``, P x D for its slices, and
            ``unknown``, P sentences: why the network does not know a prompt's words, or "".
        allow_missing_keys: do not raise when the key is missing.

    Raises:
        ValueError: when the prediction carries no presence, or that of another number of prompts.
    """

    names = ("presence", "slice_presence", "unknown")

    def __init__(self, keys: KeysCollection = "pred", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(self.keys) != 1:
            raise ValueError(f"presence belongs to one prediction, got keys {self.keys}.")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add ``presence`` (P,), ``slice_presence`` (P, D) and ``unknown`` (P strings) to `data`."""
        d = dict(data)
        for key in self.key_iterator(d):
            pred = d[key]
            missing = [n for n in self.names if not isinstance(pred, MetaTensor) or n not in pred.meta]
            if missing:
                raise ValueError(
                    f"{key}: no {' and '.join(missing)} in its meta; only PromptInferer's output has it."
                )
            values = [torch.as_tensor(pred.meta[name]) for name in self.names[:2]]
            lines = pred.meta["unknown"]
            rest = {name: value for name, value in pred.meta.items() if name not in self.names}
            d[key] = MetaTensor(pred.as_tensor(), meta=rest, applied_operations=pred.applied_operations)
            if values[0].numel() != len(pred):
                raise ValueError(f"{key}: presence of {values[0].numel()} prompts for {len(pred)} channels.")
            # MONAI Label and Deploy take the first of a batch without taking its meta apart
            d["presence"], d["slice_presence"] = values[0].reshape(-1), values[1].reshape(len(pred), -1)
            d["unknown"] = (lines if isinstance(lines, str) else lines[0]).split("\n")
        return d


PromptMasksD = PromptMasksDict = PromptMasksd
LabelMapD = LabelMapDict = LabelMapd
PopPresenceD = PopPresenceDict = PopPresenced
