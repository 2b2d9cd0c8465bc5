"""Weights of the registry: embedded, fetched, not fetched, damaged."""

from __future__ import annotations

import json

import pytest

from monai_ext.doctor.finding import exit_code
from monai_ext.doctor.weights import weights_findings
from monai_ext.weights import registry
from monai_ext.weights.fetch import fetch
from tests.weights.server import CONTENT, FILE, registry_of


@pytest.fixture
def public(tmp_path, monkeypatch):
    """The one entry of a registry, "small", which can be fetched from a folder."""
    monkeypatch.setenv("MONAI_EXT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(registry, "REGISTRY", registry_of(tmp_path, f"https://example.org/{FILE}"))
    (tmp_path / FILE).write_bytes(CONTENT)
    return tmp_path


def test_the_embedded_weights_of_the_package_are_verified_and_public_ones_not_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_EXT_HOME", str(tmp_path))
    found = {one.name: one for one in weights_findings()}
    assert set(found) == set(registry.read_registry())
    assert found["vlsm"].values["verified"] and found["vlsm"].status == "ok"
    assert "research use, non-commercial" in found["vlsm"].text
    assert found["sam-vit-b"].values == {"where": "not fetched", "verified": False, "licence": "Apache-2.0"}
    assert exit_code(found.values()) == 0


def test_fetched_weights_are_verified_and_damaged_ones_can_be_fetched_again(public):
    (before,) = weights_findings()
    assert before.values["where"] == "not fetched"
    fetch("small", public)
    (fetched,) = weights_findings()
    assert (fetched.status, fetched.values["where"], fetched.values["verified"]) == ("ok", "fetched", True)
    (public / "home" / "weights" / "small" / FILE).write_bytes(b"other")
    (damaged,) = weights_findings()
    assert (damaged.status, damaged.advice) == ("mend", "monai-ext weights fetch small")


def test_damaged_embedded_weights_are_more_than_a_user_can_mend(tmp_path, monkeypatch):
    entry = json.loads(registry.REGISTRY.read_text())["vlsm"]
    path = tmp_path / "registry.json"
    path.write_text(json.dumps({"vlsm": entry}))
    (tmp_path / "embedded").mkdir()
    (tmp_path / "embedded" / entry["file"]).write_bytes(b"damaged")
    monkeypatch.setattr(registry, "REGISTRY", path)
    (found,) = weights_findings()
    assert (found.status, found.values["verified"]) == ("damaged", False)
    assert exit_code([found]) == 3


def test_a_registry_that_cannot_be_read_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", tmp_path / "nothing.json")
    (found,) = weights_findings()
    assert (found.name, found.status) == ("registry", "damaged")
