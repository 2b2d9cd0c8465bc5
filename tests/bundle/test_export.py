"""An exported bundle is whole, keeps its note, and is never written over something."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from monai_ext.bundle.export import export
from monai_ext.cli.main import main
from monai_ext.errors import InputError, WeightsError
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
