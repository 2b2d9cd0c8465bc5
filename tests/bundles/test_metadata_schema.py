"""Every bundle's metadata.json does what MONAI's schema demands, and a broken one is found out.

The official schema is another project's file and is fetched from the net; ``meta_schema.json`` beside this file
states the same demands in our own words, with a few of ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from monai_ext import __version__

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(ROOT.glob("bundles/*/configs/metadata.json"))
SCHEMA = json.loads(Path(__file__).with_name("meta_schema.json").read_text())


def faults(metadata: dict[str, Any]) -> list[str]:
    """One line for each fault: the place in the file, and what is wrong there."""
    found = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(SCHEMA).iter_errors(metadata)
    ]
    if metadata.get("version") not in metadata.get("changelog", {}):
        found.append("$.changelog: does not tell of the current version")
    return found


def test_there_is_a_bundle_and_the_schema_is_one() -> None:
    assert ROOT / "bundles" / "vlsm" / "configs" / "metadata.json" in FILES
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parts[-3])
def test_metadata_meets_the_schema(file: Path) -> None:
    assert faults(json.loads(file.read_text())) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parts[-3])
def test_metadata_asks_for_this_version_of_the_package(file: Path) -> None:
    assert json.loads(file.read_text())["required_packages_version"]["monai_ext"] == __version__


def image(metadata: dict[str, Any]) -> dict[str, Any]:
    return metadata["network_data_format"]["inputs"]["image"]


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no version": (lambda m: m.pop("version"), "$: 'version' is a required property"),
    "no packages": (
        lambda m: m.pop("required_packages_version"),
        "$: 'required_packages_version' is a required property",
    ),
    "version that the changelog lacks": (
        lambda m: m.update(version="9.9.9"),
        "$.changelog: does not tell of the current version",
    ),
    "empty task": (lambda m: m.update(task=""), "$.task: '' should be non-empty"),
    "no outputs": (
        lambda m: m["network_data_format"].pop("outputs"),
        "$.network_data_format: 'outputs' is a required property",
    ),
    "channels in words": (
        lambda m: image(m).update(num_channels="3"),
        "$.network_data_format.inputs.image.num_channels: '3' is not of type 'integer'",
    ),
    "no dtype": (
        lambda m: image(m).pop("dtype"),
        "$.network_data_format.inputs.image: 'dtype' is a required property",
    ),
    "half a range": (
        lambda m: image(m).update(value_range=[0]),
        "$.network_data_format.inputs.image.value_range: [0] is not valid under any of the given schemas",
    ),
    "size of nothing": (
        lambda m: image(m).update(spatial_shape=[0, "*"]),
        "$.network_data_format.inputs.image.spatial_shape[0]: 0 is not valid under any of the given schemas",
    ),
}


@pytest.mark.parametrize(("breaks", "fault"), BROKEN.values(), ids=BROKEN)
def test_a_broken_copy_is_found_out(breaks: Callable[[dict[str, Any]], object], fault: str) -> None:
    metadata = json.loads((ROOT / "bundles" / "vlsm" / "configs" / "metadata.json").read_text())
    breaks(metadata)
    assert fault in faults(metadata)
