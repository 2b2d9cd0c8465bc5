"""Fetched files are compared with the registry, or with what was recorded when they were first fetched."""

from __future__ import annotations

import hashlib
import json

import pytest

from monai_ext.errors import WeightsError
from monai_ext.weights import store
from monai_ext.weights.registry import read_registry
from monai_ext.weights.store import Record
from tests.weights.server import CONTENT, FILE, registry_of

SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of an entry "small", which holds its file."""
    monkeypatch.setenv("MONAI_EXT_HOME", str(tmp_path / "home"))
    made = tmp_path / "home" / "weights" / "small"
    made.mkdir(parents=True)
    (made / FILE).write_bytes(CONTENT)
    return made


def entry(tmp_path, sha256: str | None = ""):
    return read_registry(registry_of(tmp_path, "https://example.org/small", sha256=sha256))["small"]


def test_files_of_an_entry_lie_in_a_folder_of_its_name(tmp_path, folder):
    assert store.fetched_file("small", entry(tmp_path)) == folder / FILE
    assert store.converted_file("small") == folder / "small.safetensors"


def test_a_record_is_read_as_it_was_written(folder):
    assert store.read_record("small") is None
    store.write_record("small", Record(SHA256, 10240, OTHER))
    assert store.read_record("small") == Record(SHA256, 10240, OTHER)
    assert json.loads((folder / "lock.json").read_text())["size"] == 10240


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"sha256": "0"}', b"\xff"])
def test_a_record_that_cannot_be_read_is_named(folder, content):
    (folder / "lock.json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"weights/small/lock.json in MONAI_EXT_HOME .*cannot be read"):
        store.read_record("small")


@pytest.mark.parametrize("digits", [64, 8])
def test_the_hash_of_the_registry_decides_as_far_as_it_is_stated(tmp_path, folder, digits):
    stated = entry(tmp_path, SHA256[:digits])
    assert store.refusal("small", stated, SHA256) is None
    assert store.refusal("small", stated, OTHER) == (
        f"it has hash {OTHER[:12]}…, {SHA256[:digits][:12]}… is registered"
    )


@pytest.mark.parametrize("digits", [8, None])
def test_where_it_is_not_whole_the_recorded_hash_decides_too(tmp_path, folder, digits):
    stated = entry(tmp_path, SHA256[:digits] if digits else None)
    store.write_record("small", Record(SHA256[:8] + OTHER[8:], 10240))
    found = store.refusal("small", stated, SHA256)
    assert found is not None
    assert found.endswith("… was recorded in lock.json when it was first fetched")


def test_a_whole_hash_goes_before_an_old_record(tmp_path, folder):
    store.write_record("small", Record(OTHER, 1, OTHER))
    assert store.refusal("small", entry(tmp_path, SHA256), SHA256) is None
    # what was converted from the other file is not named
    assert store.verify("small", entry(tmp_path, SHA256)) == Record(SHA256, 10240)


def test_a_file_put_there_by_hand_needs_a_whole_hash(tmp_path, folder):
    assert store.verify("small", entry(tmp_path, SHA256)) == Record(SHA256, 10240)
    for stated in (SHA256[:8], None):
        with pytest.raises(WeightsError, match=f"{FILE} was not put there by a fetch"):
            store.verify("small", entry(tmp_path, stated))


def test_a_recorded_file_is_verified_with_its_record(tmp_path, folder):
    store.write_record("small", Record(SHA256, 10240, OTHER))
    for stated in (SHA256, SHA256[:8], None):
        assert store.verify("small", entry(tmp_path, stated)) == Record(SHA256, 10240, OTHER)


def test_what_is_missing_unreadable_or_damaged_is_said(tmp_path, folder):
    (folder / FILE).write_bytes(CONTENT[1:])
    with pytest.raises(WeightsError, match=f"'small': {FILE} is damaged or another file: it has hash"):
        store.verify("small", entry(tmp_path, SHA256))
    (folder / FILE).unlink()
    with pytest.raises(WeightsError, match="are not on this machine; run: monai-ext weights fetch small"):
        store.verify("small", entry(tmp_path, SHA256))
    (folder / FILE).mkdir()
    with pytest.raises(WeightsError, match=f"{FILE} cannot be read .Is a directory"):
        store.verify("small", entry(tmp_path, SHA256))
