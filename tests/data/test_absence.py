"""What an image certainly does not show, by its kind and the regions of the body that it may show."""

import pytest

from monai_ext.data.absence import (
    NOT_MEDICAL,
    OTHER_BOTH,
    OTHER_MODALITY,
    OTHER_REGION,
    absent_names,
    absent_targets,
    shown_regions,
)
from monai_ext.prompts.library import PromptLibrary
from tests.data.test_absent_prompts import LIBRARY

ABDOMEN = frozenset(["abdomen"])
WORDS = PromptLibrary(
    {
        "liver": {
            "mri": {
                "canonical": "the liver",
                "train": ["liver", "liver in an MRI"],
                "heldout": ["hepatic organ on MR"],
                "regions": ["abdomen"],
                "also": ["organ"],
            }
        },
        "organ": {
            "mri": {
                "canonical": "organ",
                "train": ["an organ"],
                "heldout": [],
                "regions": ["abdomen", "chest"],
            }
        },
    },
    nonsense={},
    absent={},
)


def told(modality, regions, library=LIBRARY, split="canonical"):
    found = absent_targets(modality, frozenset(regions), library, split)
    return {(one.target, one.modality): (one.kind, one.sentences) for one in found}


def test_the_kind_of_absence_is_by_region_and_kind_of_image():
    assert told("ct", ABDOMEN) == {
        ("lungs", "ct"): (OTHER_REGION, ("lungs in CT",)),
        ("lungs", "xray"): (OTHER_BOTH, ("lungs in an X-ray",)),
        ("kidney", "mri"): (OTHER_MODALITY, ("kidney in an MRI",)),
    }


def test_one_shared_region_is_enough_to_be_shown():
    assert set(told("mri", ["chest"], WORDS)) == {("liver", "mri")}
    assert told("mri", ["chest", "abdomen"], WORDS) == {}


def test_where_regions_are_not_known_only_words_that_name_another_kind_of_image_are_untrue():
    assert set(told("ct", ())) == {("lungs", "xray"), ("kidney", "mri")}
    assert {kind for kind, _ in told("ct", ()).values()} == {OTHER_MODALITY}


def test_a_picture_of_nothing_medical_shows_no_target_in_any_words():
    found = told("other", ())
    assert len(found) == 6 and {kind for kind, _ in found.values()} == {NOT_MEDICAL}


@pytest.mark.parametrize(
    ("split", "all_words", "own_words"),
    [
        ("canonical", ("the liver",), None),
        ("heldout", ("hepatic organ on MR",), ("hepatic organ on MR",)),
        ("train", ("the liver", "liver", "liver in an MRI"), ("liver in an MRI",)),
    ],
)
def test_sentences_are_those_of_the_split_without_those_of_wider_targets(split, all_words, own_words):
    assert told("ct", ["head"], WORDS, split)["liver", "mri"] == (OTHER_BOTH, all_words)
    same = told("ct", ["abdomen"], WORDS, split).get(("liver", "mri"))
    assert same == (own_words and (OTHER_MODALITY, own_words))


def test_sentences_for_training_are_given_if_nothing_else_is_asked_for():
    assert absent_targets("ct", ABDOMEN, WORDS) == absent_targets("ct", ABDOMEN, WORDS, "train")


def test_regions_are_those_of_the_targets_that_the_library_knows():
    assert shown_regions(["organ", "gizzard"], "mri", WORDS) == {"abdomen", "chest"}
    assert shown_regions(["liver"], "ct", WORDS) == shown_regions([], "mri", WORDS) == frozenset()


def test_a_name_is_absent_if_no_region_of_it_is_shown():
    assert absent_names("ct", ABDOMEN, LIBRARY) == ["lungs"]
    assert absent_names("xray", frozenset(["chest"]), LIBRARY) == ["liver", "spleen", "kidney"]


def test_a_target_of_another_kind_of_image_may_have_the_name_of_something_that_is_shown():
    assert "kidney" not in absent_names(
        "ct", ABDOMEN, LIBRARY
    )  # "kidney in an MRI" is untrue, but not "kidney"


def test_of_an_image_whose_regions_are_not_known_nothing_is_certain():
    assert absent_names("ct", frozenset(), LIBRARY) == []


def test_a_picture_of_nothing_medical_shows_nothing():
    assert set(absent_names("other", frozenset(), LIBRARY)) == {"liver", "spleen", "kidney", "lungs"}
