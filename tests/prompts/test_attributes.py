"""Attributes say what a mask shows, and nothing where it lies between two words."""

import numpy as np
import pytest
from numpy.random import RandomState

from monai_ext.prompts.attributes import WORDS, Attributes
from monai_ext.prompts.library import names_side


def mask(*boxes):
    found = np.zeros((100, 100), bool)
    for y0, y1, x0, x1 in boxes:
        found[y0:y1, x0:x1] = True
    return found


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([(5, 15, 5, 15)], Attributes("small", "one", "upper", "first")),
        ([(70, 95, 60, 95)], Attributes("large", "one", "lower", "last")),
        ([(40, 60, 40, 60)], Attributes("", "one", "", "")),
        ([(10, 20, 10, 20), (10, 20, 70, 80)], Attributes("", "two", "", "")),
        ([(10, 13, 10, 13), (10, 13, 70, 73), (50, 53, 50, 53)], Attributes("small", "several", "", "")),
        ([(40, 60, 40, 60), (0, 2, 0, 2)], Attributes("", "one", "", "")),
    ],
)
def test_a_mask_has_size_number_and_position(boxes, expected):
    assert Attributes.of(mask(*boxes)) == expected


def test_specks_below_a_tenth_of_the_largest_part_are_not_counted():
    assert Attributes.of(mask((0, 20, 0, 20), (50, 56, 50, 56))).number == "one"
    assert Attributes.of(mask((0, 20, 0, 20), (50, 57, 50, 56))).number == "two"


def test_a_wrong_attribute_differs_in_that_one_only():
    stated = Attributes("small", "one", "upper", "first")
    for name in WORDS:
        other = stated.wrong(name, RandomState(0))
        different = [one for one in WORDS if getattr(one and other, one) != getattr(stated, one)]
        assert different == [name]
        assert getattr(other, name) in WORDS[name]


def test_phrases_name_no_side_of_the_patient_alone():
    stated = Attributes("small", "one", "upper", "first")
    phrases = {stated.phrase("horizontal", RandomState(seed)) for seed in range(20)}
    assert phrases == set(WORDS["horizontal"]["first"])
    assert all("image" in one or "picture" in one for one in phrases)
    assert all(
        names_side(f"lungs, {one}") == "left" for one in phrases
    )  # such texts forbid mirroring as well
