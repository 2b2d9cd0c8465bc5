"""Masked images: candidate masks as a vision-language encoder sees them, on black, cropped, or on a blurred background."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from monai_ext.errors import InputError, check_choice

FILLS = ("black", "crop", "blur")


class MaskedImages:
    """A masked image for each candidate mask of an image, as the encoder's image tower takes it.

    - ``black``: the whole image, black outside of the mask (the CLIP-SAM paper).
    - ``crop``: the image within the mask's box and a margin, unmasked, squashed to the encoder's square.
    - ``blur``: the whole image, blurred outside of the mask.

    The image is resized to the encoder's size once; a masked image is then one blend of image and background. Where the
    mask covers a pixel of that size in part, the pixel is blended by that share.

    Args:
        fill: see above.
        crop_margin: added on each side of a box, as a share of its side.
        blur: standard deviation of the blur, as a share of the side of the encoder's square.

    Raises:
        InputError: when a value is out of its range.
    """

    def __init__(self, fill: str = "black", crop_margin: float = 0.15, blur: float = 0.05) -> None:
        check_choice("fill", fill, FILLS)
        if crop_margin < 0 or not 0 < blur <= 0.25:
            raise InputError(
                f"crop_margin {crop_margin}, blur {blur}: the first is not negative, the second in (0, 0.25]."
            )
        self.fill, self.crop_margin, self.blur = fill, crop_margin, blur

    def __call__(
        self,
        prepare: Callable[[Tensor], Tensor],
        image: Tensor,
        masks: Tensor,
        boxes: Tensor,
        batch_size: int,
    ) -> Iterator[Tensor]:
        """The masked images of K masks, `batch_size` at a time.

        Args:
            prepare: method of the encoder that resizes and normalises (n, 3, H, W) in [0, 1] to (n, 3, S, S).
            image: (1, 3, H, W) in [0, 1].
            masks: (K, H, W) bool.
            boxes: (K, 4), first and last column and row of each mask.
            batch_size: masked images that are in memory at a time.

        Yields:
            (n, 3, S, S), n at most `batch_size`, in the type of the encoder's weights.
        """
        if self.fill == "crop":
            crops = self.crops(boxes, *image.shape[-2:])
            for start in range(0, len(crops), batch_size):
                chunk = crops[start : start + batch_size]
                yield torch.cat([prepare(image[..., y0:y1, x0:x1]) for x0, y0, x1, y1 in chunk])
            return
        shown = prepare(image)
        background = self._blurred(shown) if self.fill == "blur" else prepare(torch.zeros_like(shown))
        contrast = shown - background
        for chunk in masks.split(batch_size):
            small = chunk[:, None].to(shown.dtype)
            if small.shape[-2:] != shown.shape[-2:]:
                small = F.interpolate(small, shown.shape[-2:], mode="bilinear", antialias=True)
            yield torch.addcmul(background, contrast, small)

    def crops(self, boxes: Tensor, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """Boxes (K, 4) of first and last column and row with their margin: (x0, y0, x1, y1), the last two exclusive."""
        low, high = boxes[:, :2].double(), boxes[:, 2:].double() + 1
        margin = (high - low) * self.crop_margin
        largest = boxes.new_tensor([width, height], dtype=torch.float64)
        starts = (low - margin).floor().clamp_min(0).long()
        stops = (high + margin).ceil().minimum(largest).long()
        return [tuple(row) for row in torch.cat([starts, stops], 1).tolist()]

    def _blurred(self, shown: Tensor) -> Tensor:
        """A prepared image (1, 3, S, S), blurred; blur and normalisation commute, so it need not be prepared again."""
        side = min(shown.shape[-2:])
        sigma = self.blur * side
        reach = min(math.ceil(3 * sigma), side - 1)  # the border is mirrored, at most by one image side
        return gaussian_blur(shown, [2 * reach + 1] * 2, [sigma, sigma])
