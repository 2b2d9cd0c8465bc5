"""Pictures of masks on an image, with a legend below: predicted masks, or one of them with its reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.data import MetaTensor
from monai.data.utils import affine_to_spacing
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_dilation, binary_erosion
from skimage.segmentation import find_boundaries

from monai_ext.errors import one_line
from monai_ext.io.colours import COLOURS
from monai_ext.io.slices import view_of
from monai_ext.io.volumes import SIDES_IN_DOUBT

FILL = 0.3
SHORTEST = 512  # pixels of the shorter side of the drawn image, at least
LONGEST = 4096  # pixels of the longer side of the drawn image, at most
LINE = 24  # pixels of a legend line
LEGEND = 400  # characters of a prompt, at most, before it is shortened to the width of its line
CONTOUR = 2  # width of a contour in pixels
PANELS = 1080  # pixels of three panels side by side, at most
GAP = 12  # pixels between panels, before they are made smaller


def overlay_picture(
    image: torch.Tensor, masks: torch.Tensor, prompts: Sequence[str], presence: Sequence[float]
) -> Image.Image:
    """Draw P masks on an image.

    Args:
        image: (3, H, W) or (3, X, Y, Z) in [0, 1]. Of a volume one slice is drawn, in radiological display
            orientation and true proportions: the one with most mask, or the middle one if all masks are empty.
            Where its ``meta["warnings"]`` hold that its sides are in doubt, the picture says so.
        masks: (P, H, W) or (P, X, Y, Z), not 0 inside.
        prompts: P texts for the legend.
        presence: P values in [0, 1] for the legend.

    Returns:
        an RGB picture, enlarged if the image is small, with a line of legend per prompt below it.
    """
    shown, drawn, size = flat_view(image, masks)
    canvas, enlarged = enlarged_view(shown, drawn, size)
    for index, large in enumerate(enlarged):
        canvas = _painted(canvas, large, COLOURS[index % len(COLOURS)])
    lines = [
        f"{one_line(prompt)[:LEGEND]}   presence {value:.2f}"
        + ("" if mask.any() else ", nothing marked here")
        for prompt, value, mask in zip(prompts, presence, drawn, strict=True)
    ]
    return with_legend(canvas, lines, doubts(image))


def doubts(image: torch.Tensor) -> list[str]:
    """The warnings of an image that a picture of it must show: that its sides are in doubt."""
    warnings = str(image.meta.get("warnings", "")) if isinstance(image, MetaTensor) else ""
    return [note for note in SIDES_IN_DOUBT if note in warnings]


def comparison_picture(
    image: torch.Tensor, reference: np.ndarray, mask: np.ndarray, lines: Sequence[str], index: int = 0
) -> Image.Image:
    """Draw the contours of a reference and a predicted mask, which are both visible where the masks are the same.

    Args:
        image: as :func:`overlay_picture` takes it.
        reference: (H, W) in {False, True}, of the slice that is drawn; its contour runs just outside of it.
        mask: (H, W) in {False, True}, the prediction; its contour runs just inside of it.
        lines: two texts for the legend, of the reference and of the mask.
        index: of the slice of a volume that is drawn, see :func:`fullest_slice`.
    """
    shown, _, size = flat_view(image, image[:0], index)
    canvas, (true, found) = enlarged_view(shown, np.stack([reference, mask]), size)
    canvas[binary_dilation(true, iterations=CONTOUR) & ~true] = COLOURS[0]
    canvas[found & ~binary_erosion(found, iterations=CONTOUR)] = COLOURS[1]
    return with_legend(canvas, lines)


def panels_picture(
    image: torch.Tensor, reference: np.ndarray, mask: np.ndarray, index: int = 0
) -> Image.Image:
    """The image, the image with the reference, and the image with the predicted mask, side by side.

    Args:
        image, reference, mask, index: as :func:`comparison_picture` takes them.

    Returns:
        an RGB picture of at most :data:`PANELS` pixels in width, and no legend.
    """
    shown, _, size = flat_view(image, image[:0], index)
    canvas, (true, found) = enlarged_view(shown, np.stack([reference, mask]), size)
    gap = np.full((len(canvas), GAP, 3), 255, dtype=np.float32)
    parts = [canvas, gap, _painted(canvas, true, COLOURS[0]), gap, _painted(canvas, found, COLOURS[1])]
    picture = Image.fromarray(np.concatenate(parts, axis=1).round().astype(np.uint8))
    picture.thumbnail((PANELS, picture.height), Image.Resampling.LANCZOS)
    return picture


def _painted(canvas: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The canvas with a mask filled, and outlined also along the edges of the picture."""
    paint = np.array(colour, dtype=np.float32)
    filled = np.where(mask[..., None], (1 - FILL) * canvas + FILL * paint, canvas)
    outline = find_boundaries(np.pad(mask, 1), mode="thick")[1:-1, 1:-1]
    return np.where(outline[..., None], paint, filled)


def enlarged_view(
    shown: np.ndarray, drawn: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The results of :func:`flat_view` enlarged: (height, width, 3) float32 canvas in [0, 255], and the masks."""
    scale = max(1, min(-(-SHORTEST // min(size)), LONGEST // max(size)))
    width, height = size[1] * scale, size[0] * scale
    base = Image.fromarray((shown.clip(0, 1) * 255).round().astype(np.uint8))
    canvas = np.array(base.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
    nearest = Image.Resampling.NEAREST
    return canvas, [np.asarray(Image.fromarray(m).resize((width, height), nearest)) for m in drawn]


def fullest_slice(image: torch.Tensor, masks: torch.Tensor) -> int:
    """The index, in array order, of the slice of a (C, X, Y, Z) volume with most of (P, X, Y, Z) masks.

    It is that of the middle slice if the masks are empty, and 0 for a picture.
    """
    if image.ndim == 3:
        return 0
    axis = view_of(image).axis
    amount = (masks != 0).sum(dim=[d for d in range(4) if d != axis + 1])
    return int(amount.argmax()) if amount.any() else len(amount) // 2


def flat_view(
    image: torch.Tensor, masks: torch.Tensor, index: int | None = None
) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """(H, W, 3) image, (P, H, W) masks in {False, True}, and (height, width) with square pixels.

    Of a volume they are those of slice `index`, or of the fullest slice if it is None.
    """
    picture = image.as_tensor() if isinstance(image, MetaTensor) else image
    masks = masks.as_tensor() if isinstance(masks, MetaTensor) else masks
    size = (picture.shape[1], picture.shape[2])
    if picture.ndim == 4:
        view = view_of(image)
        best = fullest_slice(image, masks) if index is None else index
        picture = view.show(picture, best, best + 1)[0]
        masks = view.show(masks, best, best + 1)[0]
        spacing = affine_to_spacing(image.affine, r=3) if isinstance(image, MetaTensor) else np.ones(3)
        finest = min(spacing[view.rows], spacing[view.columns])
        size = (
            max(1, round(picture.shape[1] * float(spacing[view.rows] / finest))),
            max(1, round(picture.shape[2] * float(spacing[view.columns] / finest))),
        )
    return picture.permute(1, 2, 0).cpu().float().numpy(), (masks != 0).cpu().numpy(), size


def with_legend(canvas: np.ndarray, lines: Sequence[str], notes: Sequence[str] = ()) -> Image.Image:
    """The canvas with a line below it for each colour, and for each note, which has none."""
    picture = Image.fromarray(canvas.round().astype(np.uint8))
    font = ImageFont.load_default(size=LINE * 0.6)
    result = Image.new(
        "RGB", (picture.width, picture.height + LINE * (len(lines) + len(notes)) + LINE // 2), "white"
    )
    result.paste(picture, (0, 0))
    draw = ImageDraw.Draw(result)
    for index, text in enumerate([*lines, *notes]):
        top = picture.height + LINE // 4 + LINE * index
        if index < len(lines):
            draw.rectangle((8, top + 5, 22, top + 19), fill=COLOURS[index % len(COLOURS)])
        while draw.textlength(text, font=font) > picture.width - 40 and len(text) > 8:
            text = text[:-2].rstrip("…") + "…"
        draw.text((30, top + 3), text, fill="black", font=font)
    return result
