"""A bundle's name and version, as its configuration states them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

from monai_ext import __version__
from monai_ext.bundle.catalog import bundle_folders
from monai_ext.bundle.configs import INFERENCE, read_configs
from monai_ext.bundle.identity import NO_RESULT_DEPENDS_ON, bundle_identity, configuration_hash
from monai_ext.bundle.runner import read_workflow

HASH = {"_target_": "monai_ext.bundle.identity.configuration_hash"}


def test_the_version_is_that_of_the_metadata():
    assert bundle_identity("vlsm", {"version": "7.1.0", "task": "x"}) == ("vlsm", "7.1.0")


def test_without_metadata_the_version_is_that_of_the_package():
    assert bundle_identity("vlsm", {}) == ("vlsm", __version__)


def hashed(content=None, **changes) -> str:
    """The hash that a configuration finds of itself."""
    entries = {
        "hash": HASH,
        "threshold": 0.5,
        "batch_size": 4,
        "_threshold_desc_": "in words",
        "network_def": {"_target_": "torch.nn.Linear", "_desc_": "in words", "in_features": 2, "bias": True},
        "transforms": [{"size": "@batch_size"}, {"name": "a"}],
        "run": ["$@threshold + 1"],
    }
    parser = ConfigParser({**entries, **(content or {})})
    parser.update(changes)
    return parser.get_parsed_content("hash")


def test_the_hash_is_the_same_for_the_same_configuration_in_any_order_of_its_entries():
    assert len(hashed()) == 64 and int(hashed(), 16)
    parser = ConfigParser({"b": 1, "hash": HASH, "a": 2})
    assert parser.get_parsed_content("hash") == ConfigParser(
        {"a": 2, "b": 1, "hash": HASH}
    ).get_parsed_content("hash")


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0.25},
        {"threshold": "$0.25"},
        {"network_def#bias": False},
        {"network_def#_target_": "torch.nn.Conv2d"},
        {"transforms#1#name": "b"},
        {"transforms#0#size": 4},
        {"run": ["$@threshold + 2"]},
        {"new": None},
    ],
)
def test_any_entry_changes_the_hash_wherever_it_stands(change):
    assert hashed(**change) != hashed()


@pytest.mark.parametrize(
    "change",
    [
        *({name: "other"} for name in NO_RESULT_DEPENDS_ON),
        {"_threshold_desc_": "in other words"},
        {"network_def#_desc_": "in other words"},
        {"threshold": "$0.5"},
        {"transforms#1#name": "$'a'"},
    ],
)
def test_named_ids_and_descriptions_do_not_and_a_literal_is_what_it_says(change):
    assert hashed(**change) == hashed()


def test_what_is_named_is_an_id_at_the_top_alone():
    assert hashed(**{"network_def#batch_size": 4}) != hashed()


def test_an_object_that_a_program_put_in_counts_as_its_class():
    assert hashed(new=torch.nn.ReLU()) == hashed(new=torch.nn.ReLU()) != hashed(new=torch.nn.GELU())


def test_results_are_computed_by_values_that_the_hash_covers_and_tuples_of_text_are_left_as_written():
    assert hashed(new="$(1, 2)") != hashed(new="$(1, 3)") != hashed(new="(1, 3)")


def test_it_is_asked_for_by_a_configuration_alone():
    with pytest.raises(ValueError, match="is a target of configurations, and called by none"):
        configuration_hash()


PRINT = """
import sys
from pathlib import Path
from monai_ext.bundle.runner import read_workflow
flow = read_workflow(Path(sys.argv[1]), sys.argv[2:], {"output_dir": "elsewhere", "dataset_dir": sys.argv[1]})
print(flow.parser.get_parsed_content("records#configuration"))
"""


def test_it_is_the_same_in_every_process_and_folder(bundle, tmp_path):
    moved = tmp_path / "moved" / "other"
    (moved / "configs").mkdir(parents=True)
    (moved / "configs/inference.json").write_bytes((bundle / "configs/inference.json").read_bytes())
    command = [sys.executable, "-c", PRINT, str(moved), INFERENCE]
    printed = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "7"}
    )
    here = read_workflow(bundle, [INFERENCE], {}).parser.get_parsed_content("records#configuration")
    assert printed.stdout.split()[-1] == here


@pytest.mark.parametrize("name", bundle_folders())
def test_every_id_that_changes_no_result_stands_in_a_bundle_and_every_record_has_the_hash(name):
    content = read_configs(bundle_folders()[name], [INFERENCE])
    assert content["records"]["configuration"] == HASH
    known = {
        key
        for folder in bundle_folders().values()
        for key in json.loads(Path(folder / "configs" / INFERENCE).read_text())
    }
    assert set(NO_RESULT_DEPENDS_ON) - known == {"_meta_"}
