"""A small data set for the training configs: pictures like chest films, with two bright fields each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image


def write_films(folder: Path, width: int = 48, shown: int = 6) -> Path:
    """Six pictures of 48 rows, four to train on and two to validate; the first `shown` have fields."""
    folder.mkdir()
    lists: dict[str, list[dict[str, str]]] = {"training": [], "validation": []}
    for n in range(6):
        picture = np.random.default_rng(n).integers(40, 90, (48, width), dtype=np.uint8)
        mask = np.zeros((48, width), np.uint8)
        if n < shown:
            mask[10 : 30 + n, 6:18] = mask[10 : 32 + n, 28:42] = 1
        picture[mask == 1] += 120
        Image.fromarray(picture).save(folder / f"{n}.png")
        Image.fromarray(mask).save(folder / f"{n}_mask.png")
        entry = {"id": str(n), "group": str(n), "image": f"{n}.png", "label": f"{n}_mask.png"}
        lists["training" if n < 4 else "validation"].append(entry)
    table = {
        "modality": {"0": "X-ray"},
        "labels": {"0": "background", "1": "lungs"},
        "prompts": {"1": ["lungs in a chest X-ray"]},
        **lists,
    }
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder
