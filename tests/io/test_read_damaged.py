"""Damaged files of every format are read properly or refused in one line: never another exception, never a hang."""

from __future__ import annotations

import gzip
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.transforms import DisplayRange, MedicalLoadImage
from tests.damage import FORMATS, SERIES, damaged, sound_file
from tests.limits import limited

SEEDS = range(24)
"""Of each format: 16 times 24 cases."""
LOAD = MedicalLoadImage(max_voxels=1 << 24)  # 64 MiB: a damaged header may announce much, and be right


def refused(path: Path) -> str:
    """Why the file is refused, in one line that tells no folder and no patient; "" if it is read properly."""
    try:
        with limited(5), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = DisplayRange()(LOAD(path))
    except InputError as error:
        message = str(error)
        assert ": " in message and len(message) < 400
        assert "\n" not in message
        assert not any(word in message for word in (str(path.parent), "Doe", "secret-42"))
        return message
    assert image.ndim in (3, 4) and image.shape[0] == 3 and min(image.shape) > 0
    assert 0 <= float(image.min()) <= float(image.max()) <= 1
    assert image.affine.shape == (4, 4) and image.affine.isfinite().all()
    return ""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """The files, by name, that each format consists of."""
    folder = tmp_path_factory.mktemp("sound")
    files = {}
    for name in FORMATS:
        (folder / name).mkdir()
        assert refused(sound_file(folder / name / name)) == ""
        files[name] = {file.name: file.read_bytes() for file in (folder / name).iterdir()}
    return files


def test_there_are_enough_generated_cases() -> None:
    assert len(FORMATS) * len(SEEDS) >= 300


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_read_or_refused(
    tmp_path: Path, sound: dict, name: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rng = np.random.default_rng([seed, FORMATS.index(name)])
    files = sound[name]
    chosen = sorted(files)[int(rng.integers(len(files)))]  # of a header with a file of voxels, either
    content, kind = damaged(files[chosen], rng)
    for file in files:
        (tmp_path / file).write_bytes(content if file == chosen else files[file])
    message = refused(tmp_path / name)
    print(f"{name}, seed {seed}: {kind} in {chosen}: {message or 'read'}")  # shown when an assertion fails
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(files)
    if kind == "cut" and name not in SERIES:
        assert message.startswith(f"{name}: ")


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"s.zip"}))
def test_no_file_of_the_format_at_all(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for content in (b"", b"hello, world\n" * 99, gzip.compress(b"hello" * 999), bytes(4096)):
        path.write_bytes(content)
        assert refused(path).startswith(f"{name}: ")
    path.unlink()
    path.mkdir()
    assert refused(path).startswith(f"{name}: ")
    path.rmdir()
    path.symlink_to(path)
    assert refused(path).startswith(f"{name}: ")
    path.unlink()
    os.mkfifo(path)  # opening it would wait for ever
    assert refused(path).startswith(f"{name}: ")


def test_a_name_too_long_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / ("x" * 300 + ".png"))
