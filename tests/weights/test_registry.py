"""The registry says of all weights where they come from, their hash and their licence."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from monai_ext.errors import WeightsError
from monai_ext.weights import read_registry, registry
from monai_ext.weights.registry import embedded_file, own_model, registered, weights_names
from tests.weights.registries import write_registry


def test_an_entry_without_a_licence_is_refused(tmp_path):
    (tmp_path / "registry.json").write_text('{"small": {"file": "a"}}')
    with pytest.raises(WeightsError, match="entry 'small' needs exactly source, file, licence"):
        read_registry(tmp_path / "registry.json")


def test_every_entry_of_the_package_can_be_had_and_names_its_licence():
    entries = read_registry()
    assert "vlsm" in entries
    for name, entry in entries.items():
        assert entry.licence
        assert entry.note
        assert re.fullmatch(r"[a-z0-9.-]+", name)
        assert re.fullmatch(r"[A-Za-z0-9_.-]+", entry.file)
        assert entry.loader in ("safetensors", "state_dict", *registry.CONVERTED)
        if entry.source == "embedded":
            assert (entry.note, entry.loader) == ("embedded, demonstration accuracy", "safetensors")
            assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
        else:
            assert re.match(r"https://|page:https://|hub:[\w.-]+/[\w.-]+@(main|[0-9a-f]{40})$", entry.source)
            assert entry.sha256 is None or re.fullmatch("[0-9a-f]{8}|[0-9a-f]{64}", entry.sha256)


def test_every_public_entry_stands_in_the_documentation():
    page = (Path(__file__).resolve().parents[2] / "docs" / "weights.md").read_text()
    listed = set(re.findall(r"^\| `([^`]+)`", page, re.MULTILINE))
    assert listed == {name for name, entry in read_registry().items() if entry.source != "embedded"}


@pytest.mark.parametrize(
    ("name", "model", "tag"),
    [
        ("oa-rn50", "RN50", "openai"),
        ("oa-rn101", "RN101", "openai"),
        ("oa-vit-b", "ViT-B-16", "openai"),
        ("oa-vit-l", "ViT-L-14", "openai"),
        ("cc-rn50", "RN50", "cc12m"),
        ("la-vit-b", "ViT-B-16", "laion400m_e32"),
    ],
)
def test_addresses_and_hashes_of_clips_are_those_that_open_clip_knows(name, model, tag):
    pretrained = pytest.importorskip("open_clip.pretrained")
    entry = read_registry()[name]
    url = pretrained.get_pretrained_url(model, tag)
    assert entry.source == url
    assert url.endswith(f"/{entry.file}")
    # OpenAI's paths hold the whole SHA-256, open_clip's names its first eight digits
    assert entry.sha256 == (
        url.split("/")[-2] if tag == "openai" else url.rsplit("-", 1)[1].removesuffix(".pt")
    )


def test_reading_the_registry_does_not_import_torch():
    code = "import sys; from monai_ext.weights import read_registry; read_registry(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_an_entry_is_had_by_its_name_and_an_unknown_name_lists_the_known_ones(tmp_path):
    path = write_registry(tmp_path, b"some bytes")
    assert registered("small", path).size == 10
    assert embedded_file(registered("small", path), path) == tmp_path / "embedded" / "small.safetensors"
    assert embedded_file(registered("vlsm")).is_file()
    with pytest.raises(WeightsError, match="no weights 'large'; known are small"):
        registered("large", path)


def test_a_registry_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "registry.json"
    with pytest.raises(WeightsError, match="registry.json: not readable .*No such file"):
        read_registry(path)
    path.write_text("{")
    with pytest.raises(WeightsError, match="registry.json: not readable"):
        read_registry(path)


def test_weights_are_one_name_or_one_for_each_module():
    assert weights_names("vlsm") == ["vlsm"]
    assert weights_names({"encoder": "compact-clip", "decoder": "compact-sam"}) == [
        "compact-clip",
        "compact-sam",
    ]


def test_a_bundle_without_a_folder_of_models_has_no_weights_of_its_own(tmp_path):
    assert own_model(tmp_path) is None
    with pytest.raises(WeightsError, match="its own weights, models/model.pt, are not there, and no others"):
        own_model(tmp_path, own=True)


def test_the_model_of_a_bundle_is_its_own(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "model.pt").touch()
    assert own_model(tmp_path) == own_model(tmp_path, own=True) == tmp_path / "models" / "model.pt"


def without_model(folder: Path, left: str) -> Path:
    """A bundle whose own model is gone in the way that `left` says; the folder."""
    (folder / "models").mkdir(parents=True)
    if left == "a broken link":
        (folder / "models/model.pt").symlink_to(folder / "nowhere.pt")
    elif left == "a folder":
        (folder / "models/model.pt").mkdir()
    elif left == "no folder":
        (folder / "models").rmdir()
        (folder / "models").symlink_to(folder / "nowhere")
    return folder


@pytest.mark.parametrize("left", ["nothing", "a broken link", "a folder", "no folder"])
def test_a_bundle_whose_own_model_is_gone_is_refused(tmp_path, left):
    folder = without_model(tmp_path / "mine", left)
    with pytest.raises(WeightsError, match="bundle 'mine': its own weights, models/model.pt, are not there"):
        own_model(folder)
