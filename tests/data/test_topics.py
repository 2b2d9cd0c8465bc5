"""The truth of every sentence about every image, by what it is about and the kind of image."""

from monai_ext.data.absence import absent_targets
from monai_ext.data.topics import NOTHING, Topics
from monai_ext.prompts.library import PromptLibrary


def entry(canonical, *regions):
    return {"canonical": canonical, "train": [canonical], "heldout": [], "regions": list(regions)}


LIBRARY = PromptLibrary(
    {
        "spleen": {
            "ct": entry("spleen in a CT scan", "abdomen"),
            "mri": entry("spleen in an MRI", "abdomen"),
        },
        "lungs": {"xray": entry("lungs in an X-ray", "chest")},
    },
    {"train": [], "heldout": []},
    {"train": [], "heldout": []},
)
TOPICS = Topics(LIBRARY, [("widget", "ct"), ("spleen", "ct")])


def truth(targets, modality, regions, target, other, text):
    absent = absent_targets(modality, frozenset(regions), LIBRARY)
    return int(TOPICS.shows(targets, modality, absent)[TOPICS.of(target, other, text)])


def test_a_sentence_that_names_the_kind_of_image_is_another_topic_than_one_that_does_not():
    assert len(TOPICS) == 9  # twice four targets, and nothing
    numbers = {
        TOPICS.of("spleen", "ct", text) for text in ("the spleen", "spleen on CT", "spleen in a CT scan")
    }
    assert len(numbers) == 2 and NOTHING not in numbers
    assert TOPICS.of("spleen", "ct", "spleen on MRI") == TOPICS.of("spleen", "ct", "the spleen")


def test_an_images_own_targets_are_shown_in_any_words():
    for text in ("the spleen", "spleen on CT"):
        assert truth(["spleen"], "ct", ["abdomen"], "spleen", "ct", text) == 1
    assert truth(["widget"], "ct", [], "widget", "ct", "widget") == 1


def test_a_target_of_another_kind_of_image_and_the_same_region_is_absent_only_where_the_words_name_the_kind():
    assert truth(["spleen"], "mri", ["abdomen"], "spleen", "ct", "spleen on CT") == 0
    assert truth(["spleen"], "mri", ["abdomen"], "spleen", "ct", "the spleen") == -1


def test_a_target_of_another_region_is_absent_in_any_words():
    for text in ("the lungs", "lungs on X-ray"):
        assert truth(["spleen"], "ct", ["abdomen"], "lungs", "xray", text) == 0


def test_what_nobody_looked_for_is_not_known_and_what_nothing_shows_is_absent():
    absent = absent_targets("ct", frozenset(["abdomen"]), LIBRARY)
    shows = TOPICS.shows([], "ct", absent)
    assert shows[TOPICS.of("spleen", "ct", "spleen on CT")] == -1
    assert shows[TOPICS.of("widget", "ct", "widget")] == -1
    assert shows[NOTHING] == 0
