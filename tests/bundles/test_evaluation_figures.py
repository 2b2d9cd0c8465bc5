"""An evaluation gives the figures worked out by hand for two pictures, with a network that finds what is bright."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.networks.segmenter import Segmentation, TextPromptedSegmenter
from monai_ext.resources import resource_path
from tests.bundles.runs import opened

PROMPT = "tumour in a breast ultrasound"


class Bright(TextPromptedSegmenter):
    """Finds what is bright, is sure of one prompt, and takes any other for true where the corner is grey."""

    def encode(self, image):
        return {"image": image}

    def segment(self, features, prompts):
        image = features["image"]
        deceived = image[:, 0, 0, 0] > 0.2
        sure = torch.tensor([prompt.texts[0] == PROMPT for prompt in prompts])
        presence = torch.where(sure, 0.9, torch.where(deceived, 0.95, 0.1)).logit()
        return Segmentation(40 * (image[:, :1] - 0.5), presence)


def square(column):
    picture = np.zeros((16, 16), dtype=np.uint8)
    picture[4:8, column : column + 4] = 255
    return picture


@pytest.fixture
def breast(tmp_path):
    """Two patients: the mask of the first will be one pixel beside its label, that of the second exact."""
    folder = tmp_path / "breast"
    folder.mkdir()
    images = {"p1": square(5), "p2": square(4)}
    images["p2"][0, 0] = 100
    for name, image in images.items():
        Image.fromarray(image).save(folder / f"{name}.png")
        Image.fromarray(square(4) // 255).save(folder / f"{name}_mask.png")
    entries = [{"id": n, "group": n, "image": f"{n}.png", "label": f"{n}_mask.png"} for n in images]
    table = {
        "modality": {"0": "US"},
        "labels": {"0": "background", "1": "breast tumour"},
        "validation": entries,
    }
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder


def evaluate(folder, output, **overrides):
    settings = {"network_def": Bright(), "initialize": [], "absent": 1, **overrides}
    workflow = opened(resource_path("vlsm", "bundles"), ["inference", "evaluate"], folder, output, **settings)
    workflow.run()
    workflow.finalize()
    return json.loads((output / "metrics.json").read_text())


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value


def test_two_pictures_give_exactly_these_figures(breast, tmp_path):
    metrics = evaluate(breast, tmp_path / "out")
    agreement = {
        "dice": {"mean": 0.875, "std": 0.176777, "ci95": [0.75, 1.0], "n": 2},
        "iou": {"mean": 0.8, "std": 0.282843, "ci95": [0.6, 1.0], "n": 2},
        "nsd": {"mean": 1.0, "std": 0.0, "ci95": [1.0, 1.0], "n": 2},
        "hd95": {"mean": 0.5, "std": 0.707107, "ci95": [0.0, 1.0], "n": 2, "undefined": 0, "unit": "px"},
    }
    # the absent prompt of the second picture is believed: above both true ones, and with a mask
    presence = {"auc": 0.5, "ci95": [0.0, 1.0], "n": 4, "present": 2, "absent": 2}
    presence |= {"false_positive_rate": 0.5, "miss_rate": 0.0}
    figures = {"targets": {"breast tumour": agreement}, "pooled": agreement, "presence": presence}
    about = {"set": "breast", "target": "breast tumour", "prompt": PROMPT}
    overlays = [
        {
            "file": f"overlays/breast-breast-tumour-{which}.png",
            "panels": f"panels/breast-breast-tumour-{which}.jpg",
            "which": which,
            **about,
            "case": case,
            "dice": dice,
            "presence": 0.9,
        }
        for which, case, dice in (("worst", "p1", 0.75), ("best", "p2", 1.0))
    ]
    assert rounded(metrics) == {**figures, "sets": {"breast": figures}, "overlays": overlays}
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in written) == [
        "cases.csv",
        "metrics.json",
        "overlays/breast-breast-tumour-best.png",
        "overlays/breast-breast-tumour-worst.png",
        "panels/breast-breast-tumour-best.jpg",
        "panels/breast-breast-tumour-worst.jpg",
    ]


def test_pictures_can_be_left_out(breast, tmp_path):
    assert "overlays" not in evaluate(breast, tmp_path / "out", overlays=None)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cases.csv", "metrics.json"}


def test_every_prompt_has_its_row(breast, tmp_path):
    evaluate(breast, tmp_path / "out")
    with (tmp_path / "out" / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["case"], r["target"], r["voxels"], r["dice"], r["presence"]) for r in rows] == [
        ("p1", "", "0", "", "0.1"),
        ("p1", "breast tumour", "16", "0.75", "0.9"),
        ("p2", "", "16", "", "0.95"),
        ("p2", "breast tumour", "16", "1", "0.9"),
    ]
    assert rows[1]["prompt"] == PROMPT
    assert not any(str(tmp_path) in cell for r in rows for cell in r.values())


def test_nonsense_must_leave_nothing(breast, tmp_path):
    metrics = evaluate(breast, tmp_path / "out", wording="nonsense")
    assert metrics["targets"] == {} and metrics["pooled"] == {}
    assert metrics["presence"]["auc"] is None
    assert metrics["presence"]["false_positive_rate"] == 0.5


def test_masks_are_saved_when_asked_for(breast, tmp_path):
    evaluate(breast, tmp_path / "out", save_masks=True)
    saved = np.asarray(Image.open(tmp_path / "out" / "p1" / "tumour-in-a-breast-ultrasound.png"))
    assert np.array_equal(saved > 0, square(5) > 0)


def test_a_control_picture_is_asked_for_everything(tmp_path):
    folder = tmp_path / "control"
    folder.mkdir()
    Image.fromarray(square(4)).save(folder / "cat.png")
    (folder / "dataset.json").write_text(json.dumps({"images": ["cat.png"]}))
    presence = evaluate(folder, tmp_path / "out", split="images")["presence"]
    assert presence["absent"] == presence["n"] > 30
    assert presence["false_positive_rate"] == pytest.approx(1 / presence["n"])  # the one prompt it is sure of


def test_a_label_value_that_the_set_does_not_name_stops_the_run(breast, tmp_path):
    Image.fromarray(square(4)).save(breast / "p2_mask.png")
    with pytest.raises(RuntimeError) as raised:  # MONAI's parser wraps what an expression raises
        evaluate(breast, tmp_path / "out")
    assert isinstance(raised.value.__cause__, InputError)
    assert "breast/p2: the label holds 255" in str(raised.value.__cause__)
    assert not (tmp_path / "out").exists()
