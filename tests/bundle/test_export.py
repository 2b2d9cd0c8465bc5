"""An exported bundle is whole, keeps its note, and is never written over something."""

from __future__ import annotations

import contextlib
import json
import shutil

import pytest
import torch
from monai.bundle import ConfigWorkflow

import monai_ext
from monai_ext.bundle.catalog import describe
from monai_ext.bundle.export import export
from monai_ext.cli.main import main
from monai_ext.errors import InputError, WeightsError, actionable
from tests.bundles.small import contents, picture


def test_an_exported_bundle_gives_the_same_masks_and_is_complete(tmp_path, bundle):
    exported = export(bundle, tmp_path / "new" / "exported")
    assert {"configs", "models"} <= {p.name for p in exported.iterdir()}
    assert {p.name for p in (exported / "configs").iterdir()} == {
        p.name for p in (bundle / "configs").iterdir()
    }
    state = torch.load(exported / "models/model.pt", weights_only=True)
    original = torch.load(bundle / "models/model.pt", weights_only=True)
    assert state.keys() == original.keys()
    assert all(torch.equal(state[key], original[key]) for key in state)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["exported"]
    source = picture(tmp_path / "a.png")
    for name, folder in (("1", bundle), ("2", exported)):
        words = ["segment", str(source), "-p", "lungs", "-o", str(tmp_path / name), "--bundle", str(folder)]
        assert main([*words, "--quiet"]) == 0
    first, second = contents(tmp_path / "1"), contents(tmp_path / "2")
    del first["report.json"], second["report.json"]
    assert len(first) == 3 and first == second


def test_an_empty_folder_is_filled_and_a_full_one_left_alone(tmp_path, bundle, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["bundles", "export", str(bundle), str(tmp_path / "empty")]) == 0
    before = contents(tmp_path / "empty")
    capsys.readouterr()
    assert main(["bundles", "export", str(bundle), str(tmp_path / "empty")]) == 2
    assert capsys.readouterr().err == (
        "error: empty: not empty, and nothing is overwritten; choose a new folder.\n"
    )
    assert contents(tmp_path / "empty") == before


def test_a_failed_export_leaves_nothing(tmp_path, bundle):
    broken = shutil.copytree(bundle, tmp_path / "broken")
    (broken / "models/model.pt").write_bytes(b"")
    with pytest.raises(WeightsError, match="model.pt: damaged"):
        export(broken, tmp_path / "out")
    with pytest.raises(InputError, match="no bundle 'nosuch'"):
        export("nosuch", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["broken"]


def test_the_origin_of_the_weights_goes_with_them(tmp_path, bundle):
    exported = export(bundle, tmp_path / "exported")
    origin = json.loads((exported / "models/weights.json").read_text())
    assert origin["name"] == "vlsm"
    assert origin["note"] == "the bundle's own, not from the registry"
    assert origin["licence"] == "see the bundle's LICENSE"


def exported_without(bundle, folder, left):
    """An exported bundle whose weights went astray: the file, all of its folder, or only what is in it."""
    exported = export(bundle, folder)
    if left == "no folder":
        shutil.rmtree(exported / "models")
    elif left == "an empty file":
        (exported / "models/model.pt").write_bytes(b"")
    else:
        (exported / "models/model.pt").unlink()
    return exported


@pytest.mark.parametrize("left", ["no file", "no folder", "an empty file"])
def test_an_exported_bundle_without_its_weights_is_refused_in_one_line(tmp_path, bundle, capsys, left):
    exported = exported_without(bundle, tmp_path / "mine", left)
    source = picture(tmp_path / "a.png")
    capsys.readouterr()
    words = ["segment", str(source), "-p", "lungs", "-o", str(tmp_path / "out"), "--bundle", str(exported)]
    assert main(words) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and "model.pt" in line
    assert not (tmp_path / "out").exists()
    with pytest.raises(WeightsError, match=r"model\.pt"):
        monai_ext.load(exported, device="cpu")
    if left != "an empty file":
        with pytest.raises(WeightsError, match="bundle 'mine': its own weights"):
            describe(exported)


def test_an_exported_bundle_is_not_run_from_a_folder_that_is_not_its_own(tmp_path, bundle, monkeypatch):
    exported = export(bundle, tmp_path / "mine")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = str(exported / "configs" / "inference.json")
    for root, fits in (({}, False), ({"bundle_root": str(exported)}, True)):
        flow = ConfigWorkflow(config, workflow_type="infer", logging_file=False, **root)
        with contextlib.nullcontext() if fits else pytest.raises(RuntimeError) as caught:
            flow.initialize()
        if not fits:
            assert "bundle 'elsewhere': its own weights, models/model.pt, are not there" in str(
                actionable(caught.value)
            )


def test_weights_that_hold_nan_are_not_exported(tmp_path, bundle):
    broken = shutil.copytree(bundle, tmp_path / "broken")
    state = torch.load(broken / "models/model.pt", weights_only=True)
    first = next(key for key, value in state.items() if value.is_floating_point())
    state[first].view(-1)[0] = float("nan")
    torch.save(state, broken / "models/model.pt")
    with pytest.raises(
        WeightsError, match=f"1 tensor holds NaN or infinity: {first}; such weights are not used"
    ):
        export(broken, tmp_path / "out")
    assert not (tmp_path / "out").exists()
