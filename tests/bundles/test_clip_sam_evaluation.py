"""An evaluation of clip_sam also scores the best of all candidate masks, and by levels of difficulty."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from monai_ext.cli.main import main
from monai_ext.masks import MaskedImages
from monai_ext.networks.clip_sam import ClipSAM
from monai_ext.prompts.lexicon import Lexicon
from monai_ext.resources import resource_path
from tests.bundles.runs import opened
from tests.bundles.small import small_clip_sam
from tests.networks.test_clip_sam import ColourDecoder, ColourEncoder, by_colour


class Wordy(ColourEncoder):
    """Every text is red, but for those of things that are not there: they are blue."""

    lexicon = Lexicon()

    def encode_text(self, prompts):
        vectors = [[1.0, 0, 0] if "breast" in prompt.texts[0] else [0, 0, 1.0] for prompt in prompts]
        return torch.tensor(vectors)


def square(channels, column):
    """16 x 16, 4 rows and 4 columns bright in some channels, from a column each."""
    image = np.zeros((16, 16, 3), np.uint8)
    for channel, start in zip(channels, column):
        image[4:8, start : start + 4, channel] = 255
    return image


@pytest.fixture
def breast(tmp_path):
    """p1: the red square lies one pixel beside the label; p2: the green one is the label, and red is asked for."""
    folder = tmp_path / "breast"
    folder.mkdir()
    for name, image in {"p1": square([0], [5]), "p2": square([0, 1], [10, 4])}.items():
        Image.fromarray(image).save(folder / f"{name}.png")
        label = (square([0], [4])[..., 0] > 0).astype(np.uint8)
        Image.fromarray(label).save(folder / f"{name}_mask.png")
    entries = [
        {"id": n, "group": n, "image": f"{n}.png", "label": f"{n}_mask.png", "difficulty": level}
        for n, level in (("p1", "medium"), ("p2", "easy"))
    ]
    table = {
        "modality": {"0": "US"},
        "labels": {"0": "background", "1": "breast tumour"},
        "validation": entries,
    }
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder


def evaluate(folder, output, **overrides):
    network = ClipSAM(Wordy(), ColourDecoder(), by_colour, MaskedImages())
    settings = {"network_def": network, "initialize": [], "absent": 1, **overrides}
    opened(resource_path("clip_sam", "bundles"), ["inference", "evaluate"], folder, output, **settings).run()
    return json.loads((output / "metrics.json").read_text())


def means(figures):
    return {name: round(figures[name]["mean"], 6) for name in ("iou", "oracle_iou")}


def test_the_best_candidate_and_levels_of_difficulty_stand_beside_the_iou(breast, tmp_path):
    metrics = evaluate(breast, tmp_path / "out", overlay_cases="all")
    assert means(metrics["pooled"]) == {"iou": 0.3, "oracle_iou": 0.8}
    assert means(metrics["targets"]["breast tumour"]) == {"iou": 0.3, "oracle_iou": 0.8}
    assert {level: means(one) for level, one in metrics["difficulty"].items()} == {
        "easy": {"iou": 0.0, "oracle_iou": 1.0},
        "medium": {"iou": 0.6, "oracle_iou": 0.6},
    }
    assert list(metrics["difficulty"]) == ["easy", "medium"]
    with (tmp_path / "out" / "cases.csv").open(newline="") as file:
        rows = [(r["case"], r["target"], r["difficulty"], r["oracle_iou"]) for r in csv.DictReader(file)]
    assert rows == [
        ("p1", "", "medium", ""),
        ("p1", "breast tumour", "medium", "0.6"),
        ("p2", "", "easy", ""),
        ("p2", "breast tumour", "easy", "1"),
    ]
    assert sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir()) == [
        "breast-breast-tumour-0001-p2.png",
        "breast-breast-tumour-0002-p1.png",
    ]


def test_the_command_line_shows_the_best_candidate(breast, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    words = ["evaluate", str(small_clip_sam(tmp_path)), "--data", str(breast), "--split", "validation"]
    assert main([*words, "-o", str(tmp_path / "out"), "--overlays", "all"]) == 0
    out = capsys.readouterr().out
    assert "IoU of best candidate" in out and "medium" in out
    assert len(list((tmp_path / "out" / "overlays").iterdir())) == 2
