"""``monai-ext dataset make``: what is matched, what not and what is assumed, in lines, before anything is written."""

from __future__ import annotations

import json

import pytest

from monai_ext.cli.main import main
from tests.data.making.sources import mask, picture

TARGET = ["--modality", "ultrasound", "--target", "1=odd spot"]


@pytest.fixture
def source(tmp_path):
    for number in range(8):
        picture(tmp_path / "src" / f"P{number // 2}_{number}.png")
        if number < 7:
            mask(tmp_path / "src" / f"P{number // 2}_{number}_mask.png")
    return tmp_path / "src"


def test_it_says_what_it_does_and_the_check_finds_nothing(source, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["dataset", "make", str(source), str(out), *TARGET, "--group", r"(P\d)_"]) == 0
    printed, err = capsys.readouterr()
    assert err == "" and printed.splitlines() == [
        f"{source}: images and masks matched by name",
        "matched: 7 cases, such as P0_0.png with P0_0_mask.png",
        "not matched: 1 × image without a mask: P3_7.png",
        "modality: ultrasound",
        "target: odd spot, from 255; shown in 7 of 7 cases",
        "  note: not in the prompt library for us: odd spot; wordings come from a template, write better ones under"
        " prompts in dataset.json",
        "lists: 4 training, 1 validation, 2 test; 4 patients",
        f"{out}: written; monai-ext dataset check looks at all of it",
    ]
    assert main(["dataset", "check", str(out), "--quiet"]) == 0


def test_a_dry_run_writes_nothing_and_says_the_same(source, tmp_path, capsys):
    command = ["dataset", "make", str(source), str(tmp_path / "out"), *TARGET]
    assert main([*command, "--dry-run"]) == 0
    dry = capsys.readouterr().out.splitlines()
    assert not (tmp_path / "out").exists()
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[:-1] == dry


def test_links_quiet_and_shares(source, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--link", "--quiet", "--split", "50/50", "--seed", "4"]
    assert main(["dataset", "make", str(source), str(out), *TARGET, *options]) == 0
    table = json.loads((out / "dataset.json").read_text())
    assert capsys.readouterr().out == "" and (out / table["training"][0]["image"]).is_symlink()
    assert [len(table[name]) for name in ("training", "validation", "test")] == [3, 4, 0]
    assert "seed 4" in table["split_rule"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere", "out"], "nowhere: no such file or folder"),
        (["src", "src/out"], "out: lies inside the source src"),
        (["src", "src"], "src: not empty, and nothing is overwritten"),
        (["src", "out"], "the files do not state their modality; give --modality"),
        (["src", "out", "--modality", "US"], "the masks hold 255 without a name; give --target"),
        (["src", "out", "--modality", "US", "--target", "spot"], "--target 'spot': give a value and words"),
        (["src", "out", *TARGET, "--split", "70/70"], "--split 70/70: give shares"),
        (["src", "out", *TARGET, "--group", "P"], "--group 'P': put what names the patient in brackets"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments, reason, source, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["dataset", "make", *arguments]) == 2
    err = capsys.readouterr().err
    assert reason in err and len(err.splitlines()) == 1 and err.startswith("error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["src"] and not (source / "out").exists()


def test_stopping_leaves_nothing(source, tmp_path, capsys, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("monai_ext.data.making.write.read_layers", stopped)
    assert main(["dataset", "make", str(source), str(tmp_path / "out"), *TARGET]) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["src"]
