"""From one probability channel per prompt to masks and a label map."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_to_tensor


def mask_ranks(probabilities: torch.Tensor, threshold: float) -> torch.Tensor:
    """Ranks of the P prompts at each pixel, which replace their probabilities in a quarter of the memory.

    Masks need to know where a probability is above the threshold, and a label map which prompt is the most probable one
    there. A uint8 rank says both: 0 is outside of the mask of a prompt, and where masks overlap the more probable prompt
    has the higher rank. The order of the others stays the same when a prompt is taken out.

    Args:
        probabilities: (P, ...) in [0, 1].
        threshold: probability in [0, 1].

    Returns:
        (P, ...) uint8: 0 where a probability is not above the threshold, 1 where only one is. Where several are, the
        highest probability has rank P (255 at most), the next one less, and so on down to 1, which the least probable
        share beyond 255 prompts. Of equal probabilities the earlier prompt has the higher rank.
    """
    ranks = (probabilities > threshold).to(torch.uint8)
    shared = ranks.sum(0, dtype=torch.int16) > 1
    if shared.any():
        found = (
            ranks.flatten(1).bool().any(1)
        )  # the others, often most of many prompts, have rank 0 whatever the order
        order = probabilities[found][:, shared].T.sort(dim=1, descending=True, stable=True).indices
        highest = min(len(probabilities), 255)
        descending = highest - torch.arange(order.shape[1], device=ranks.device)
        descending = descending.clamp(min=1).to(torch.uint8)
        ranked = torch.empty_like(order, dtype=torch.uint8).scatter_(1, order, descending.expand_as(order))
        masks = ranks[found]
        masks[:, shared] *= ranked.T
        ranks[found] = masks
    return ranks


class PromptMasks(Transform):
    """Binary masks of P prompts: 1 where the probability is above the threshold, or the rank above 0.

    Args:
        threshold: probability in [0, 1]; not used for ranks (:func:`mask_ranks`), which hold their own.
    """

    backend = [TransformBackends.TORCH]  # noqa: RUF012 (as every transform of MONAI)

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def __call__(self, img: NdarrayOrTensor) -> torch.Tensor:
        """Masks (P, ...) uint8 in {0, 1}, which may overlap.

        Args:
            img: (P, ...) probabilities, or uint8 ranks, which are changed into the masks in place.
        """
        scores = convert_to_tensor(img, track_meta=True)
        if scores.dtype == torch.uint8:
            return scores.clamp_(max=1)
        return (scores > self.threshold).to(torch.uint8)


class LabelMap(Transform):
    """One label map of P prompts: label i + 1 for prompt i, 0 for background.

    Where masks overlap, the prompt with the higher probability or rank is chosen, of equal ones the earlier.

    Args:
        threshold: probability in [0, 1] above which a pixel belongs to a prompt; not used for ranks.
    """

    backend = [TransformBackends.TORCH]  # noqa: RUF012 (as every transform of MONAI)

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def __call__(self, img: NdarrayOrTensor) -> torch.Tensor:
        """The label map (1, ...) uint8 of (P, ...) probabilities or uint8 ranks, in the same memory layout.

        Raises:
            ValueError: with more than 255 prompts, which uint8 cannot number.
        """
        scores = convert_to_tensor(img, track_meta=True)
        if len(scores) > 255:
            raise ValueError(f"{len(scores)} prompts; a uint8 label map holds at most 255.")
        whole = scores.as_tensor()
        labels = torch.zeros_like(whole[:1], dtype=torch.uint8)
        limit = 0 if whole.dtype == torch.uint8 else self.threshold
        # a volume is done plane by plane, so that temporary memory stays small
        axis = max(range(1, whole.ndim), key=whole.stride)
        planes = [(labels, whole)] if whole.ndim < 4 else zip(labels.unbind(axis), whole.unbind(axis))
        for labelled, plane in planes:
            best = torch.full_like(plane[0], limit)
            for index, score in enumerate(plane):
                better = score > best
                labelled[0].masked_fill_(better, index + 1)
                best = torch.where(better, score, best)
        return MetaTensor(labels).copy_meta_from(scores)


class PromptMasksd(MapTransform):
    """Dictionary-based wrapper of :class:`PromptMasks`; probabilities stay as they are, ranks become the masks.

    Args:
        keys: key of the (P, ...) probabilities or ranks.
        masks_key: key for the masks.
        threshold: see :class:`PromptMasks`.
        label_map: also replace the probabilities or ranks by their :class:`LabelMap`.
        allow_missing_keys: do not raise when a key is missing.
    """

    backend = PromptMasks.backend

    def __init__(
        self,
        keys: KeysCollection = "pred",
        masks_key: str = "masks",
        threshold: float = 0.5,
        label_map: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(self.keys) != 1:
            raise ValueError(f"one key is thresholded into {masks_key!r}, got {self.keys}.")
        self.masks_key = masks_key
        self.masks = PromptMasks(threshold)
        self.label_map = LabelMap(threshold) if label_map else None

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the masks to `data`, and the label map if `label_map` is set."""
        d = dict(data)
        for key in self.key_iterator(d):
            scores = d[key]
            if self.label_map is not None:  # before the masks, which overwrite ranks
                d[key] = self.label_map(scores)
            d[self.masks_key] = self.masks(scores)
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

    It is the first post-processing transform, since ``Invertd`` replaces ``pred.meta`` by that of the image.

    Args:
        keys: key of the (P, ...) MetaTensor that PromptInferer made for one case. Its ``meta`` holds ``presence``, P
            values in [0, 1] for the case, ``slice_presence``, P x D for its slices, ``unknown``, P sentences that say
            why a prompt was refused, or "", and ``reading``, what was asked instead of each prompt. Where uncertainty was
            measured it also holds ``quality``, ``members`` and ``members_found``, P values each, and ``entropy`` in the
            shape of the prediction, which become keys, too.
        allow_missing_keys: do not raise when the key is missing.

    Raises:
        ValueError: when the prediction has no presence, or that of another number of prompts.
    """

    names = ("presence", "slice_presence", "unknown", "reading")
    measured = ("quality", "members", "members_found", "entropy")

    def __init__(self, keys: KeysCollection = "pred", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(self.keys) != 1:
            raise ValueError(f"presence belongs to one prediction, got keys {self.keys}.")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add ``presence`` (P,), ``slice_presence`` (P, D), ``unknown`` (P strings) and ``reading`` (P dicts) to `data`."""
        d = dict(data)
        for key in self.key_iterator(d):
            pred = d[key]
            missing = [n for n in self.names if not isinstance(pred, MetaTensor) or n not in pred.meta]
            if missing:
                raise ValueError(
                    f"{key}: no {' and '.join(missing)} in its meta; only PromptInferer's output has it."
                )
            values = [torch.as_tensor(pred.meta[name]) for name in self.names[:2]]
            lines, reading = (_first(pred.meta[name]) for name in self.names[2:])
            moved = (*self.names, *self.measured)
            rest = {name: value for name, value in pred.meta.items() if name not in moved}
            d[key] = MetaTensor(pred.as_tensor(), meta=rest, applied_operations=pred.applied_operations)
            if values[0].numel() != len(pred):
                raise ValueError(f"{key}: presence of {values[0].numel()} prompts for {len(pred)} channels.")
            # MONAI Label and Deploy take the first item of a batch and leave its meta batched
            d["presence"], d["slice_presence"] = values[0].reshape(-1), values[1].reshape(len(pred), -1)
            d["unknown"], d["reading"] = lines.split("\n"), json.loads(reading)
            for name in (one for one in self.measured if one in pred.meta):
                shape = pred.shape if name == "entropy" else (len(pred),)
                d[name] = torch.as_tensor(pred.meta[name]).reshape(shape)
        return d


def _first(text: str | Sequence[str]) -> str:
    """The text of a case, which MONAI Label and Deploy leave in a list of one."""
    return text if isinstance(text, str) else text[0]


PromptMasksD = PromptMasksDict = PromptMasksd
LabelMapD = LabelMapDict = LabelMapd
PopPresenceD = PopPresenceDict = PopPresenced
