"""The commands of the README from a clone to a retrained bundle in MONAI Label, as they are written there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("monailabel", reason="needs an environment of its own; run make test-label")

from tests.apps.label.server import serving
from tests.bundles.films import write_films
from tests.served import ROOT

ENVIRONMENTS = [ROOT / ".venv", ROOT / ".venv-label"]
SHORTER = {
    "REPOSITORY": str(ROOT),
    "--minutes 10": "--epochs 1 --set draws_per_epoch=24",
    "IMAGE": "SRC/images/0.png",
}
"""What a reader fills in, and the one thing that takes time."""


def commands() -> list[str]:
    section = (ROOT / "README.md").read_text().split("### On your own data")[1]
    block = section.split("```")[1]
    return [re.sub(r"\s+#.*", "", line) for line in block.strip().splitlines()]


def test_the_way_from_a_clone_to_a_served_bundle_takes_six_commands_at_most():
    assert len(commands()) <= 6
    assert commands()[0].startswith("git clone") and " label RUN/bundle " in commands()[-1]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this tree is no clone")
@pytest.mark.skipif(
    not all(folder.is_dir() for folder in ENVIRONMENTS), reason="needs .venv and .venv-label beside the tree"
)
def test_each_command_works_as_it_is_written(tmp_path):
    first, *others, last = [filled(command) for command in commands()]
    clone, *then = first.split(" && ")
    run(clone, tmp_path)
    tree = tmp_path / "monai_ext"
    borrow_environments(tree)
    own_images(tree / "SRC")
    for command in [*then[1:], *others]:
        run(command, tree)
    masks = list((tree / "OUT").glob("*/*.png"))
    assert masks and (tree / "RUN" / "bundle" / "docs" / "README.md").is_file()
    with serving(shlex.split(last.replace(".venv", f"{tree}/.venv", 1)), tree / "server.log") as client:
        (model,) = client.info()["models"].values()
        assert model["version"] == "0.1.1"


def filled(command: str) -> str:
    for words, instead in SHORTER.items():
        command = re.sub(rf"(?<!\S){words}(?!\S)", instead, command)
    return command


def run(command: str, folder: Path) -> None:
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"


def borrow_environments(tree: Path) -> None:
    """Those of this checkout stand for the clone's, so that nothing is installed: its requirements are the same."""
    for environment in ENVIRONMENTS:
        (tree / environment.name).symlink_to(environment)
    for name in ("pyproject.toml", "setup.py"):
        assert (tree / name).read_bytes() == (ROOT / name).read_bytes()
        os.utime(tree / name, (0, 0))  # as make compares them


def own_images(folder: Path) -> None:
    """A hospital's own folder: ``images`` and ``labels`` of the same names."""
    films = write_films(folder.with_name("films"), width=64)
    for file in sorted(films.glob("*.png")):
        kind, name = (
            ("labels", file.name.replace("_mask", "")) if "_mask" in file.name else ("images", file.name)
        )
        (folder / kind).mkdir(parents=True, exist_ok=True)
        picture = Image.open(file)
        picture.save(folder / kind / name)
