"""Segment everything: candidate masks of a visual-prompt decoder at the points of a grid, filtered and without doubles.

The procedure of segment_anything's automatic mask generator (Kirillov et al. 2023, arXiv:2304.02643, section 4), for any
decoder of this package. Only masks of sufficient predicted IoU are enlarged, and the number of points in one call of the
decoder suits the device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from segment_anything.utils.amg import batched_mask_to_box, build_point_grid, calculate_stability_score
from skimage.measure import label as components
from skimage.morphology import remove_small_holes
from torch import Tensor
from torchvision.ops import nms

from monai_ext.errors import InputError

if TYPE_CHECKING:
    from monai_ext.networks.decoders.base import EncodedImages, VisualPromptDecoder

CPU_VALUES = 1 << 21  # feature values that one call repeats on a CPU: 8 MB, about the size of its cache
MAX_POINTS = 64  # per call
CHUNK = 16  # masks enlarged together: a square of 1024 pixels takes 4 MB


@dataclass(frozen=True)
class Candidates:
    """K candidate masks of one image, in descending order of predicted IoU.

    Attributes:
        masks: (K, H, W) bool, none empty.
        iou: (K,) predicted IoU.
        stability: (K,) IoU of the masks at a threshold above and one below that of the mask, in [0, 1].
        boxes: (K, 4), (x0, y0, x1, y1): first and last column and row, in pixels.
        points: (K, 2), (x, y) of each mask's prompt, in pixels.
    """

    masks: Tensor
    iou: Tensor
    stability: Tensor
    boxes: Tensor
    points: Tensor

    def __len__(self) -> int:
        return len(self.masks)

    def take(self, which: Tensor) -> Candidates:
        """Some of the candidates, by their indices or by a mask (K,)."""
        return Candidates(*(getattr(self, field.name)[which] for field in fields(self)))


class MaskGenerator:
    """The candidate masks that a visual-prompt decoder finds in an image at the points of a grid.

    Args:
        points_per_side: of the grid over the image.
        iou_threshold: masks of a lower predicted IoU are left out.
        stability_threshold: masks of a lower stability are left out.
        stability_offset: distance from 0 of the two thresholds of the logits that define the stability.
        nms_threshold: of masks whose boxes overlap more than this (IoU), the one with the highest predicted IoU is kept.
        min_region: in pixels; smaller holes are filled and smaller islands removed, 0 for none.
        points_per_call: points in one call of the decoder; None for a number that suits device and decoder.

    Raises:
        InputError: when a value is out of its range.
    """

    def __init__(
        self,
        points_per_side: int = 32,
        iou_threshold: float = 0.88,
        stability_threshold: float = 0.95,
        stability_offset: float = 1.0,
        nms_threshold: float = 0.7,
        min_region: int = 0,
        points_per_call: int | None = None,
    ) -> None:
        if points_per_side < 1 or (points_per_call is not None and points_per_call < 1):
            raise InputError(f"points: {points_per_side} a side, {points_per_call} a call; one is the least.")
        for name, value in (("stability_threshold", stability_threshold), ("nms_threshold", nms_threshold)):
            if not 0 <= value <= 1:
                raise InputError(f"{name} is {value}; it lies in [0, 1].")
        if min_region < 0 or stability_offset < 0:
            raise InputError(
                f"min_region {min_region}, stability_offset {stability_offset}: neither is negative."
            )
        self.points_per_side = points_per_side
        self.iou_threshold = iou_threshold
        self.stability_threshold = stability_threshold
        self.stability_offset = stability_offset
        self.nms_threshold = nms_threshold
        self.min_region = min_region
        self.points_per_call = points_per_call

    @torch.no_grad()
    def __call__(self, decoder: VisualPromptDecoder, features: EncodedImages) -> Candidates:
        """Candidates of one image.

        Args:
            decoder: in evaluation mode.
            features: that the decoder's `encode` returned for one image.

        Raises:
            ValueError: when the features are those of several images.
        """
        if len(features) != 1:
            raise ValueError(
                f"features of {len(features)} images; one at a time, since each has masks of its own."
            )
        low, iou, points = self._predicted(decoder, features)
        chunks = list(self._stable(decoder, features, low, iou, points))
        candidates = Candidates(*(torch.cat(values) for values in zip(*chunks, strict=True)))
        kept = candidates.take(nms(candidates.boxes.float(), candidates.iou, self.nms_threshold))
        return self._without_small_regions(kept) if self.min_region and len(kept) else kept

    def _predicted(
        self, decoder: VisualPromptDecoder, features: EncodedImages
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Low-resolution logits (K, h, h), IoU (K,) and points (K, 2) of the masks of sufficient predicted IoU."""
        letterbox, coarsest = features.letterbox, features.maps[-1]
        size = coarsest.new_tensor([letterbox.width, letterbox.height], dtype=torch.float64)
        grid = torch.from_numpy(build_point_grid(self.points_per_side)).to(size) * size
        found = []
        for points in grid.split(self.points_per_call or self._default_points_per_call(coarsest)):
            labels = torch.ones(1, len(points), 1, dtype=torch.int32, device=coarsest.device)
            low, iou = decoder.predict(features, points=(points[None, :, None], labels), multimask=True)
            good = (
                iou[0] > self.iou_threshold
                if self.iou_threshold > 0
                else torch.ones_like(iou[0], dtype=torch.bool)
            )
            at = points[:, None].expand(-1, good.shape[1], -1)
            found.append((low[0][good].float(), iou[0][good].float(), at[good].float()))
        low, iou, points = (torch.cat(values) for values in zip(*found, strict=True))
        return low, iou, points

    @staticmethod
    def _default_points_per_call(coarsest: Tensor) -> int:
        """`MAX_POINTS` on a GPU; on a CPU as many as keep the repeated features in its cache."""
        if coarsest.device.type != "cpu":
            return MAX_POINTS
        return int(np.clip(CPU_VALUES // coarsest[0].numel(), 1, MAX_POINTS))

    def _stable(
        self,
        decoder: VisualPromptDecoder,
        features: EncodedImages,
        low: Tensor,
        iou: Tensor,
        points: Tensor,
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
        """The fields of the stable candidates, chunk by chunk; at least one chunk, which may be empty."""
        for start in range(0, max(1, len(low)), CHUNK):
            chunk = slice(start, start + CHUNK)
            logits = decoder.upscale(low[None, chunk, None], features)[0, :, 0]
            stability = calculate_stability_score(logits, 0.0, self.stability_offset)
            masks = logits > 0
            good = masks.flatten(1).any(1)
            if self.stability_threshold > 0:
                good &= stability >= self.stability_threshold
            masks = masks[good]
            yield masks, iou[chunk][good], stability[good], batched_mask_to_box(masks), points[chunk][good]

    def _without_small_regions(self, candidates: Candidates) -> Candidates:
        """Candidates without small holes and islands; of masks that become doubles an unchanged one is kept."""
        before = candidates.masks.cpu().numpy()
        after = np.stack([without_small_regions(mask, self.min_region) for mask in before])
        masks = torch.from_numpy(after).to(candidates.masks.device)
        unchanged = (masks == candidates.masks).flatten(1).all(1)
        boxes = batched_mask_to_box(masks)
        cleaned = Candidates(masks, candidates.iou, candidates.stability, boxes, candidates.points)
        kept = nms(boxes.float(), unchanged.float(), self.nms_threshold)
        return cleaned.take(kept.sort().values)


def without_small_regions(mask: np.ndarray, area: int) -> np.ndarray:
    """A mask (H, W) without holes and islands of less than `area` pixels; the largest island is always kept."""
    filled = remove_small_holes(mask, max_size=area - 1, connectivity=2)
    islands = components(filled, connectivity=2)
    sizes = np.bincount(islands.ravel())
    sizes[0] = 0
    large = sizes >= area
    if not large.any():
        large[sizes.argmax()] = True
    return large[islands]
