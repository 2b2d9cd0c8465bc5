"""Random augmentation that keeps text prompts true."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform

from monai_ext.prompts.modalities import MODALITIES

FREE = (*(key for key, kind in MODALITIES.items() if not kind.upright), "other")
"""Kinds of image without an up and a down."""


class RandLateralityAwareFlipd(RandomizableTransform, MapTransform):
    """Randomly mirror left and right, and rotate pictures that have no upright orientation.

    An item whose prompt names a side ("left lung") is neither mirrored nor rotated, since that would make it untrue.

    Args:
        keys: (C, H, W) images and labels, all transformed alike.
        prob: probability of mirroring.
        free: modalities without an upright orientation, which are also rotated by a multiple of 90 degrees. MR is one of
            them: slices are cut along any axis, and published pictures of them have any orientation.
        turn_prob: probability that such a picture is rotated; by how much is drawn evenly.
        sided_key: key that says whether a prompt of the item names a side.
        modality_key: key of the modality.
    """

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.5,
        free: Sequence[str] = FREE,
        turn_prob: float = 0.5,
        sided_key: str = "sided",
        modality_key: str = "modality",
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.free, self.turn_prob = tuple(free), turn_prob
        self.sided_key, self.modality_key = sided_key, modality_key
        self.turns = 0

    def randomize(self, data: Any = None) -> None:
        super().randomize(data)
        self.turns = int(self.R.randint(1, 4)) if self.R.rand() < self.turn_prob else 0

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Mirror and rotate every key of `data`."""
        self.randomize()
        d = dict(data)
        sided = bool(d[self.sided_key])
        turns = self.turns if d[self.modality_key] in self.free and not sided else 0
        for key in self.key_iterator(d):
            if self._do_transform and not sided:
                d[key] = d[key].flip(-1)
            if turns:
                d[key] = torch.rot90(d[key], turns, (-2, -1))
        return d


RandLateralityAwareFlipD = RandLateralityAwareFlipDict = RandLateralityAwareFlipd
