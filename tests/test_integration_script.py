"""The script that tests the servers: what it pins, and what makes it test them again."""

from __future__ import annotations

import re
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("label", "deploy")


@pytest.fixture
def integration(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, without leaving compiled code beside it."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader = SourceFileLoader("integration", str(ROOT / ".ci" / "integration"))
    module = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def pins(path: Path) -> dict[str, str]:
    """Version by name of the package."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


@pytest.mark.parametrize("target", TARGETS)
def test_constraints_pin_what_a_server_needs_within_its_bounds(integration, target):
    pinned = pins(integration.constraints(target))
    for need in map(Requirement, integration.requirements(target)):
        version = pinned.get(canonicalize_name(need.name))
        assert version in need.specifier, f"{need}, but {version} is pinned: run make constraints"


@pytest.mark.parametrize("target", TARGETS)
def test_constraints_hold_names_and_versions_only(integration, target):
    header, *lines = integration.constraints(target).read_text().splitlines()
    assert "make constraints" in header
    for line in lines:
        name = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*)==[0-9][A-Za-z0-9.]*", line)
        assert name and not integration.UNPINNED.fullmatch(name[1]), line
    assert lines == sorted(lines, key=str.lower)


@pytest.mark.parametrize("target", TARGETS)
def test_other_constraints_mean_another_test_run(integration, target, tmp_path, monkeypatch):
    monkeypatch.setattr(integration, "ROOT", tmp_path)
    file = integration.constraints(target)
    file.parent.mkdir()
    file.write_text("torch==2.14.0\n")
    before = integration.fingerprint(target)
    file.write_text("torch==2.14.1\n")
    assert integration.fingerprint(target) != before


@pytest.mark.parametrize("target", TARGETS)
def test_what_python_compiles_means_no_other_test_run(integration, target, tmp_path, monkeypatch):
    monkeypatch.setattr(integration, "ROOT", tmp_path)
    fingerprints = [integration.fingerprint(target)]
    compiled = tmp_path / f"tests/apps/{target}/__pycache__/a.pyc"
    compiled.parent.mkdir(parents=True)
    compiled.write_text("pass\n")
    fingerprints.append(integration.fingerprint(target))
    assert len(set(fingerprints)) == 1
    (tmp_path / "monai_ext").mkdir()
    (tmp_path / "monai_ext" / "errors.py").write_text("pass\n")
    assert integration.fingerprint(target) not in fingerprints


def test_an_environment_is_installed_without_running_its_tests(integration, monkeypatch):
    made = []
    monkeypatch.setattr(integration, "environment", made.append)
    assert integration.main(["--install", "label"]) == 0
    assert made == ["label"]
    with pytest.raises(SystemExit, match="no option --instal; options are --install and --refresh"):
        integration.main(["--instal", "label"])


def test_what_is_watched_exists(integration):
    for name in (*integration.WATCHED, *(f"tests/apps/{target}" for target in TARGETS)):
        assert (ROOT / name).exists(), name
