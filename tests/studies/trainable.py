"""Small bundles that train in seconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.bundles.small import CLIP, SAM, SMALL

SHORT = ("--set", "draws_per_epoch=8", "--set", "batch_size=4", "--set", "num_workers=0")
"""An epoch of two steps."""


def trainable(bundle: Path, folder: Path) -> Path:
    """A copy of a small bundle whose trainings build the same small network as its inference."""
    copy = folder / bundle.name
    shutil.copytree(bundle, copy)
    changes = {
        "train": {**SMALL},
        "train_encoder": {"model": CLIP},
        "train_decoder": {**SAM},
    }
    for name, values in changes.items():
        file = copy / "configs" / f"{name}.json"
        if file.is_file():
            content = json.loads(file.read_text())
            content["network_def"].update(values)
            if "image_sizes" in content:
                content["image_sizes"] = [[0, 32]]
            file.write_text(json.dumps(content))
    return copy
