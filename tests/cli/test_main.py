"""The command line as a whole: no heavy import before a command runs, one line an error, an exit code."""

from __future__ import annotations

import subprocess
import sys

import pytest

from monai_ext.cli.main import main
from monai_ext.resources import resource_path
from tests.bundles.small import picture
from tests.cli.commands import segment


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["bundles"],
        ["bundles", "check", str(resource_path("vlsm", "bundles"))],
        ["segment", "--help"],
        ["doctor", "--help"],
        ["tune", "--help"],
        ["compare", "--help"],
    ],
)
def test_help_and_what_is_read_of_bundles_import_nothing_heavy(command):
    code = (
        "import sys; from monai_ext.cli.main import main; code = main(sys.argv[1:]);"
        "print(code, [m for m in ('torch', 'monai', 'numpy', 'ignite', 'SimpleITK') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no prompt: say what to segment, such as -p lungs."),
        (["-p", ""], "an empty prompt: say what to segment"),
        (["-p", "lungs", "-p", " ; "], "an empty prompt: say what to segment"),
        (["-p", "$print(1)"], "prompt '$print(1)' begins with '$'"),
        (["-p", "lungs; @device"], "prompt '@device' begins with '@'"),
        (["-p", "%configs/train.json"], "prompt '%configs/train.json' begins with '%'"),
        (["-p", "lungs", "--bundle", "nosuch"], "no bundle 'nosuch'; known are clip_sam, medclip_sam, vlsm"),
        (["-p", "lungs", "--threshold", "1.5"], "Invalid value for '--threshold'"),
        (["-p", "lungs", "--device", "tpu"], "device 'tpu': choose auto, cpu or cuda:0."),
        (["-p", "lungs", "--device", "cuda:99"], "device 'cuda:99': this machine has"),
        (["-p", "lungs", "--nosuch"], "No such option: --nosuch"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path, capsys, words, message):
    source = picture(tmp_path / "a.png")
    assert main(["segment", str(source), "-o", str(tmp_path / "out"), *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_fault_of_ours_is_exit_code_1_and_a_traceback_only_when_asked(
    tmp_path, bundle, capsys, monkeypatch
):
    monkeypatch.setattr("monai_ext.bundle.runner.run_segment", lambda *a, **k: 1 / 0)
    source = picture(tmp_path / "a.png")
    assert segment(source, tmp_path / "out", bundle) == 1
    assert capsys.readouterr().err == (
        "error: ZeroDivisionError: division by zero. This is a fault of monai_ext; please report what --debug"
        " prints.\n"
    )
    assert segment(source, tmp_path / "out", bundle, "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_output_that_nobody_reads_any_more_ends_the_command_without_a_word():
    code = (
        "import os, sys; from monai_ext.cli.main import main; read, write = os.pipe(); os.close(read);"
        "os.dup2(write, 1); code = main(['dataset', 'prepare', '--list']); print('more'); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")
