"""Floors of a comparison: what masks are worth that do not look at the image, or only at its grey values.

Both learn one number for each target of a data set from its training list. They are of pictures, not of volumes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from skimage.filters import threshold_otsu
from torch import Tensor

from monai_ext.io.datalists import PICTURES
from monai_ext.metrics.agreement import target_mask
from monai_ext.studies.evaluate import data_hash
from monai_ext.studies.scored_masks import Item
from monai_ext.transforms.load import MedicalLoadImage

SIDE = 256
"""Side in pixels of the training masks and images, whatever their shape."""
MOST = 500
"""Training images of a set that are read, evenly over the list."""
LEVELS = np.array([0.01, 0.02, *np.arange(1, 20) / 20])
"""Of the mean mask, of which the best on the training list is taken."""

Key = tuple[str, str]
"""A set and the label values of a target, as "1+2"."""


class Examples(NamedTuple):
    """The training images that show a target: grey values (N, SIDE, SIDE) and masks (N, SIDE, SIDE) bool."""

    grey: Tensor
    masks: Tensor


class TrainingPictures:
    """The training list, read when it is first needed.

    Args:
        items: of :func:`monai_ext.data.datasets.read_split`; those that are no pictures are passed over.
    """

    def __init__(self, items: Iterable[Mapping[str, Any]]) -> None:
        self.items = [item for item in items if is_picture(item) and "label" in item]

    def facts(self) -> dict[str, Any]:
        """The content of images and labels, as one hash."""
        return {"training": len(self.items), "training_sha256": data_hash(self.items)}

    @cached_property
    def examples(self) -> dict[Key, Examples]:
        """By set and target; a target that no training image shows has none."""
        found: dict[Key, list[tuple[Tensor, Tensor]]] = {}
        for name in dict.fromkeys(item["set"] for item in self.items):
            of_set = [item for item in self.items if item["set"] == name]
            for item in of_set[:: -(-len(of_set) // MOST)]:
                grey = _resized(grey_values(item))
                label = MedicalLoadImage(label=True)(item["label"])[0]
                for values in ("+".join(map(str, numbers)) for numbers in item["targets"].values()):
                    mask = torch.as_tensor(target_mask(label, values))
                    if mask.any():
                        found.setdefault((name, values), []).append((grey, _resized(mask.float()) >= 0.5))
        return {
            key: Examples(*(torch.stack(column) for column in zip(*pairs, strict=True)))
            for key, pairs in found.items()
        }


class MeanMask:
    """The mean of a target's training masks, above the level that is best on the training list."""

    def __init__(self, training: TrainingPictures) -> None:
        self.training = training
        self._fitted: dict[Key, Tensor] = {}

    def facts(self) -> dict[str, Any]:
        """The name and the training list."""
        return {"floor": "mean mask", **self.training.facts()}

    def mask(self, item: Item, target: str, values: str) -> Tensor | None:
        """The same mask (H, W) for every image, in its size; None where no training image shows the target."""
        key = (item["set"], values)
        if not is_picture(item) or key not in self.training.examples:
            return None
        if key not in self._fitted:
            masks = self.training.examples[key].masks
            mean = masks.float().mean(0)
            scores = [mean_dice(mean >= level, masks) for level in LEVELS]
            self._fitted[key] = (mean >= LEVELS[int(np.argmax(scores))]).float()
        return _resized(self._fitted[key], grey_values(item).shape) >= 0.5


class OtsuFloor:
    """Otsu's threshold of the grey values (IEEE SMC 9:62, 1979); the side of it that is better on the training list."""

    def __init__(self, training: TrainingPictures) -> None:
        self.training = training
        self._bright: dict[Key, bool] = {}

    def facts(self) -> dict[str, Any]:
        """The name and the training list."""
        return {"floor": "Otsu", **self.training.facts()}

    def mask(self, item: Item, target: str, values: str) -> Tensor | None:
        """What is brighter, or darker, than the threshold (H, W); None where no training image shows the target."""
        key = (item["set"], values)
        if not is_picture(item) or key not in self.training.examples:
            return None
        if key not in self._bright:
            grey, masks = self.training.examples[key]
            bright = torch.stack([above_otsu(one) for one in grey])
            self._bright[key] = mean_dice(bright, masks) >= mean_dice(~bright, masks)
        bright_pixels = above_otsu(grey_values(item))
        return bright_pixels if self._bright[key] else ~bright_pixels


def above_otsu(grey: Tensor) -> Tensor:
    """The pixels (H, W), bool, that are brighter than Otsu's threshold of `grey` (H, W); none of a constant image."""
    return grey > float(threshold_otsu(grey.numpy()))


def mean_dice(found: Tensor, masks: Tensor) -> float:
    """The mean Dice of `found`, (H, W) for all or (N, H, W), with masks (N, H, W), all bool and not empty."""
    found = found.expand_as(masks)
    overlap = (found & masks).flatten(1).sum(1)
    sizes = found.flatten(1).sum(1) + masks.flatten(1).sum(1)
    return float((2 * overlap / sizes).mean())


def is_picture(item: Mapping[str, Any]) -> bool:
    """Whether the first image of an item is a picture by its name."""
    return first_image(item).lower().endswith(PICTURES)


def first_image(item: Mapping[str, Any]) -> str:
    """The path of an item's image, or of its first sequence."""
    image = item["image"]
    return str(image if isinstance(image, str) else image[0])


def grey_values(item: Mapping[str, Any]) -> Tensor:
    """The mean of a picture's channels (H, W), float32."""
    return torch.as_tensor(MedicalLoadImage()(first_image(item))).mean(0)


def _resized(plane: Tensor, size: Sequence[int] = (SIDE, SIDE)) -> Tensor:
    shape = (int(size[0]), int(size[1]))
    return F.interpolate(plane[None, None], shape, mode="bilinear", antialias=True)[0, 0]
