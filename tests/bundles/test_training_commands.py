"""The commands that the documents give for training, run as they stand there, on a tiny data set for one short epoch."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundles.films import write_films

ROOT = Path(__file__).parents[2]
PAGES = {
    ROOT / "README.md": ROOT,
    **{page: page.parents[1] for page in sorted(ROOT.glob("bundles/*/docs/README.md"))},
}
"""Pages, and the folders in which their commands are run."""
SHORT = "--epochs 1 --draws_per_epoch 4 --batch_size 4 --num_workers 0 --device cpu --amp false --sets null"
MADE = "--phantoms 1 --photographs false --lesions 1 --opacities 1 --transplants 1"
"""In place of the hundreds that made the embedded weights; each id only where the configuration has it."""


def commands(page: Path) -> list[list[str]]:
    """The training commands in fenced blocks of a page, split as a shell splits them."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    split = [shlex.split(line, comments=True) for line in lines if "-m monai.bundle run" in line]
    return [words for words in split if any("/train" in word for word in words)]


COMMANDS = [(page, words) for page in PAGES for words in commands(page)]


def filled(words: list[str], data: Path, out: Path) -> list[str]:
    """A command with folders in place of their names."""
    places = {"DATASET": str(data), "DATA": str(data), "RUN": str(out)}
    return [places.get(word, word) for word in words]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_films(folder / "hosp")
    return folder


def test_the_readme_and_the_cards_of_what_can_be_trained_give_commands() -> None:
    pages = [page.relative_to(ROOT).as_posix() for page, _ in COMMANDS]
    assert sorted(set(pages)) == [
        "README.md",
        "bundles/clip_sam/docs/README.md",
        "bundles/vlsm/docs/README.md",
    ]


@pytest.mark.parametrize(
    ("page", "words"), COMMANDS, ids=[f"{page.parts[-3]}-{n}" for n, (page, _) in enumerate(COMMANDS)]
)
def test_a_training_command_of_a_document_trains(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path, page: Path, words: list[str]
) -> None:
    out = tmp_path / "run"
    assert words[:4] == ["python", "-m", "monai.bundle", "run"]
    text = " ".join(words)
    synthetic = MADE.replace("--photographs false", "") if "decoder" in text else MADE
    more = f"{SHORT} {synthetic if 'embedded' in text else ''} --exclude '' --set_weights ''"
    if "train_embedded" in text:  # public weights are not there in a test
        more += " --layers ''"
    monkeypatch.chdir(PAGES[page])
    monkeypatch.setattr(sys, "argv", filled(words, data, out)[2:] + shlex.split(more))
    monkeypatch.setattr(sys, "path", [*sys.path])  # MONAI adds the bundle's folder
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
    assert {"model.pt", "checkpoints", "training.csv"} <= {file.name for file in out.iterdir()}


def test_on_the_command_line_a_wrong_value_is_one_line_and_exit_code_2(tmp_path: Path, data: Path) -> None:
    """Of a later step than the check of the values: that a set is not there."""
    words = [
        sys.executable,
        "-W",
        "ignore",
        *filled(commands(ROOT / "README.md")[0], data, tmp_path / "run")[1:],
    ]
    home = {**os.environ, "MONAI_EXT_HOME": str(tmp_path)}
    run = subprocess.run([*words, "--sets", "hosp,other"], cwd=ROOT, env=home, capture_output=True, text=True)
    assert run.returncode == 2
    (error,) = run.stderr.splitlines()
    assert error == f"error: {data}: no set other; choose from hosp."
    assert not (tmp_path / "run").exists()
