"""A picture of the masks on the image: filled lightly, outlined, with a legend below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.data import MetaTensor
from monai.data.utils import affine_to_spacing
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

from monai_ext.data.slices import slice_view
from monai_ext.errors import one_line

# Okabe and Ito's colours, told apart with any colour vision; black and yellow (grey on white) left out
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (213, 94, 0), (204, 121, 167), (0, 114, 178))
FILL = 0.3
SHORTEST = 512  # pixels of the shorter side of the drawn image, at least
LONGEST = 4096  # px, to which a narrow image is enlarged at most
LINE = 24  # pixels of a legend line
LEGEND = 400  # characters of a prompt that are tried to fit into its line


def overlay_picture(
    image: torch.Tensor, masks: torch.Tensor, prompts: Sequence[str], presence: Sequence[float]
) -> Image.Image:
    """Draw P masks on an image.

    Args:
        image: (3, H, W) or (3, X, Y, Z) in [0, 1]. Of a volume one slice is drawn, in radiological display
            orientation and true proportions: the one with most mask, the middle one if there is none.
        masks: (P, H, W) or (P, X, Y, Z), not 0 inside.
        prompts: P texts for the legend.
        presence: P values in [0, 1] for the legend.

    Returns:
        an RGB picture, enlarged if the image is small, with one legend line per prompt below it.
    """
    shown, drawn, size = flat_view(image, masks)
    scale = max(1, min(-(-SHORTEST // min(size)), LONGEST // max(size)))
    width, height = size[1] * scale, size[0] * scale
    base = Image.fromarray((shown.clip(0, 1) * 255).round().astype(np.uint8))
    canvas = np.asarray(base.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
    for index, mask in enumerate(drawn):
        colour = np.array(COLOURS[index % len(COLOURS)], dtype=np.float32)
        large = np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
        canvas = np.where(large[..., None], (1 - FILL) * canvas + FILL * colour, canvas)
        outline = find_boundaries(np.pad(large, 1), mode="thick")[1:-1, 1:-1]  # also along the picture's edge
        canvas = np.where(outline[..., None], colour, canvas)
    return _with_legend(Image.fromarray(canvas.round().astype(np.uint8)), drawn, prompts, presence)


def flat_view(image: torch.Tensor, masks: torch.Tensor) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """(H, W, 3) image, (P, H, W) masks in {False, True}, and (height, width) with square pixels."""
    picture = image.as_tensor() if isinstance(image, MetaTensor) else image
    masks = masks.as_tensor() if isinstance(masks, MetaTensor) else masks
    size = (picture.shape[1], picture.shape[2])
    if picture.ndim == 4:
        affine = image.affine.cpu().numpy() if isinstance(image, MetaTensor) else None
        view = slice_view(picture.shape[1:], affine)
        others = [d for d in range(4) if d != view.axis + 1]
        amount = (masks != 0).sum(dim=others)
        best = int(amount.argmax()) if amount.any() else len(amount) // 2
        picture = view.show(picture, best, best + 1)[0]
        masks = view.show(masks, best, best + 1)[0]
        spacing = np.ones(3) if affine is None else affine_to_spacing(affine, r=3)
        finest = min(spacing[view.rows], spacing[view.columns])
        size = (
            max(1, round(picture.shape[1] * float(spacing[view.rows] / finest))),
            max(1, round(picture.shape[2] * float(spacing[view.columns] / finest))),
        )
    return picture.permute(1, 2, 0).cpu().float().numpy(), (masks != 0).cpu().numpy(), size


def _with_legend(
    picture: Image.Image, drawn: np.ndarray, prompts: Sequence[str], presence: Sequence[float]
) -> Image.Image:
    font = ImageFont.load_default(size=LINE * 0.6)
    result = Image.new("RGB", (picture.width, picture.height + LINE * len(prompts) + LINE // 2), "white")
    result.paste(picture, (0, 0))
    draw = ImageDraw.Draw(result)
    for index, (prompt, value, mask) in enumerate(zip(prompts, presence, drawn, strict=True)):
        top = picture.height + LINE // 4 + LINE * index
        draw.rectangle((8, top + 5, 22, top + 19), fill=COLOURS[index % len(COLOURS)])
        text = f"{one_line(prompt)[:LEGEND]}   presence {value:.2f}" + (
            "" if mask.any() else ", nothing marked here"
        )
        while draw.textlength(text, font=font) > picture.width - 40 and len(text) > 8:
            text = text[:-2].rstrip("…") + "…"
        draw.text((30, top + 3), text, fill="black", font=font)
    return result
