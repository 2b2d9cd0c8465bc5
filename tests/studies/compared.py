"""Pictures and a bundle whose figures are known by hand, for tests of comparisons."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from monai_ext.resources import resource_path
from tests.studies.test_tune import Grey

INNER, OUTER = (slice(4, 8), slice(4, 8)), (slice(3, 9), slice(3, 9))
"""A label of 16 pixels in a region of 36."""
DICE = {"grey": 16 / 24, "grey:exact": 1.0, "grey:low": 32 / 52, "mean mask": 32 / 52, "Otsu": 32 / 52}
"""Of the inner label half is found above .5, all above .42, and the region around it above .3."""


def grey_bundle(folder: Path) -> Path:
    """``folder/grey``: a pixel's probability is its grey value; variants with other thresholds."""
    bundle = folder / "grey"
    shutil.copytree(resource_path("vlsm", "bundles"), bundle, ignore=shutil.ignore_patterns("models"))
    config = bundle / "configs" / "inference.json"
    content = json.loads(config.read_text())
    content["network_def"] = {"_target_": "tests.studies.test_tune.Grey"}
    config.write_text(json.dumps(content))
    for name, threshold in (("exact", 0.42), ("low", 0.3)):
        (bundle / "configs" / f"{name}.json").write_text(json.dumps({"mask_threshold": threshold}))
    (bundle / "models").mkdir()
    torch.save(Grey().state_dict(), bundle / "models" / "model.pt")
    return bundle


def breast_set(folder: Path) -> Path:
    """Three patients of two sites, one image without a tumour; training labels are the region around."""
    folder.mkdir()
    image, inner, outer = (np.zeros((16, 16), np.uint8) for _ in range(3))
    image[OUTER], image[4:8, 4:6], image[4:8, 6:8] = 102, 255, 115
    inner[INNER], outer[OUTER] = 1, 1
    table: dict = {"modality": {"0": "US"}, "labels": {"0": "background", "1": "breast tumour"}}
    for number, name in enumerate(("p1", "p2", "p3", "healthy", "t1", "t2")):
        image[0, 0] = number  # each is another image
        label = outer if name[0] == "t" else inner * (name != "healthy")
        Image.fromarray(image).save(folder / f"{name}.png")
        Image.fromarray(label).save(folder / f"{name}_mask.png")
        item = {"id": name, "group": name, "image": f"{name}.png", "label": f"{name}_mask.png"}
        item["site"] = "north" if name in ("p1", "healthy") else "south"
        table.setdefault("training" if name[0] == "t" else "validation", []).append(item)
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder
