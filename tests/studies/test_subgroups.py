"""Groups of cases by what their items state."""

from __future__ import annotations

import json

import pytest

from monai_ext.errors import InputError
from monai_ext.studies.subgroups import group_cases
from tests.studies.compared import breast_set


def test_cases_are_grouped_by_any_fact(tmp_path):
    data = breast_set(tmp_path / "breast")
    table = json.loads((data / "dataset.json").read_text())
    table["validation"][1]["sex"] = "female"
    (data / "dataset.json").write_text(json.dumps(table))
    groups = group_cases(tmp_path, "validation", ["breast"], ["site", "sex", "modality"])
    assert list(groups["site"].values()) == ["north", "south", "south", "north"]
    assert groups["sex"][("breast", "p2")] == "female" and groups["sex"][("breast", "p1")] == "not stated"
    assert set(groups["modality"].values()) == {"us"}


def test_a_fact_that_no_item_states_is_refused_with_those_there_are(tmp_path):
    data = breast_set(tmp_path / "breast")
    with pytest.raises(
        InputError, match="--by scanner: no item of the list states it; choose from set, modality, site"
    ):
        group_cases(data, "validation", None, ["scanner"])
