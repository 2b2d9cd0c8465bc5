"""What cases are called on the command line, and how a user finds the file behind a name."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from monai_ext.cli.main import main
from tests.bundles.small import contents, picture
from tests.cli.commands import segment


def case(path: Path) -> str:
    return "case-" + hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def scans(folder: Path) -> list[Path]:
    """Three pictures, the last a copy of the first."""
    folder.mkdir()
    paths = [picture(folder / "a.png"), picture(folder / "b.png", seed=1)]
    return [*paths, Path(shutil.copy(paths[0], folder / "c.png"))]


def test_cases_are_called_by_their_content_and_found_again(tmp_path, bundle, capsys):
    source = picture(tmp_path / "Jane Doe.png")
    assert segment(source, tmp_path / "out", bundle, names=None) == 0
    out = capsys.readouterr().out
    assert out.startswith(f'{case(source)}  "lungs": found')
    assert out.splitlines()[0].endswith(f" → {tmp_path}/out/{case(source)}/lungs.png")
    assert "Doe" not in out
    assert set(contents(tmp_path / "out")) == {
        "report.json",
        *(f"{case(source)}/{name}" for name in ("lungs.png", "labels.png", "record.json")),
    }
    assert main(["cases", str(source)]) == 0
    assert capsys.readouterr().out == f"{case(source)}  Jane Doe.png\n"


def test_copies_are_one_case(tmp_path, bundle, capsys):
    first, second, copy = scans(tmp_path / "in")
    for more in ([], [], ["--no-resume"]):
        assert segment(tmp_path / "in", tmp_path / "out", bundle, *more, names=None) == 0
        report = json.loads((tmp_path / "out/report.json").read_text())
        assert [row["case"] for row in report["results"]] == [case(first), case(second)]
        assert report["copies"] == 1
        out = capsys.readouterr().out
        assert "1 of these inputs are copies of others and stand for the same case\n" in out
        assert "which file each case is → monai-ext cases INPUT\n" in out
    assert main(["cases", str(tmp_path / "in")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{case(path)}  {path.name}" for path in (first, second, copy)
    ]


def test_a_run_under_the_names_of_the_files_keeps_copies_apart(tmp_path, bundle):
    scans(tmp_path / "in")
    assert segment(tmp_path / "in", tmp_path / "out", bundle, "--quiet", names="file") == 0
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert [row["case"] for row in report["results"]] == ["a", "b", "c"]
    assert report["copies"] == 0


def test_parts_and_runs_that_go_on_know_cases_by_their_content(tmp_path, bundle):
    first, *_ = scans(tmp_path / "in")
    assert segment(tmp_path / "in", tmp_path / "whole", bundle, "--quiet", names=None) == 0
    for part in ("1", "2"):
        more = ("--quiet", "--part", part, "--parts", "2")
        assert segment(tmp_path / "in", tmp_path / "parts", bundle, *more, names=None) == 0
    whole, parts = contents(tmp_path / "whole"), contents(tmp_path / "parts")
    del whole["report.json"], parts["report-1-of-2.json"], parts["report-2-of-2.json"]
    assert parts == whole
    first.rename(first.with_name("renamed.png"))  # the same content is still the same case
    assert segment(tmp_path / "in", tmp_path / "whole", bundle, "--quiet", names=None) == 0
    report = json.loads((tmp_path / "whole/report.json").read_text())
    assert (report["skipped"], report["copies"]) == (2, 1)


def test_a_run_reads_each_input_once_for_its_name_and_record(tmp_path, bundle, monkeypatch):
    from monai_ext.data import fault_tolerant

    scans(tmp_path / "in")
    asked = []
    hash_of = fault_tolerant.input_hash
    monkeypatch.setattr(fault_tolerant, "input_hash", lambda path: asked.append(path) or hash_of(path))
    assert segment(tmp_path / "in", tmp_path / "out", bundle, "--quiet", names=None) == 0
    assert len(asked) == 3


def test_what_cannot_be_listed_is_one_line(tmp_path, capsys):
    assert main(["cases", str(tmp_path / "gone")]) == 2
    assert capsys.readouterr().err == "error: gone: no such file or folder.\n"
