"""File names and prompts of any kind: done, written under names that every system takes, reported on one line."""

from __future__ import annotations

import json
import os

import pytest

from monai_ext.prompts.text import escaped
from tests.bundles.small import picture
from tests.cli.commands import segment
from tests.cli.test_hostile import folder
from tests.limits import limited

NAMES = [
    "line\nbreak",
    "🫁 scan",
    "\x1b[31mred\x07",
    "صورة",
    "\u202eturned",
    "x" * 250,
    "é" * 120,
    "-rf",
    "a b  c",
    "\udcff",
]


@pytest.mark.parametrize("names", [None, "file"])
def test_files_of_any_name_are_done_and_reported_on_one_line(tmp_path, bundle, capsys, names):
    scans = folder(tmp_path / "scans")
    for seed, name in enumerate(NAMES):
        picture(scans / f"{name}.png", seed)
    (scans / f"{'x' * 250}.bmp").write_bytes(b"no picture")
    assert segment(scans, tmp_path / "out", bundle, "--preview", names=names) == 2
    out, err = capsys.readouterr()
    report = json.loads((tmp_path / "out/report.json").read_text())
    cases = [row["case"] for row in report["results"]]
    assert len(set(cases)) == len(cases) == len(NAMES)
    assert all(len(os.fsencode(case)) <= 255 and case.isprintable() for case in cases)
    assert all((tmp_path / "out" / row["mask"]).is_file() for row in report["results"])
    lines = out.splitlines()
    assert len(lines) == 2 * len(NAMES) + (3 if names is None else 2)
    assert all(line.isprintable() for line in (*lines, *err.splitlines()))
    assert err.count("\n") == 1 and " left out: " in err


def test_equal_stems_stay_apart(tmp_path, bundle):
    scans = folder(tmp_path / "scans")
    for seed, name in enumerate(("a.png", "a.bmp", "A.tif")):
        picture(scans / name, seed)
    assert segment(scans, tmp_path / "out", bundle, "--quiet") == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"A", "a-2", "a-3", "report.json"}
    assert segment(scans, tmp_path / "hash", bundle, "--quiet", names=None) == 0
    assert len(list((tmp_path / "hash").iterdir())) == 4


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("liver " * 1666 + "end", "liver-" * 9 + "liver"),
        ("left\nlung\r\n", "left-lung"),
        ("🫁 lungs", "lungs"),
        ("🫁", "prompt"),
        ("الكبد", "الكبد"),
        ("\x1b[2Jlungs\x07", "2jlungs"),
        ("lungs\u202e", "lungs-u202e"),
        ("𝒍" * 300, "𝒍" * 60),
        ("../../etc", "etc"),
    ],
)
def test_prompts_of_any_kind_are_done_and_reported_on_one_line(tmp_path, bundle, capsys, prompt, name):
    source = picture(tmp_path / "a.png")
    with limited(5):
        assert segment(source, tmp_path / "out", bundle, "--preview", prompts=(prompt, "lungs")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and all(line.isprintable() for line in lines)
    assert len(lines[0]) < 400 + 2 * len(str(tmp_path))
    row, _ = json.loads((tmp_path / "out/report.json").read_text())["results"]
    assert row["prompt"] == " ".join(escaped(piece) for piece in prompt.split())
    assert row["mask"] == f"a/{name}.png" and (tmp_path / "out" / row["mask"]).is_file()


@pytest.mark.parametrize("prompt", ["", "  \n", ";", "\udcff\udcfe"])
def test_prompts_that_are_none_are_one_line(tmp_path, bundle, capsys, prompt):
    assert segment(picture(tmp_path / "a.png"), tmp_path / "out", bundle, prompts=(prompt,)) == 2
    err = capsys.readouterr().err
    assert "prompt" in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()
