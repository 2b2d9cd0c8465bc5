"""The report of a training: figures before and after, the curve of its loss, what it took, and hashes."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.reports.train import write_report
from tests.reports.parsed import parsed
from tests.reports.written import DICE, rows, write_evaluation

ROWS = [
    {
        "where": "breast",
        "target": "tumour",
        "before": 0.55,
        "before_interval": [0.3, 0.8],
        "after": 0.6,
        "after_interval": None,
        "images": 6,
    },
    {
        "where": "phantom_ct",
        "target": "<script>liver</script>",
        "before": 0.9,
        "before_interval": None,
        "after": 0.0,
        "after_interval": None,
        "images": 2,
    },
]
METADATA = {
    "name": "VLSM",
    "version": "0.1.1",
    "parent": {"name": "vlsm", "version": "0.1.0", "weights_sha256": "ab12"},
    "training": {
        "summary": "retrained on 4 cases of breast, 3 epochs",
        "configuration": "train",
        "module": None,
        "cases": {"breast": 4},
        "epochs": 3,
        "replayed": True,
        "settings": {"learning_rate": 0.0005, "cache": "/home/mary/cache"},
    },
}
PLAN = {"parameters": 100, "step_seconds": 0.5, "steps": 2, "epochs": 3, "state_bytes": 3200}


@pytest.fixture
def trained(tmp_path):
    """The folder of a training, as its command leaves it."""
    for file, content in {
        "bundle/configs/metadata.json": METADATA,
        "bundle/models/weights.json": {"training_sha256": "cd34", "model_sha256": "ef56", "licence": "free"},
        "before_after.json": ROWS,
        "plan.json": PLAN,
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(json.dumps(content))
    (tmp_path / "training.csv").write_text("epoch,seconds,loss\n1,4,0.8\n2,8,0.4\n3,12,0.2\n")
    made = rows(dice=(*DICE[:-1], 1.0))
    made[-2]["voxels"] = 0
    write_evaluation(tmp_path / "evaluation/canonical-before", rows())
    write_evaluation(tmp_path / "evaluation/canonical-after", made, {"data_sha256": "0a1b"})
    return tmp_path


def test_figures_before_and_after_are_those_of_the_json(trained):
    page = parsed(write_report(trained))
    assert page.tables[0] == [
        ["target", "Dice before", "after", "difference", "images"],
        ["breast: tumour", "0.550 (0.30 to 0.80)", "0.600", "+0.050", "6"],
        ["phantom_ct: <script>liver</script>", "0.900", "0.000", "-0.900", "2"],
    ]
    sentence = "From vlsm 0.1.0, retrained on 4 cases of breast, 3 epochs. Dice of tumour in breast: 0.550 before, 0.600 after."
    assert sentence in page.texts and "Training of VLSM 0.1.1" in page.texts
    assert [(mark["class"], mark["x1"]) for mark in page.marks("mean")] == [
        ("mean before", "55"),
        ("mean after", "60"),
        ("mean before", "90"),
        ("mean after", "0"),
    ]
    assert "0.900 → 0.000" in page.texts


def test_the_loss_is_a_curve(trained):
    page = parsed(write_report(trained))
    (line,) = page.marks("curve")
    assert line["points"] == "0,0 50,12 100,18"
    at = page.texts.index("0.8 at the upper edge, 0 at the lower one")
    assert page.texts[at + 1 : at + 3] == ["epoch 1: 0.8", "epoch 3: 0.2"]


def test_presence_is_shown_before_and_after(trained):
    before, after = parsed(write_report(trained)).tables[1:3]
    assert before[2] == ["not in the image", "1 (50 %)", "1 (50 %)", "2"]
    assert after[2] == ["not in the image", "0 (0 %)", "2 (100 %)", "2"]


def test_cases_are_those_after_the_training(trained):
    alts = parsed(write_report(trained)).values("alt")
    assert len(alts) == 3 and alts[2].startswith("best case, c5: Dice 1.000")


def test_settings_plan_and_hashes_are_stated_and_no_folder(trained):
    path = write_report(trained)
    texts = parsed(path).texts
    wanted = {
        "what was done": "retrained on 4 cases of breast, 3 epochs",
        "epochs planned": "3",
        "other settings": "learning_rate 0.0005, cache cache",
        "with material that the parent learnt from": "yes",
        "seconds a step, as measured before": "0.5",
        "training cases by set": "breast 4",
        "its weights (SHA-256)": "ab12",
        "trained weights (SHA-256)": "cd34",
        "weights of the bundle (SHA-256)": "ef56",
        "images, labels and prompts (SHA-256)": "0a1b",
    }
    assert {name: texts[texts.index(name) + 1] for name in wanted} == wanted
    assert "mary" not in path.read_text() and str(trained) not in path.read_text()
    assert "trained module" not in texts


def test_the_last_picture_of_the_training_is_shown_where_there_are_some(trained):
    assert "While it trained" not in parsed(write_report(trained)).texts
    (trained / "pictures").mkdir()
    for number in (2, 10, 9):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(trained / f"pictures/epoch-{number}.png")
    page = parsed(write_report(trained))
    assert page.values("alt")[0] == "epoch-10"
    assert page.pictures()[0].getpixel((0, 0)) == (10, 0, 0)


def test_a_training_without_an_epoch_in_its_log_has_no_curve(trained):
    (trained / "training.csv").write_text("epoch,seconds,loss\n")
    assert "Loss" not in parsed(write_report(trained)).texts


@pytest.mark.parametrize("content", [None, "epoch,seconds\n1,2\n", "epoch,seconds,loss\n1,2,much\n"])
def test_a_log_that_cannot_be_read_is_named(trained, content):
    (trained / "training.csv").unlink()
    if content:
        (trained / "training.csv").write_text(content)
    with pytest.raises(InputError, match=rf"^{trained.name}/training.csv: cannot be read"):
        write_report(trained)
