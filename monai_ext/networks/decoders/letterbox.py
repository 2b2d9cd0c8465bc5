"""Where an image lies in the square input of a network: coordinates and masks into the square, logits back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from monai_ext.networks.blocks.content_crop import OUTSIDE_LOGIT


@dataclass(frozen=True)
class Letterbox:
    """An image of height x width pixels, resized, at (top, left) in a square of `side` pixels; the rest is padding.

    Coordinates are (x, y) in pixels and are scaled as segment_anything scales them, without a shift by half a
    pixel: its prompt encoder adds that half itself.

    Attributes:
        height, width: of the given image.
        side: of the square.
        top, left: of the resized image in the square.
        inner_height, inner_width: of the resized image.
    """

    height: int
    width: int
    side: int
    top: int
    left: int
    inner_height: int
    inner_width: int

    @classmethod
    def squash(cls, height: int, width: int, side: int) -> Letterbox:
        """The image is stretched to fill the square (MedSAM, SAM 2)."""
        return cls(height, width, side, 0, 0, side, side)

    @classmethod
    def longest_side(cls, height: int, width: int, side: int) -> Letterbox:
        """The longer side fills the square, proportions are kept, padding lies below or on the right (SAM)."""
        scale = side / max(height, width)
        return cls(height, width, side, 0, 0, int(height * scale + 0.5), int(width * scale + 0.5))

    @classmethod
    def centred(cls, height: int, width: int, side: int) -> Letterbox:
        """In the centre at its own size if both sides are shorter than the square's, else as :meth:`squash`.

        This is how SAM-Med2D takes images.
        """
        if max(height, width) >= side:
            return cls.squash(height, width, side)
        return cls(height, width, side, (side - height) // 2, (side - width) // 2, height, width)

    def points(self, points: Tensor) -> Tensor:
        """(..., 2) points (x, y) of the image as float32 points of the square."""
        scale = points.new_tensor(
            [self.inner_width / self.width, self.inner_height / self.height], dtype=torch.float32
        )
        return points.float() * scale + scale.new_tensor([self.left, self.top])

    def boxes(self, boxes: Tensor) -> Tensor:
        """(..., 4) boxes (x0, y0, x1, y1) of the image as float32 boxes of the square."""
        return self.points(boxes.unflatten(-1, (2, 2))).flatten(-2)

    def pad(self, image: Tensor, value: float = 0.0) -> Tensor:
        """(..., inner_height, inner_width) as (..., side, side), `value` around it."""
        right = self.side - self.left - self.inner_width
        below = self.side - self.top - self.inner_height
        return F.pad(image, (self.left, right, self.top, below), value=value)

    def to_square(self, logits: Tensor, side: int) -> Tensor:
        """(B, N, height, width) logits of masks as (B, N, side, side) logits over the whole square.

        With the network's `mask_size` as `side` these are its mask prompts; the padding lies outside every mask.
        """
        inner = _resize(logits, self.inner_height, self.inner_width, antialias=True)
        return _resize(self.pad(inner, OUTSIDE_LOGIT), side, side, antialias=True)

    def to_image(self, low: Tensor) -> Tensor:
        """(B, M, h, h) logits over the whole square as (B, M, height, width) logits of the image."""
        whole = _resize(low, self.side, self.side)
        inner = whole[..., self.top : self.top + self.inner_height, self.left : self.left + self.inner_width]
        return _resize(inner, self.height, self.width)


def _resize(x: Tensor, height: int, width: int, antialias: bool = False) -> Tensor:
    """Bilinear, (B, C, h, w) to (B, C, height, width)."""
    if x.shape[-2:] == (height, width):
        return x
    return F.interpolate(x, (height, width), mode="bilinear", antialias=antialias)
