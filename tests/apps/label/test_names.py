from __future__ import annotations

import pytest

from monai_ext.apps.label.names import names_of_label, value_names
from monai_ext.errors import InputError


@pytest.mark.parametrize(
    ("info", "names"),
    [
        (
            {"label_info": [{"name": "left  lung", "idx": 1}, {"name": "heart", "idx": "4"}]},
            {"1": "left lung", "4": "heart"},
        ),
        ({"label_info": [{"name": "heart", "id": 2}]}, {"2": "heart"}),
        ({"label_info": [{"name": "background", "idx": 0}, {"name": "heart", "idx": 1}]}, {"1": "heart"}),
        ({"label_names": {"lungs": 1, "heart": 2}}, {"1": "lungs", "2": "heart"}),
        ({"model": "vlsm", "params": {"label_names": {"lungs": 1}}}, {"1": "lungs"}),
        ({"label_info": [], "params": {"label_names": {"lungs": 1}}}, {"1": "lungs"}),
        ({"label_info": [{"name": "heart", "idx": 1}], "label_names": {"lungs": 1}}, {"1": "heart"}),
    ],
)
def test_names_that_a_label_was_saved_with(info, names):
    assert value_names(info) == names


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"label_info": [{"name": "heart"}]},  # its place in the list is no value
        {"label_info": [{"name": "heart", "idx": 1}, {"name": "lungs"}]},
        {"label_info": [{"name": " ", "idx": 1}]},
        {"label_info": [{"name": "heart", "idx": True}]},
        {"label_info": [{"name": "heart", "idx": 1.5}]},
        {"label_info": {"heart": 1}},
        {"label_names": ["heart"]},
        {"label_names": {"heart": None}},
        {"params": None},
    ],
)
def test_names_without_values_are_none(info):
    assert value_names(info) == {}


def test_the_names_of_the_application_stand_in_for_none_and_nothing_is_guessed():
    assert names_of_label("a", {}, ["lungs", "heart"]) == {"1": "lungs", "2": "heart"}
    assert names_of_label("a", {"label_names": {"liver": 3}}, ["lungs"]) == {"3": "liver"}
    with pytest.raises(
        InputError, match="^the label of a was saved without names of its values; save it with label_info"
    ):
        names_of_label("a", {}, [])
