"""How candidate masks of an image are shown to a vision-language encoder: on black, cropped, or before a blurred rest."""

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
    """One view of an image for each of its candidate masks, as the encoder's image tower takes it.

    - ``black``: the whole frame, everything outside of the mask black (the CLIP-SAM paper).
    - ``crop``: the mask's box and a margin, with all that lies in it, squashed to the encoder's square.
    - ``blur``: the whole frame, everything outside of the mask blurred.

    The image is brought to the encoder's size once; a view is then one blend. An edge of the mask that falls between
    two pixels there blends them by their share.

    Args:
        fill: see above.
        crop_margin: added on each side of a box, in sizes of the box.
        blur: standard deviation of the blur, in sides of the encoder's square.

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
        """Views of K masks, `batch_size` at a time.

        Args:
            prepare: of the encoder: resizes and normalises (n, 3, H, W) in [0, 1] to (n, 3, S, S).
            image: (1, 3, H, W) in [0, 1].
            masks: (K, H, W) bool.
            boxes: (K, 4), their first and last column and row.
            batch_size: views that are in memory at a time.

        Yields:
            (n, 3, S, S), n at most `batch_size`, in the type of the encoder's weights.
        """
        if self.fill == "crop":
            crops = self.crops(boxes, *image.shape[-2:])
            for start in range(0, len(crops), batch_size):
                part = crops[start : start + batch_size]
                yield torch.cat([prepare(image[..., y0:y1, x0:x1]) for x0, y0, x1, y1 in part])
            return
        shown = prepare(image)
        background = self._blurred(shown) if self.fill == "blur" else prepare(torch.zeros_like(shown))
        contrast = shown - background
        for part in masks.split(batch_size):
            small = part[:, None].to(shown.dtype)
            if small.shape[-2:] != shown.shape[-2:]:
                small = F.interpolate(small, shown.shape[-2:], mode="bilinear", antialias=True)
            yield torch.addcmul(background, contrast, small)

    def crops(self, boxes: Tensor, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """(K, 4) boxes, first and last column and row, with their margin: (x0, y0, x1, y1), the last two exclusive."""
        low, high = boxes[:, :2].double(), boxes[:, 2:].double() + 1
        margin = (high - low) * self.crop_margin
        largest = boxes.new_tensor([width, height], dtype=torch.float64)
        starts = (low - margin).floor().clamp_min(0).long()
        stops = (high + margin).ceil().minimum(largest).long()
        return [tuple(row) for row in torch.cat([starts, stops], 1).tolist()]

    def _blurred(self, shown: Tensor) -> Tensor:
        """(1, 3, S, S), prepared: blurring and normalising may change places."""
        side = min(shown.shape[-2:])
        sigma = self.blur * side
        reach = min(math.ceil(3 * sigma), side - 1)  # the border is mirrored, once
        return gaussian_blur(shown, [2 * reach + 1] * 2, [sigma, sigma])
