"""What components take, by their annotations, and which plain values are of these types."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from monai.bundle import ConfigParser

from monai_ext.engines.parameters import fits, parameters, wanted


def of(target, **more):
    return parameters({"_target_": target, **more}, ConfigParser({}))


def test_parameters_of_a_class_are_those_of_its_bases_while_it_hands_keywords_on():
    found = of("monai_ext.engines.TaskTrainer")
    assert found["device"] == str | torch.device  # its own
    assert found["max_epochs"] is int  # of SupervisedTrainer
    assert "kwargs" not in found and "self" not in found
    assert of("DataLoader")["batch_size"] == int | None  # a bare name is MONAI's, whose base is torch's


def test_parameters_of_a_class_that_takes_no_further_keywords_are_its_own():
    assert of("monai_ext.inferers.AutocastInferer") == {"enabled": bool}


def test_parameters_of_a_function():
    assert of("monai_ext.data.sampling.process_sampler") == {"dataset": Any}


def test_parameters_without_annotation_are_of_any_type():
    assert of("tests.engines.test_parameters.unannotated") == {"one": Any, "two": Any}


def unannotated(one, two=3):
    return one, two


def anything(one: int, **more: str):
    return one, more


def test_what_takes_any_keyword_and_what_there_is_not_have_no_list_of_parameters():
    assert of("tests.engines.test_parameters.anything") is None
    assert of("tests.engines.test_parameters.nothing") is None


def opened(value):
    return value == "@open"


@pytest.mark.parametrize(
    ("hint", "yes", "no"),
    [
        (bool, [True, False, "@open"], [0, 1, "true", None]),
        (int, [0, -3], [True, 2.0, 2.5, "3", None]),
        (float, [0.5, 3], [True, "fast", None]),
        (str, ["", "a"], [3, None, ["a"]]),
        (type(None), [None], ["", 0]),
        (int | None, [3, None], ["none", 2.5]),
        (float | torch.Tensor, [0.1, 1], ["fast", [0.1]]),
        (str | Path, ["a"], [3, None]),
        (Literal["a", 2], ["a", 2], ["b", 3]),
        (Sequence[str], [["a"], ("a", "b"), [], ["@open"]], ["a", [3], ["a", 3], None, {"a": 1}]),
        (list, [[1, "a"]], ["a", 3]),
        (Sequence[tuple[float, int]], [[[0, 128], (0.5, 160)]], [[128], [[0, 0.5]], [[0, 1, 2]]]),
        (tuple[int, ...], [[1, 2, 3]], [[1, 0.5]]),
        (Mapping[str, float], [{}, {"a": 2}, {"a": "@open"}], [{"a": "x"}, "a", ["a"]]),
        (dict, [{"a": "x"}], ["a", 3]),
        (Any, [3, "a", None], []),
        (Callable[[int], int], [len], ["a", 3]),
    ],
)
def test_values_fit_their_types_and_no_others(hint, yes, no):
    assert [value for value in yes if not fits(value, hint, opened)] == []
    assert [value for value in no if fits(value, hint, opened)] == []


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (bool, "no", ("true or false", "True")),
        (int, "many", ("a whole number", "3")),
        (int | None, "many", ("a whole number or null", "3")),
        (float | torch.Tensor, "fast", ("a number", "0.5")),
        (str | Path, 2024, ("text", "\"'2024'\"")),
        (str, "", ("text", "TEXT")),
        (str | Sequence[str] | None, 3, ("a list or text or null", "\"'3'\"")),
        (Sequence[str], "a,b", ("a list", "\"['a', 'b']\"")),
        (Sequence[int], 3, ("a list", "\"['a', 'b']\"")),
        (Mapping[str, float] | None, "us=2", ("a mapping or null", "\"{'a': 2}\"")),
        (Literal["a", "b"], 3, ("text", "\"'3'\"")),
        (torch.Tensor, "a", ("<class 'torch.Tensor'>", "")),
    ],
)
def test_a_type_is_told_in_words_and_as_the_command_line_writes_it(hint, value, expected):
    assert wanted(hint, value) == expected
