"""monai-ext bundles: the list, the check of a bundle from elsewhere, and that no command runs one that it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from monai_ext.bundle.check import check_bundle
from monai_ext.cli.main import main
from tests.bundle.hostile import HOSTILE
from tests.bundles.small import picture
from tests.cli.commands import segment


def test_the_list_of_bundles_shows_task_weights_and_licence(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["bundles"]) == 0
    out = capsys.readouterr().out
    for words in ("vlsm", "text prompts", "demonstration accuracy", "research use, non-commercial"):
        assert words in out


def test_a_bundle_that_passes_is_one_line_of_what_was_read(tmp_path, bundle, capsys):
    assert main(["bundles", "check", str(bundle), "--profile", "strict"]) == 0
    checked = check_bundle(bundle)
    assert capsys.readouterr() == (
        f"vlsm: nothing found in {checked.files} configurations, {checked.targets} targets and"
        f" {checked.expressions} expressions.\n",
        "",
    )
    assert main(["bundles", "check", str(bundle), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_findings_are_a_line_each_and_exit_2(tmp_path, capsys):
    bundle = HOSTILE["target laid over"].write(tmp_path, tmp_path / "canary")
    (bundle / "a\nb.py").touch()
    assert main(["bundles", "check", str(bundle)]) == 2
    assert capsys.readouterr() == (
        "",
        "error: a\\nb.py: is code, or runs code when it is loaded; a bundle holds data only.\n"
        "error: configs/inference.json, network_def#_target_: the target is 'os.system'; name one that"
        " docs/targets.md lists.\n",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no"], "no: no such folder."),
        (["."], "no configuration in its configs/, so it is no bundle."),
        ([".", "--profile", "lax"], "Invalid value for '--profile'"),
    ],
)
def test_what_cannot_be_checked_is_one_line(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(["bundles", "check", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_bundle_is_not_run(tmp_path, capsys, name):
    """No payload makes its canary, and the output is not begun."""
    canary = tmp_path / "canary"
    bundle = HOSTILE[name].write(tmp_path, canary)
    assert segment(picture(tmp_path / "a.png"), tmp_path / "out", bundle) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: bundle vlsm is not run, ") and err.count("\n") == 1
    assert not canary.exists() and not (tmp_path / "out").exists()


def commands(bundle: Path, out: Path) -> list[list[str]]:
    """Every command that takes a bundle."""
    data = ["--data", str(out.parent), "--split", "validation", "-o", str(out)]
    return [
        ["segment", str(out.parent / "a.png"), "-p", "lungs", "-o", str(out), "--bundle", str(bundle)],
        ["evaluate", str(bundle), *data],
        ["tune", str(bundle), *data, "--set", "mask_threshold=0.4,0.5"],
        ["bundles", "export", str(bundle), str(out)],
        ["compare", str(bundle), *data],
    ]


@pytest.mark.parametrize("number", range(5))
def test_every_command_asks_the_check_and_trust_leaves_it_out(tmp_path, bundle, capsys, number):
    picture(tmp_path / "a.png")
    hostile = Path(shutil.copytree(bundle, tmp_path / "hostile"))
    (hostile / "configs" / "more.json").write_text('{"x": "$import os"}')
    words = commands(hostile, tmp_path / "out")[number]
    assert main(words) == 2
    assert capsys.readouterr().err == (
        "error: bundle hostile is not run, 1 finding, the first: configs/more.json, x: the expression imports os;"
        " write a _target_ or a plain value. Run monai-ext bundles check DIR, or add --trust to run it as it is.\n"
    )
    assert not (tmp_path / "out").exists()
    trusted = main([*words, "--trust"])
    # there is no data set to score, which is the next to be found
    assert trusted == 0 or "is not run" not in capsys.readouterr().err
    assert (trusted == 0) == (number in (0, 3)) == (tmp_path / "out").exists()


@pytest.mark.parametrize("number", range(3))
def test_a_variant_from_elsewhere_is_checked_before_anything_is_run(tmp_path, capsys, number):
    picture(tmp_path / "a.png")
    canary = tmp_path / "canary"
    (tmp_path / "mine.json").write_text(json.dumps({"device": f"$open({str(canary)!r}, 'w')"}))
    words = commands(Path("vlsm"), tmp_path / "out")[number]
    assert main([*words, "--variant", str(tmp_path / "mine.json")]) == 2
    assert capsys.readouterr().err == (
        "error: the variant is not run, 1 finding, the first: mine.json, device: the expression calls open; write a"
        " _target_ or a plain value. Correct it, or add --trust to run it as it is.\n"
    )
    assert not canary.exists()
