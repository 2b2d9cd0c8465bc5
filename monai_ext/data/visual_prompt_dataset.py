"""Training data for visual-prompt decoders: labelled slices, with boxes, points and masks for their objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from skimage.measure import label as label_components
from torch import Tensor

from monai_ext.data.simulated_prompts import jittered_boxes, object_boxes, object_points, rough_mask
from monai_ext.data.text_prompt_dataset import TextPromptDataset, case_of

POINTS = 3
_TRIES = 4
"""Augmentations of an item that are tried until one leaves something of its objects."""


class VisualPromptDataset(TextPromptDataset):
    """One item per (image, target): several objects of the image, with every kind of visual prompt for each.

    An object is a target of the image, or one connected component of it. The first object of an item is of the item's
    own target, the others are of any. The visual prompts are made from the augmented label; an object of which the
    augmentation leaves nothing is replaced by another one of the image.

    An item holds `image` (3, H, W), `label` (P, H, W) in {0, 1}, none empty, `boxes` (P, 4), `points` (P, 3, 2) with
    `point_labels` (P, 3), the first of each in the object, and `masks` (P, mask_size, mask_size) logits.

    Args:
        data, library, preprocessing, transform, size: see :class:`~monai_ext.data.text_prompt_dataset.TextPromptDataset`;
            the transform gets `image`, `label`, `sided` (False) and `modality`.
        additional_slices, lesions, opacities, transplants: likewise.
        objects: P, the number of objects of every item.
        components: probability that the object of a target with several connected components is one of them.
        smallest: pixels of the smallest object, before and after the augmentation.
        jitter: see :func:`~monai_ext.data.simulated_prompts.jittered_boxes`.
        mask_size: of the network, see :class:`~monai_ext.networks.decoders.base.VisualPromptDecoder`.
        seed: of the draws.
    """

    def __init__(
        self,
        *args: Any,
        objects: int = 3,
        components: float = 0.4,
        smallest: int = 8,
        jitter: float = 0.12,
        mask_size: int = 64,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.objects, self.components, self.smallest = objects, components, smallest
        self.jitter, self.mask_size = jitter, mask_size
        self.data: list[dict[str, Any]] = [
            pair
            for pair in self.data
            if pair["target"] is not None and int(pair["slice"]["masks"][pair["target"]].sum()) >= smallest
        ]

    def _object(self, mask: Tensor) -> Tensor:
        """A target's mask (H, W), or that of one of its connected components."""
        if self.R.rand() >= self.components:
            return mask
        labels = label_components(mask.numpy())
        sizes = np.bincount(labels.ravel())
        large = [k for k in range(1, len(sizes)) if sizes[k] >= self.smallest]
        return torch.from_numpy(labels == self.R.choice(large)) if len(large) > 1 else mask

    def _augmented(self, pair: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Image (3, H, W) and label (P, H, W) in {0, 1}, in which each object has at least `smallest` pixels."""
        sample = pair["slice"]
        item = {"image": sample["image"].float() / 255, "sided": False, "modality": sample["modality"]}
        for _ in range(_TRIES):
            chosen = [pair["target"], *self.R.choice(pair["shown"], self.objects - 1)]
            item["label"] = torch.stack([self._object(sample["masks"][k]) for k in chosen]).float()
            changed = item if self.transform is None else self.transform(dict(item))
            left = [n for n, mask in enumerate(changed["label"]) if int(mask.sum()) >= self.smallest]
            if left:
                kept = [n if n in left else left[self.R.randint(len(left))] for n in range(self.objects)]
                return changed["image"], changed["label"][kept]
        return item["image"], sample["masks"][pair["target"]].float().expand(self.objects, -1, -1)

    def _transform(self, index: int) -> dict[str, Any]:
        pair = self.data[index]
        image, label = self._augmented(pair)
        height, width = label.shape[1:]
        points, point_labels = zip(*(object_points(mask, POINTS, self.R) for mask in label), strict=True)
        return {
            "case": case_of(pair["slice"]),
            "image": image,
            "label": label,
            "boxes": jittered_boxes(object_boxes(label), self.jitter, height, width, self.R),
            "points": torch.stack(points),
            "point_labels": torch.stack(point_labels),
            "masks": torch.stack([rough_mask(mask, self.mask_size, self.R) for mask in label]),
        }
