"""``monai-ext dataset check``: one line a problem and exit 2, tables, figures and a picture."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from monai_ext.cli.main import main
from tests.bundles.small import picture
from tests.data.test_dataset_check import entry, write_table
from tests.data.test_near_lists import films


@pytest.fixture
def chest(tmp_path: Path) -> Path:
    """One X-ray with its lungs, 24 rows and 40 columns, a tenth of them lung."""
    folder = tmp_path / "chest"
    folder.mkdir()
    picture(folder / "a.png")
    mask = Image.new("L", (40, 24))
    mask.paste(1, (0, 0, 8, 12))
    mask.save(folder / "a_mask.png")
    return written(folder)


def written(folder: Path, *more: dict) -> Path:
    table = {
        "modality": {"0": "X-ray"},
        "labels": {"0": "background", "1": "lungs [both]"},
        "training": [{"id": "a", "image": "a.png", "label": "a_mask.png"}, *more],
    }
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from monai_ext.cli.main import main; code = main(sys.argv[1:]);"
        "print(code, [m for m in ('torch', 'monai', 'numpy', 'ignite', 'SimpleITK') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, "dataset", "check", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


def test_a_good_set_prints_its_figures_and_writes_them_and_the_sheet(tmp_path, chest, capsys):
    sheet, figures = tmp_path / "sheet.png", tmp_path / "figures.json"
    assert main(["dataset", "check", str(chest), "--sheet", str(sheet), "--json", str(figures)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]
    assert rows[0] == ["chest", "training", "1", "1", "picture 2D", "1", "24 × 40", ""]
    assert rows[1] == ["chest", "training", "lungs [both]", "1", "0", "10.00 %"]
    assert rows[2][:3] == ["xray", "picture 2D", "1"]
    content = json.loads(figures.read_text())
    assert (content["problems"], content["notes"]) == ([], [])
    target = content["sets"]["chest"]["lists"]["training"]["targets"]["lungs [both]"]
    assert target == {"shown": 1, "empty": 0, "median_share": pytest.approx(0.1)}
    with Image.open(sheet) as drawn:
        assert drawn.format == "PNG" and drawn.width > 240


def test_every_problem_is_a_line_and_the_exit_code_is_two(tmp_path, chest, capsys):
    (chest / "b.png").write_text("text")
    written(chest, {"id": "b", "image": "b.png", "label": "no.png"}, {"id": "line\nbreak", "image": "c.png"})
    figures = tmp_path / "figures.json"
    assert main(["dataset", "check", str(chest), "--json", str(figures), "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    *missing, unreadable = err.splitlines()
    assert missing == [
        "error: chest: b: label no.png is missing",
        "error: chest: line break: image c.png is missing",
    ]
    assert unreadable.startswith("error: chest: b (training): b.png: ")
    assert json.loads(figures.read_text())["problems"] == [
        line[len("error: ") :] for line in err.splitlines()
    ]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--sheet", "x.jpg"], "x.jpg: give a file"),
        (["--json", "x"], "x: give a file"),
        (["--sets", "abdomen"], "no set abdomen; choose from chest"),
        (["--sheet", "chest/a.png/x.png"], "x.png: cannot be written"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(chest, options, reason, capsys, monkeypatch):
    monkeypatch.chdir(chest.parent)
    assert main(["dataset", "check", "chest", *options, "--quiet"]) == 2
    err = capsys.readouterr().err
    assert reason in err and len(err.splitlines()) == 1
    assert sorted(p.name for p in chest.parent.rglob("*")) == ["a.png", "a_mask.png", "chest", "dataset.json"]


def test_images_that_look_nearly_the_same_in_two_lists_are_warned_of(tmp_path, capsys):
    films(tmp_path / "chest", "a1", "a2")
    films(tmp_path / "more", "b1", "a3")
    write_table(tmp_path / "chest", training=[entry("a1"), entry("a2")])
    write_table(tmp_path / "more", validation=[entry("b1")], test=[entry("a3")])
    figures = tmp_path / "figures.json"
    both = [str(tmp_path / "chest"), str(tmp_path / "more")]
    assert main(["dataset", "check", *both, "--json", str(figures)]) == 0
    out, err = capsys.readouterr()
    assert "│ chest │ training   │ 2" in out and "│ more  │ validation │ 1" in out
    (warning,) = err.splitlines()
    assert warning.startswith(
        "warning: more: b1 (validation): b1.png looks nearly like a1.png of chest: a1 (training)"
    )
    assert json.loads(figures.read_text())["warnings"] == [warning[len("warning: ") :]]
    assert main(["dataset", "check", *both, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["dataset", "check", str(tmp_path), "--sets", "more"]) == 0
    assert capsys.readouterr().err == ""
