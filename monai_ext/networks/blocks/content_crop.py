"""Crop an image to its content, and put the logits of the crop back where it was.

Scans and films often have a wide black border. Without it every image has about the same scale at the network's
small input size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Box = tuple[int, int, int, int]

OUTSIDE_LOGIT = -10.0  # of pixels outside of the crop, where the network did not look


def _span(profile: Tensor, least: int) -> tuple[int, int]:
    """Start and exclusive stop of the True values of a profile (n,), at least `least` apart; all n if none is True."""
    size = profile.numel()
    true = profile.nonzero()
    if true.numel() == 0:
        return 0, size
    start, stop = int(true[0]), int(true[-1]) + 1
    missing = max(least - (stop - start), 0)
    start = max(0, min(start - missing // 2, size - least))
    return start, max(stop, min(size, start + least))


def content_boxes(image: Tensor, level: float = 0.06, share: float = 0.01) -> list[Box]:
    """Boxes (y0, y1, x0, x1), y1 and x1 exclusive, in pixels around the content of (B, C, H, W) images in [0, 1].

    A row or column is content when more than `share` of its pixels are brighter than `level`. Each side of a box is
    at least a quarter of the image's.
    """
    bright = image.amax(1) > level
    rows, columns = bright.float().mean(2) > share, bright.float().mean(1) > share
    height, width = image.shape[-2:]
    boxes = []
    for row, column in zip(rows, columns, strict=True):
        boxes.append((*_span(row, -(-height // 4)), *_span(column, -(-width // 4))))
    return boxes


def crop_content(image: Tensor, boxes: Sequence[Box], size: int) -> Tensor:
    """Crop each of (B, C, H, W) to its box and resize, anti-aliased, to (B, C, size, size)."""
    crops = []
    for one, (y0, y1, x0, x1) in zip(image, boxes, strict=True):
        crop = one[None, :, y0:y1, x0:x1]
        if crop.shape[-2:] != (size, size):
            crop = F.interpolate(crop, (size, size), mode="bilinear", antialias=True)
        crops.append(crop)
    return torch.cat(crops)


def uncrop_content(logits: Tensor, boxes: Sequence[Box], height: int, width: int) -> Tensor:
    """Resize (B, 1, h, w) logits to their boxes inside (B, 1, height, width); outside they are `OUTSIDE_LOGIT`."""
    if all(box == (0, height, 0, width) for box in boxes):
        return F.interpolate(logits, (height, width), mode="bilinear")
    # Padded and joined rather than written into one tensor, whose gradient would be copied for every image.
    padded = []
    for one, (y0, y1, x0, x1) in zip(logits.split(1), boxes, strict=True):
        inside = F.interpolate(one, (y1 - y0, x1 - x0), mode="bilinear")
        padded.append(F.pad(inside, (x0, width - x1, y0, height - y1), value=OUTSIDE_LOGIT))
    return torch.cat(padded)
