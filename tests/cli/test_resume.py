"""Runs that go on where an earlier one stopped, in parts, and what is left when one is ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from monai.bundle import run
from PIL import Image

from monai_ext.cli.console import STOPPED
from monai_ext.files import whole_file
from tests.bundles.small import contents, picture
from tests.cli.commands import segment


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for seed in range(5):
        picture(folder / f"{seed}.png", seed)
    return folder


def report(out: Path, name: str = "report.json") -> dict:
    return json.loads((out / name).read_text())


def times(out: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*/lungs.png")}


def test_the_same_command_again_does_nothing_and_reports_the_same(tmp_path, scans, bundle, capsys):
    out = tmp_path / "out"
    assert segment(scans, out, bundle) == 0
    first, before = report(out), times(out)
    capsys.readouterr()
    assert segment(scans, out, bundle) == 0
    assert "5 of these cases were done before; --no-resume does them again" in capsys.readouterr().out
    assert times(out) == before
    assert report(out)["results"] == first["results"]
    assert (first["skipped"], report(out)["skipped"]) == (0, 5)


def test_only_what_is_missing_is_done(tmp_path, scans, bundle):
    out = tmp_path / "out"
    assert segment(scans, out, bundle) == 0
    whole, before = contents(out), times(out)
    (out / "3" / "lungs.png").unlink()
    (out / "1" / "record.json").unlink()
    assert segment(scans, out, bundle) == 0
    assert {case for case, when in times(out).items() if when != before[case]} == {"1", "3"}
    again = contents(out)
    assert {k: v for k, v in again.items() if k != "report.json"} == {
        k: v for k, v in whole.items() if k != "report.json"
    }


def test_another_prompt_or_threshold_is_done_anew_and_so_is_everything_when_asked(tmp_path, scans, bundle):
    out = tmp_path / "out"
    assert segment(scans, out, bundle) == 0
    for more in (["--threshold", "0.6"], ["--no-resume", "--threshold", "0.6"], ["-p", "heart"]):
        assert segment(scans, out, bundle, *more) == 0
        assert report(out)["skipped"] == 0


def test_parts_together_are_the_whole(tmp_path, scans, bundle):
    assert segment(scans, tmp_path / "whole", bundle) == 0
    for part in ("1", "2"):
        assert segment(scans, tmp_path / "parts", bundle, "--part", part, "--parts", "2") == 0
    whole, parts = contents(tmp_path / "whole"), contents(tmp_path / "parts")
    del whole["report.json"]
    both = [json.loads(parts.pop(f"report-{n}-of-2.json")) for n in (1, 2)]
    assert parts == whole
    rows = sorted((row for one in both for row in one["results"]), key=lambda row: row["case"])
    assert rows == report(tmp_path / "whole")["results"]
    assert [len(one["results"]) for one in both] == [3, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--part", "3", "--parts", "2"], "part 3 of 2: parts are counted from 1"),
        (["--part", "6", "--parts", "8"], "part 6 of 8: nothing to do, there are 5 cases"),
    ],
)
def test_a_part_that_is_not_there_is_one_line(tmp_path, scans, bundle, capsys, words, message):
    assert segment(scans, tmp_path / "out", bundle, *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_leaves_whole_files_and_can_go_on(tmp_path, bundle, number):
    folder, out = tmp_path / "scans", tmp_path / "out"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n in range(40):
        Image.fromarray(rng.integers(0, 256, (600, 600), dtype=np.uint8)).save(folder / f"{n:02}.png")
    words = ["segment", str(folder), "-p", "lungs", "-o", str(out), "--bundle", str(bundle), "--preview"]
    words += ["--names", "file"]
    process = subprocess.Popen(
        [sys.executable, "-m", "monai_ext.cli.main", *words], stderr=subprocess.PIPE, text=True
    )
    limit = time.monotonic() + 120
    while not list(out.glob("*/record.json")) and time.monotonic() < limit and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    # Python ends itself by SIGINT when an eval, as MONAI's, was interrupted; shells call both 130
    assert process.returncode in (STOPPED, -signal.SIGINT)
    assert errors == "error: stopped; what is done is kept, and the same command goes on from there.\n"
    assert not list(out.rglob(".*"))
    assert not (out / "report.json").exists()
    for path in out.rglob("*.png"):
        with Image.open(path) as opened:
            opened.load()
    done = len(list(out.glob("*/record.json")))
    assert 0 < done < 40
    assert segment(folder, out, bundle, "--preview") == 0
    assert report(out)["skipped"] == done


def test_any_other_configuration_is_done_anew(tmp_path, scans, bundle):
    """With MONAI's own runner, whose overrides are not known to the command."""
    out, changed = tmp_path / "out", {"network_def#flip_average": False}
    words = {"config_file": str(bundle / "configs/inference.json"), "bundle_root": str(bundle)}
    words |= {"dataset_dir": str(scans), "output_dir": str(out), "case_names": "file", "device": "cpu"}
    skipped = []
    for more in ({}, {"batch_size": 1}, changed, changed, {}, {"output_dir": str(out.with_name("moved"))}):
        if "output_dir" in more:
            out.rename(more["output_dir"])
        run("run", **words, **more) if "output_dir" not in more else run("run", **{**words, **more})
        skipped.append(report(Path(more.get("output_dir", out)))["skipped"])
    assert skipped == [0, 5, 0, 5, 0, 5]


def test_the_command_and_monais_runner_pass_over_what_the_other_did(tmp_path, scans, bundle):
    out = tmp_path / "out"
    assert segment(scans, out, bundle, "--device", "cpu") == 0
    run(
        "run",
        config_file=str(bundle / "configs/inference.json"),
        bundle_root=str(bundle),
        dataset_dir=str(scans),
        output_dir=str(out),
        case_names="file",
        device="cpu",
    )
    assert report(out)["skipped"] == 5


def test_a_changed_mask_or_a_damaged_record_is_made_again(tmp_path, scans, bundle, caplog):
    out = tmp_path / "out"
    assert segment(scans, out, bundle, "--preview") == 0
    whole = contents(out)
    (out / "0/lungs.png").write_bytes(b"")
    (out / "1/labels.png").unlink()
    (out / "2/overlay.png").write_bytes((out / "1/overlay.png").read_bytes())
    (out / "3/record.json").write_text('{"results": [{}], "settings": {}, "input_sha256": ""}')
    assert segment(scans, out, bundle, "--preview") == 0
    assert report(out)["skipped"] == 1
    again = contents(out)
    assert {k: v for k, v in again.items() if k != "report.json"} == {
        k: v for k, v in whole.items() if k != "report.json"
    }


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path, scans, bundle):
    out = tmp_path / "out"
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with whole_file(out / "0" / "overlay.png") as path:
        path.touch()
        (out / "0" / path.name.replace(str(os.getpid()), str(process.pid))).touch()
    assert segment(scans, out, bundle) == 0
    assert not list(out.rglob(".*"))
