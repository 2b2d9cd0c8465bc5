"""Contact sheets: images with the contour of a target, side by side, of data sets and of results."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from monai.utils import ensure_tuple
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

from monai_ext.data.dataset_check import Entry
from monai_ext.io.colours import COLOURS
from monai_ext.transforms.display import DisplayRange
from monai_ext.transforms.load import MedicalLoadImage
from monai_ext.visualize.overlay import flat_view

BILINEAR, BOX = Image.Resampling.BILINEAR, Image.Resampling.BOX
COLUMNS, ROWS = 6, 4
SIDE = 240  # pixels of the square around each example
MARGIN = 8  # pixels between examples
CAPTION = 36  # pixels of the two lines of text below an example


def choose_examples(entries: Iterable[Entry], most: int = COLUMNS * ROWS) -> list[tuple[Entry, str | None]]:
    """Entries to draw, each with the target that is drawn in it, spread over sets, lists and targets.

    Of each list and target the item with the median amount of the target comes first. Images of a list without labels
    have no target. The choice is the same in every run.
    """
    by_set: dict[str, dict[str | None, dict[str, list[Entry]]]] = {}
    for entry in entries:
        if entry.contents is None or entry.repeat:
            continue
        targets: list[str | None] = [name for name, amount in entry.contents.shown.items() if amount]
        if "label" not in entry.item:
            targets = [None]
        for target in targets:
            lists = by_set.setdefault(entry.item["set"], {}).setdefault(target, {})
            lists.setdefault(entry.split, []).append(entry)
    queues = []
    for by_target in by_set.values():
        # each target begins with the list that follows the first list of the target before it
        cells = _interleaved(
            [(target, lists[split]) for split in _rotated(list(lists), start)]
            for start, (target, lists) in enumerate(by_target.items())
        )
        queues.append(_interleaved([(e, target) for e in _typical(same, target)] for target, same in cells))
    return _interleaved(queues)[:most]


def contact_sheet(examples: Sequence[tuple[Entry, str | None]]) -> Image.Image:
    """Draw examples of :func:`choose_examples` in a grid of six columns; images are read one at a time.

    Volumes show the slice with most of the target, in radiological display. Below each picture stand the target
    ("no label" without one), the set and the list.

    Raises:
        InputError: when a file has become unreadable since it was checked.
    """
    tiles = [
        (_drawn(entry, target), (target or "no label", f"{entry.item['set']}, {entry.split}"))
        for entry, target in examples
    ]
    return arrange(tiles, COLUMNS)


def arrange(tiles: Sequence[tuple[Image.Image, tuple[str, str]]], most: int) -> Image.Image:
    """Tiles of :func:`tile` in rows of at most `most`, each above two lines of text."""
    height = SIDE + CAPTION + MARGIN
    width = SIDE + MARGIN
    columns, rows = min(most, max(1, len(tiles))), max(1, -(-len(tiles) // most))
    sheet = Image.new("RGB", (columns * width + MARGIN, rows * height + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (picture, below) in enumerate(tiles):
        left, top = MARGIN + index % most * width, MARGIN + index // most * height
        sheet.paste(picture, (left, top))
        for line, (text, colour) in enumerate(zip(below, ("black", "dimgrey"), strict=True)):
            _write(draw, (left, top + SIDE + 2 + line * CAPTION // 2), text, colour)
    return sheet


def _drawn(entry: Entry, target: str | None) -> Image.Image:
    """A square with an image and the outline of a target; of several sequences the first is drawn."""
    item = entry.item
    image = MedicalLoadImage()(ensure_tuple(item["image"])[0])
    shown = DisplayRange()(image if len(image) == 3 else image[:1], item["modality"])
    masks = torch.zeros(1, *shown.shape[1:], dtype=torch.bool)
    if target is not None:
        label = MedicalLoadImage(label=True)(item["label"]).as_tensor()
        masks = torch.isin(label, torch.tensor(item["targets"][target], dtype=label.dtype))
    flat, (mask,), size = flat_view(shown, masks)
    return tile(flat, mask, size)


def tile(flat: np.ndarray, mask: np.ndarray, size: tuple[int, int], colour: int = 0) -> Image.Image:
    """A square of 240 pixels with an image and the outline of a mask.

    Args:
        flat: (H, W, 3) in [0, 1].
        mask: (H, W) in {False, True}.
        size: (height, width) with square pixels.
        colour: of the outline, a number in :data:`monai_ext.io.colours.COLOURS`.
    """
    height, width = size
    scale = SIDE / max(height, width)
    small = max(1, round(width * scale)), max(1, round(height * scale))
    picture = Image.fromarray((flat.clip(0, 1) * 255).round().astype(np.uint8)).resize(small, BILINEAR)
    # every pixel that holds any of the mask, so that a target of few pixels does not vanish in a small picture
    inside = np.asarray(Image.fromarray(mask.astype(np.float32)).resize(small, BOX)) > 0
    outline = find_boundaries(np.pad(inside, 1), mode="inner")[1:-1, 1:-1]
    picture.paste(COLOURS[colour], mask=Image.fromarray(outline))
    square = Image.new("RGB", (SIDE, SIDE))
    square.paste(picture, ((SIDE - small[0]) // 2, (SIDE - small[1]) // 2))
    return square


def _write(draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, colour: str) -> None:
    font = ImageFont.load_default(size=13)
    text = " ".join(text.split())
    while draw.textlength(text, font=font) > SIDE and len(text) > 1:
        text = text[:-2] + "…"
    draw.text(corner, text, fill=colour, font=font)


def _typical(entries: Sequence[Entry], target: str | None) -> list[Entry]:
    """The entry with the median amount of a target, then the others in a random order with a fixed seed."""

    def amount(entry: Entry) -> float:
        return entry.contents.shown.get(target, 0.0) if entry.contents and target else 0.0

    middle = sorted(entries, key=amount)[len(entries) // 2]
    others = [entry for entry in entries if entry is not middle]
    return [middle, *random.Random(0).sample(others, len(others))]


def _rotated(values: Sequence[str], start: int) -> list[str]:
    start %= len(values)
    return [*values[start:], *values[:start]]


def _interleaved(queues: Iterable[Sequence[Any]]) -> list[Any]:
    """The first of each queue, then the second of each, and so on."""
    return [one for row in zip_longest(*queues) for one in row if one is not None]
