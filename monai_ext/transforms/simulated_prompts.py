"""For the evaluation of visual-prompt decoders: prompts simulated from a label map, and the best mask of each prompt."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any
from zlib import crc32

import torch
from monai.transforms import Transform
from numpy.random import RandomState

from monai_ext.data.simulated_prompts import centre_point, jittered_boxes, object_boxes, without_specks
from monai_ext.errors import InputError
from monai_ext.metrics.agreement import target_mask

LISTS = ("prompt", "target", "values")  # of an item, one entry for each target


class ObjectPrompts(Transform):
    """The box and the centre of each target that a case shows, as visual prompts; boxes ignore specks of a target.

    Args:
        jitter: each edge of a box moves by up to this share of the box's side across it, in [0, .5).
        seed: of the movement, with the names of set and case, so that it does not depend on the order of the cases.
    """

    def __init__(self, jitter: float = 0.1, seed: int = 0) -> None:
        self.jitter, self.seed = jitter, seed

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add `boxes` (P, 4), `points` (P, 1, 2) and `point_labels` (P, 1), all 1, of the P targets that are present.

        Args:
            data: an item of :func:`monai_ext.data.evaluation.evaluation_items` with its `label` (1, H, W) loaded. Its
                lists `prompt`, `target` and `values` are reduced to the targets that are present.

        Raises:
            InputError: when the case is a volume.
        """
        d = dict(data)
        label = torch.as_tensor(d["label"])[0]
        if label.ndim != 2:
            raise InputError(
                f"{d['set']}/{d['case']} is a volume, and visual prompts are simulated on pictures; choose sets of pictures, as "
                "--sets \"['NAME','OTHER']\"."
            )
        masks = [
            target_mask(label, values) if values else label.new_zeros(label.shape) for values in d["values"]
        ]
        shown = [k for k, mask in enumerate(masks) if mask.any()]
        d.update({key: [d[key][k] for k in shown] for key in LISTS})
        random = RandomState(crc32(f"{self.seed}/{d['set']}/{d['case']}".encode()))
        boxes, points = torch.zeros(0, 4), torch.zeros(0, 1, 2)
        if shown:
            objects = torch.stack([masks[k] for k in shown])
            height, width = label.shape
            clean = torch.stack([without_specks(mask) for mask in objects])
            boxes = jittered_boxes(object_boxes(clean), self.jitter, height, width, random)
            points = torch.stack([centre_point(mask) for mask in objects])[:, None]
        d.update(boxes=boxes, points=points, point_labels=torch.ones(len(shown), 1, dtype=torch.int32))
        return d


class BestMasks(Transform):
    """The mask with the highest predicted IoU of each prompt; this IoU is its presence."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add `masks` (P, H, W) uint8 and `presence` (P,) from `pred`: logits (P, M, H, W) and predicted IoU (P, M)."""
        d = dict(data)
        # MONAI's decollation turns the empty lists of a case without targets into None
        d.update({key: d[key] or [] for key in LISTS if key in d})
        logits, iou = d["pred"]
        rows, best = torch.arange(len(iou), device=iou.device), iou.argmax(1)
        d["masks"] = (logits[rows, best] > 0).to(torch.uint8)
        d["presence"] = iou[rows, best].float()
        return d
