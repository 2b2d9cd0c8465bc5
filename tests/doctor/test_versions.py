"""Versions against the floors that the metadata of the package state."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from monai_ext.doctor import versions
from monai_ext.doctor.finding import Finding

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
STATED = [
    "torch>=2.10",
    "pydicom>=3.0.2",
    "windows-only; sys_platform == 'nowhere'",
    'pytest; extra == "test"',
    'monai_ext[test]; extra == "dev"',
    'monailabel==0.8.5; extra == "label"',
    'pydicom<3; extra == "label"',
]


@pytest.fixture
def installed(monkeypatch):
    """Versions by name, which a test may change, of a package that states :data:`STATED`."""
    there = {"torch": "2.10.0+cpu", "pydicom": "3.0.2", "pytest": "9"}

    def version(name: str) -> str:
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(versions.metadata, "requires", lambda name: STATED)
    monkeypatch.setattr(versions.metadata, "version", version)
    return there


def by_name(area: str) -> dict[str, Finding]:
    return {one.name: one for one in versions.version_findings() if one.area == area}


def test_floors_are_those_of_pyproject():
    needs = {re.split(r"[>=<]", str(need))[0]: str(need.specifier) for need in versions.base_requirements()}
    stated = {(need := Requirement(line)).name: str(need.specifier) for line in PROJECT["dependencies"]}
    assert needs == {name: stated[name] for name in needs}  # an installation may be older than pyproject.toml
    assert set(stated) - set(needs) <= {"packaging"}


def test_versions_at_their_floor_are_fine_and_other_platforms_are_left_out(installed):
    found = by_name("packages")
    assert {name: one.status for name, one in found.items()} == dict.fromkeys(
        ["monai_ext", "torch", "pydicom"], "ok"
    )
    assert found["torch"].text == "2.10.0+cpu (>=2.10)"
    assert found["torch"].values == {"version": "2.10.0+cpu", "wanted": ">=2.10"}


def test_a_version_below_its_floor_is_to_be_mended_by_the_command_that_is_told(installed):
    installed["torch"] = "2.9.1"
    found = by_name("packages")["torch"]
    assert (found.status, found.text) == ("mend", "2.9.1, >=2.10 is wanted")
    assert found.advice == 'pip install "torch>=2.10"'


def test_a_package_that_is_not_there_is_to_be_mended(installed):
    del installed["torch"]
    found = by_name("packages")["torch"]
    assert (found.status, found.text) == ("mend", "is not installed")


def test_extras_name_what_is_missing_and_are_no_fault(installed):
    monkey = versions.metadata.metadata("monai_ext").get_all("Provides-Extra")
    assert monkey == ["test", "dev", "label", "deploy"]
    found = by_name("extras")
    assert found["test"].status == found["dev"].status == "ok"
    assert found["test"].values == {"missing": []}
    assert found["deploy"].status == "ok"  # the metadata of this test ask for nothing there
    assert found["label"].status == "note"
    assert found["label"].values == {"missing": ["monailabel==0.8.5", "pydicom<3"]}
    assert found["label"].advice.endswith("make test-label")


def test_beside_monai_label_its_older_pydicom_is_the_right_one(installed):
    installed |= {"monailabel": "0.8.5", "pydicom": "2.4.4"}
    assert by_name("packages")["pydicom"].status == "ok"
    assert by_name("extras")["label"].status == "ok"
    installed["pydicom"] = "3.0.2"
    assert by_name("packages")["pydicom"].text == "3.0.2, <3 is wanted"


def test_a_checkout_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setattr(versions, "OURS", "monai_ext_nowhere")
    (found,) = versions.version_findings()
    assert (found.status, found.advice) == ("mend", "pip install it")


def test_a_python_outside_of_what_is_asked_for_is_to_be_mended():
    found = versions._python("<3.9")
    assert (found.status, found.advice) == ("mend", "make an environment with Python <3.9")
    assert set(found.values) == {"version", "wanted", "platform"}
