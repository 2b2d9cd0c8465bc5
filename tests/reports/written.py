"""What an evaluation writes, of figures that are known by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from PIL import Image

from monai_ext.handlers.overlays import choose_cases
from monai_ext.metrics.summary import summarise

DICE = (0.9, 0.5, 0.7, 0.1, 0.3, 0.8)
"""Of six patients; the target takes 1, 2, ..., 6 hundredths of their images."""


def rows(target: str = "tumour", dice: tuple[float, ...] = DICE) -> list[dict[str, Any]]:
    """A row for each Dice, and two of a target that is not there, one of which got a mask."""
    made = [_row(f"c{n}", target, value, n + 1) for n, value in enumerate(dice)]
    return [*made, _row("c0", "", None, 0, voxels=5), _row("c1", "", None, 0)]


def _row(case: str, target: str, dice: float | None, size: int, voxels: int = 0) -> dict[str, Any]:
    present = dice is not None
    scores = dict.fromkeys(("dice", "iou", "nsd", "hd95"), float("nan") if dice is None else dice)
    facts = {"set": "breast", "case": case, "group": case, "modality": "us", "difficulty": ""}
    sizes = {"voxels": 1 if present else voxels, "reference_voxels": size, "image_voxels": 100}
    asked = {"target": target, "prompt": f"a {target or 'dragon'}", "present": present}
    return {**facts, **asked, "presence": 0.75 if present else 0.25, **sizes, "unit": "px", **scores}


def write_evaluation(
    folder: Path,
    made: list[dict[str, Any]],
    facts: dict[str, Any] | None = None,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """metrics.json (with `more`), cases.csv, setting.json and panels of the worst, median and best; the first one."""
    figures = {**summarise(made), **(more or {})}
    (folder / "panels").mkdir(parents=True)
    figures["overlays"] = []
    for shade, (which, row) in enumerate(choose_cases(made)):
        file = f"panels/{which}.jpg"
        Image.new("RGB", (96, 32), (shade * 80,) * 3).save(folder / file)
        keys = ("set", "case", "target", "prompt", "dice", "presence")
        figures["overlays"].append({"panels": file, "which": which, **{key: row[key] for key in keys}})
    (folder / "metrics.json").write_text(json.dumps(figures))
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(made[0]))
        writer.writeheader()
        writer.writerows(made)
    record = {"setting": {}, "seconds": 1.0, "facts": facts or {}}
    (folder / "setting.json").write_text(json.dumps(record))
    return figures
