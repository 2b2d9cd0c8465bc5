"""Names of targets that an image does not show, whatever kind of image they are looked for in."""

from monai_ext.data.absence import absent_names
from tests.data.test_absent_prompts import LIBRARY

ABDOMEN = frozenset(["abdomen"])


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
