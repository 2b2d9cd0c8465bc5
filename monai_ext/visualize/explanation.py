"""A picture of how a method arrives at its result: image, saliency, coarse mask with boxes and points, refined mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

from monai_ext.errors import one_line
from monai_ext.io.colours import COLOURS
from monai_ext.visualize.overlay import FILL

PANEL = 320  # pixels of the longer side of each of the four pictures of a row
GAP = 8
LINE = 22  # pixels of a line of text
HEAT = 0.7  # opacity of the highest saliency
TITLES = ("image", "saliency", "coarse mask, boxes and points", "refined mask")
SALIENCY, COARSE, PROMPTS, RESULT = (np.array(COLOURS[k], dtype=np.float32) for k in (3, 1, 0, 2))


@dataclass(frozen=True)
class Explanation:
    """The stages of one prompt in one slice, in display orientation.

    Attributes:
        prompt: its text.
        presence: in [0, 1].
        saliency: (h, w) in [0, 1], of any size.
        coarse: (H, W) bool.
        boxes: (N, 4), first and last column and row in pixels of the slice.
        points: (M, 2), (x, y) in pixels of the slice.
        mask: (H, W) bool, the refined mask.
        note: why the refined mask is not the result, or "".
    """

    prompt: str
    presence: float
    saliency: np.ndarray
    coarse: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    mask: np.ndarray
    note: str = ""


def explanation_picture(
    image: np.ndarray, rows: Sequence[Explanation], size: tuple[int, int] | None = None
) -> Image.Image:
    """Four pictures side by side for each prompt, below a line with its text and presence.

    Args:
        image: (H, W, 3) in [0, 1], the slice.
        rows: one for each prompt.
        size: (height, width) that makes the pixels of the image square; its own if None.

    Returns:
        an RGB picture.
    """
    height, width = size or image.shape[:2]
    scale = PANEL / max(height, width)
    panel = max(1, round(width * scale)), max(1, round(height * scale))
    step = 2 * LINE + panel[1] + GAP
    sheet = Image.new("RGB", (4 * (panel[0] + GAP) + GAP, step * len(rows)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=LINE * 0.6)
    for number, row in enumerate(rows):
        top = number * step
        text = f"{one_line(row.prompt)}   presence {row.presence:.2f}{row.note and ', ' + row.note}"
        while draw.textlength(text, font=font) > sheet.width - 2 * GAP and len(text) > 8:
            text = text[:-2].rstrip("…") + "…"
        draw.text((GAP, top + 3), text, fill="black", font=font)
        for column, (title, one) in enumerate(zip(TITLES, _panels(image, row, panel), strict=True)):
            left = GAP + column * (panel[0] + GAP)
            draw.text((left, top + LINE), title, fill="dimgrey", font=font)
            sheet.paste(one, (left, top + 2 * LINE))
    return sheet


def _panels(image: np.ndarray, row: Explanation, panel: tuple[int, int]) -> list[Image.Image]:
    base = np.asarray(_picture(255 * image).resize(panel, Image.Resampling.BILINEAR), dtype=np.float32)
    heat = Image.fromarray(row.saliency.astype(np.float32)).resize(panel, Image.Resampling.BILINEAR)
    share = HEAT * np.asarray(heat).clip(0, 1)[..., None]
    coarse = _picture(_marked(base, row.coarse, COARSE))
    _draw_prompts(coarse, row, (panel[0] / image.shape[1], panel[1] / image.shape[0]))
    return [
        _picture(base),
        _picture((1 - share) * base + share * SALIENCY),
        coarse,
        _picture(_marked(base, row.mask, RESULT)),
    ]


def _marked(base: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> np.ndarray:
    size = base.shape[1], base.shape[0]
    large = np.asarray(Image.fromarray(mask.astype(bool)).resize(size, Image.Resampling.NEAREST))
    filled = np.where(large[..., None], (1 - FILL) * base + FILL * colour, base)
    outline = find_boundaries(np.pad(large, 1), mode="thick")[
        1:-1, 1:-1
    ]  # with contours along the edges of the picture
    return np.where(outline[..., None], colour, filled)


def _draw_prompts(picture: Image.Image, row: Explanation, scale: tuple[float, float]) -> None:
    """Draw boxes along the outer edges of their pixels, and points at the centres of theirs."""
    draw, colour = ImageDraw.Draw(picture), tuple(int(v) for v in PROMPTS)
    for x0, y0, x1, y1 in row.boxes:
        left, top = x0 * scale[0], y0 * scale[1]
        right, bottom = max(left, (x1 + 1) * scale[0] - 1), max(top, (y1 + 1) * scale[1] - 1)
        draw.rectangle((left, top, right, bottom), outline=colour, width=2)
    for x, y in row.points:
        at = (x + 0.5) * scale[0], (y + 0.5) * scale[1]
        draw.ellipse((at[0] - 3, at[1] - 3, at[0] + 3, at[1] + 3), fill=colour, outline=(0, 0, 0))


def _picture(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
