"""The schema of metadata.json finds out what is wrong with a broken one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from monai_ext.resources import resource_path
from tests.bundles.metadata import SCHEMA, metadata_faults


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


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
        "$.changelog: lacks the current version",
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
    metadata = json.loads((resource_path("vlsm", "bundles") / "configs" / "metadata.json").read_text())
    breaks(metadata)
    assert fault in metadata_faults(metadata)
