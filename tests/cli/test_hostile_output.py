"""Results that cannot be written, and weights that cannot be used: one line, and nothing half-written is left."""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from monai_ext.cli.main import main
from monai_ext.weights import load_weights, registry
from tests.bundles.small import contents, picture
from tests.cli.commands import segment
from tests.cli.test_hostile import cut, flipped, folder
from tests.limits import limited
from tests.weights.bombs import Bomb


@contextmanager
def only_bytes(most: int) -> Iterator[None]:
    """No file of this process can grow above `most` bytes: a write then fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))  # Python itself ignores the signal
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("most", [60, 300])
def test_a_mask_that_cannot_be_written_whole_leaves_nothing(tmp_path, bundle, capsys, most):
    """With 60 bytes the first mask fails, with 300 the picture behind the masks."""
    source = picture(tmp_path / "a.png")
    with only_bytes(most):
        assert segment(source, tmp_path / "out", bundle, "--preview") == 2
    assert capsys.readouterr().err == "error: a: cannot write into the output folder (File too large).\n"
    assert list(tmp_path.iterdir()) == [source]


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount a tmpfs")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_line_and_keeps_what_is_done(tmp_path, bundle, capsys):
    scans = folder(tmp_path / "scans")
    picture(scans / "a.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300), dtype=np.uint8)).save(
        scans / "b.png"
    )
    with mounted(tmp_path / "small", "size=256k") as small:
        assert segment(scans, small / "out", bundle, "--preview") == 2
        err = capsys.readouterr().err
        assert err == "error: b: cannot write into the output folder (No space left on device).\n"
        assert {name.split("/")[0] for name in contents(small / "out")} == {"a"}
        assert sorted(p.name for p in (small / "out").iterdir()) == ["a"]


def test_an_output_on_a_read_only_disk_is_refused_first(tmp_path, bundle, capsys, monkeypatch):
    monkeypatch.setattr("monai_ext.transforms.MedicalLoadImage.__call__", None)  # no case is read
    source = picture(tmp_path / "a.png")
    with mounted(tmp_path / "fixed", "size=64k,ro") as fixed:
        for words, name in (
            ((fixed / "out",), "out/report.json"),
            ((tmp_path / "o", "--report", fixed / "r.json"), "fixed/r.json"),
        ):
            assert segment(source, words[0], bundle, *map(str, words[1:])) == 2
            assert f"{name}: cannot be written (Read-only file system)" in capsys.readouterr().err
            assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("report", ["a.png/r.json", "scans", "x" * 300])
def test_a_report_that_cannot_be_written_is_refused_before_a_case_is_read(
    tmp_path, bundle, capsys, monkeypatch, report
):
    monkeypatch.setattr("monai_ext.transforms.MedicalLoadImage.__call__", None)
    source = picture(tmp_path / "a.png")
    folder(tmp_path / "scans")
    assert segment(source, tmp_path / "out", bundle, "--report", str(tmp_path / report)) == 2
    err = capsys.readouterr().err
    assert f"{Path(report).name}: cannot be written (" in err and err.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "scans"]


def test_an_output_below_a_file_is_refused(tmp_path, bundle, capsys):
    source = picture(tmp_path / "a.png")
    assert segment(source, source / "out", bundle) == 2
    assert capsys.readouterr().err == (
        "error: out/report.json: cannot be written (Not a directory); choose another path.\n"
    )


# weights


def wrong_shape(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    name = next(key for key, value in state.items() if value.ndim > 1)
    return {**state, name: torch.zeros(2, 3)}


@pytest.mark.parametrize("damage", ["cut", "flipped", "shape", "code", "text"])
def test_weights_of_a_bundle_that_cannot_be_used_are_exit_3(tmp_path, bundle, capsys, damage):
    broken = Path(shutil.copytree(bundle, tmp_path / "broken"))
    model = broken / "models" / "model.pt"
    state = torch.load(model, weights_only=True)
    if damage == "cut":
        cut(model)
    elif damage == "flipped":  # a bit in the middle of the largest tensor, which torch would not see
        flipped(model, model.read_bytes().index(max(state.values(), key=torch.numel).numpy().tobytes()) + 40)
    elif damage == "shape":
        torch.save(wrong_shape(state), model)
    elif damage == "code":
        torch.save({**state, "x": Bomb(tmp_path / "exploded")}, model)
    else:
        model.write_text("weights")
    with limited(5):
        assert segment(picture(tmp_path / "a.png"), tmp_path / "out", broken, "--trust") == 3
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and "model.pt" in err
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "shape", "code", "missing"])
def test_embedded_weights_that_cannot_be_used_are_exit_3(tmp_path, bundle, capsys, monkeypatch, damage):
    entry = registry.registered("vlsm")
    folder(tmp_path / "embedded")
    file = Path(shutil.copy(registry.embedded_file(entry), tmp_path / "embedded"))
    if damage == "cut":
        cut(file)
    elif damage == "flipped":
        flipped(file, file.stat().st_size // 2)
    elif damage == "missing":
        file.unlink()
    elif damage == "shape":
        file.write_bytes(save(wrong_shape(load_weights("vlsm"))))
    else:
        torch.save({"x": Bomb(tmp_path / "exploded")}, file)
    known = json.loads(registry.REGISTRY.read_text())
    if damage in ("shape", "code"):  # their hash is the registered one
        known["vlsm"]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (tmp_path / "registry.json").write_text(json.dumps(known))
    monkeypatch.setattr(registry, "REGISTRY", tmp_path / "registry.json")
    words = ["segment", str(picture(tmp_path / "a.png")), "-p", "lungs", "-o", str(tmp_path / "out")]
    assert main(words) == 3
    err = capsys.readouterr().err
    assert err.startswith("error: weights 'vlsm'") and err.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "exploded").exists()
