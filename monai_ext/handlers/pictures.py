"""Pictures of a few validation cases after each validation of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data import Dataset
from PIL import Image

from monai_ext.data.evaluation import draw_cases
from monai_ext.engines.distributed import gather_dict, rank
from monai_ext.metrics.agreement import mask_agreement, target_mask
from monai_ext.transforms.save import write_picture
from monai_ext.visualize.contact_sheet import arrange, tile
from monai_ext.visualize.overlay import flat_view, fullest_slice

FOLDER = "pictures"
Key = tuple[str, str]
"""``set`` and ``case`` of an item."""
Row = list[tuple[Image.Image, tuple[str, str]]]
"""Tiles of a case: image, reference, result."""


class ValidationPictures:
    """Write ``pictures/epoch-NNNN.png``: a row of image, reference and result, with its Dice, for each of a few cases.

    They are the same cases after each validation, spread over the sets; of a case the target with most of the
    reference is drawn, and of a volume the slice with most of it. Only small pictures are kept while a validation goes
    on. Of several processes the first one writes the cases of all.

    Args:
        dataset: of the validation; its items hold ``set``, ``case`` and ``values`` as
            :func:`monai_ext.data.evaluation.evaluation_items` gives them.
        output_dir: folder of the folder.
        count: number of cases; 0 writes none.
    """

    def __init__(self, dataset: Dataset, output_dir: str | Path, count: int = 4) -> None:
        self.output_dir = Path(output_dir)
        self.cases = {_key(item): n for n, item in enumerate(choose_cases(dataset.data, count))}
        self.rows: dict[Key, Row] = {}

    def attach(self, engine: Engine) -> None:
        if self.cases:
            engine.add_event_handler(Events.STARTED, lambda: self.rows.clear())
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.draw)
            engine.add_event_handler(Events.COMPLETED, self.write)

    def draw(self, engine: Engine) -> None:
        """Draw the cases of one iteration that are among the chosen ones."""
        state: Any = engine.state
        for batch, output in zip(state.batch, state.output, strict=True):
            if (key := _key(batch)) in self.cases:
                self.rows[key] = case_row({**batch, **output})

    def write(self, engine: Engine) -> None:
        """Write the sheet, whole or not at all.

        Raises:
            OSError: when it cannot be written.
        """
        rows = gather_dict(self.rows)
        if not rank() and rows:
            tiles = [one for key in sorted(rows, key=self.cases.__getitem__) for one in rows[key]]
            file = self.output_dir / FOLDER / f"epoch-{engine.state.epoch:04d}.png"
            write_picture(file, np.asarray(arrange(tiles, 3)))


def choose_cases(items: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """`count` of the items that have a target, or all if there are fewer, as evenly from each set as can be.

    The choice depends on set and case alone, and is a subset of every larger one.
    """
    by_set: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        if any(item["values"]):
            by_set.setdefault(item["set"], []).append(item)
    chosen: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        for of_set in by_set.values():
            chosen += [item for item in draw_cases(of_set, number) if item not in chosen]
    return chosen[:count]


def case_row(data: Mapping[str, Any]) -> Row:
    """Image, reference and result of a case, for the target with most of the reference.

    Args:
        data: ``image`` (3, ...) in [0, 1], ``label`` (1, ...) with label values, ``masks`` (P, ...) in {0, 1}, and the
            keys of an item of :func:`monai_ext.data.evaluation.evaluation_items`.
    """
    label = torch.as_tensor(data["label"]).float().cpu()[0]
    sizes = [int(target_mask(label, one).sum()) if one else -1 for one in data["values"]]
    number = max(range(len(sizes)), key=sizes.__getitem__)
    reference = target_mask(label, data["values"][number])
    mask = torch.as_tensor(data["masks"][number]).cpu() != 0
    dice = mask_agreement(mask, reference, None, surface=False)["dice"]
    result = "the reference is empty" if math.isnan(dice) else f"Dice {dice:.3f}"
    image = data["image"]
    flat, (true, found), size = flat_view(
        image, torch.stack([reference, mask]), fullest_slice(image, reference[None])
    )
    return [
        (
            tile(flat, np.zeros_like(true), size),
            (f"{data['set']}/{data['case']}", str(data["target"][number])),
        ),
        (tile(flat, true, size, 0), ("reference", "")),
        (tile(flat, found, size, 1), ("result", result)),
    ]


def _key(item: Mapping[str, Any]) -> Key:
    return str(item["set"]), str(item["case"])
