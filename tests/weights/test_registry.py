"""The registry says of all weights where they come from, their hash and their licence."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from monai_ext.errors import WeightsError
from monai_ext.weights import read_registry, registry


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
