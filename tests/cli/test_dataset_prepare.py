"""``monai-ext dataset prepare``: a line for the lists, one a note, and what there is to prepare."""

from __future__ import annotations

import json

import pytest

from monai_ext.cli.main import main
from tests.data.recipes import miniatures


def test_a_recipe_is_run_and_reported(tmp_path, capsys):
    source, out = miniatures.konya(tmp_path / "source"), tmp_path / "out"
    assert main(["dataset", "prepare", "konya_ct", str(source), str(out), "--partial", "--seed", "3"]) == 0
    printed, err = capsys.readouterr()
    table = json.loads((out / "dataset.json").read_text())
    assert err == "" and "seed 3" in table["split_rule"]
    first, *notes, licence = printed.splitlines()
    sizes = [len(table[name]) for name in ("training", "validation", "test")]
    assert first.endswith(": {} training, {} validation, {} test".format(*sizes))
    assert "  note: 4 image(s) without anything of the target left out" in notes
    assert licence.startswith("licence: NOT STATED")
    assert main(["dataset", "check", str(out), "--quiet"]) == 0


def test_the_list_names_source_and_licence_of_each(capsys):
    assert main(["dataset", "prepare", "--list"]) == 0
    printed = capsys.readouterr().out
    for name in ("busi_udiat", "figshare_brain", "covid_qu_ex", "konya_ct"):
        assert f"\n{name}: " in f"\n{printed}"
    assert printed.count("  get it: https://") == printed.count("  licence: ") == 4
    assert "1462 training, 1002 validation, 600 test" in printed


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "give NAME SRC OUT, or --list"),
        (["busi", ".", "out"], "no recipe 'busi'; choose from busi_udiat"),
        (["busi_udiat", "nowhere", "out"], "nowhere: no such folder"),
        (["busi_udiat", ".", "out"], "lies inside the source"),
    ],
)
def test_bad_arguments_are_one_line(arguments, reason, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["dataset", "prepare", *arguments]) == 2
    err = capsys.readouterr().err
    assert reason in err and len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_stopping_leaves_nothing(tmp_path, capsys, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    source = miniatures.konya(tmp_path / "source")
    monkeypatch.setattr("monai_ext.data.recipes.preparation.write_picture", stopped)
    assert main(["dataset", "prepare", "konya_ct", str(source), str(tmp_path / "out"), "--partial"]) == 130
    assert capsys.readouterr().err.strip().endswith("stopped.")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
