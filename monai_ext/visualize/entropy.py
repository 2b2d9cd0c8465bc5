"""A picture of where results are uncertain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.data import MetaTensor
from PIL import Image
from skimage.segmentation import find_boundaries

from monai_ext.errors import one_line
from monai_ext.io.colours import COLOURS
from monai_ext.visualize.overlay import LEGEND, doubts, enlarged_view, flat_view, fullest_slice, with_legend

HEAT = np.array((255, 0, 210), dtype=np.float32)
OPACITY = 0.85  # of an entropy of one bit


def entropy_picture(
    image: torch.Tensor,
    entropy: torch.Tensor,
    masks: torch.Tensor,
    prompts: Sequence[str],
    said: Sequence[str],
) -> Image.Image:
    """Draw the highest entropy of P results in magenta on an image, and the contours of their masks.

    Args:
        image: (3, H, W) or (3, X, Y, Z) in [0, 1]; the slice of a volume is chosen and turned as
            :func:`monai_ext.visualize.overlay.overlay_picture` does, by the entropy where all masks are empty.
        entropy: (P, H, W) or (P, X, Y, Z) uint8, 255 for one bit.
        masks: (P, H, W) or (P, X, Y, Z), not 0 inside.
        prompts, said: P texts each for the legend.

    Returns:
        an RGB picture with a line of legend per prompt below it.
    """
    index = fullest_slice(image, masks if bool(masks.any()) else entropy)
    shown, drawn, size = flat_view(image, masks, index)
    placed = MetaTensor(entropy, meta=dict(image.meta)) if isinstance(image, MetaTensor) else entropy
    levels, _, _ = flat_view(placed, masks, index)
    canvas, enlarged = enlarged_view(shown, drawn, size)
    height, width = canvas.shape[:2]
    heat = Image.fromarray(levels.max(axis=2)).resize((width, height), Image.Resampling.BILINEAR)
    share = OPACITY * np.asarray(heat)[..., None] / 255
    canvas = (1 - share) * canvas + share * HEAT
    for number, large in enumerate(enlarged):
        outline = find_boundaries(np.pad(large, 1), mode="inner")[1:-1, 1:-1]
        canvas[outline] = COLOURS[number % len(COLOURS)]
    lines = [f"{one_line(prompt)[:LEGEND]}   {text}" for prompt, text in zip(prompts, said, strict=True)]
    return with_legend(canvas, lines, ["magenta: entropy of the members, up to 1 bit", *doubts(image)])
