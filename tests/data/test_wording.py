"""The words for what an image certainly does not show."""

from __future__ import annotations

from monai_ext.data.wording import LevelWording, Wording
from monai_ext.prompts.levels import PromptLevels
from monai_ext.prompts.library import PromptLibrary


def entry(canonical, heldout, region):
    return {"canonical": canonical, "train": [], "heldout": heldout, "regions": [region]}


LIBRARY = PromptLibrary(
    {
        "liver": {"ct": entry("liver in CT", ["hepatic organ", "hepatic organ in a CT scan"], "abdomen")},
        "eye": {"fundus": entry("the eye", ["eyeball"], "eye")},
        "foot": {"photo": entry("the foot", [], "foot")},
    },
    nonsense={},
    absent={},
)
ABDOMEN = frozenset(["abdomen"])


def texts(wording, modality="mri"):
    return [[prompt.joined for prompt in prompts] for prompts in wording.absent(modality, ABDOMEN)]


def test_a_target_of_a_region_that_is_shown_is_asked_for_in_words_that_name_its_kind_of_image():
    assert texts(Wording(LIBRARY)) == [["liver in CT"], ["the eye"], ["the foot"]]
    assert texts(Wording(LIBRARY, "heldout")) == [["hepatic organ in a CT scan"], ["eyeball"]]


def test_levels_name_no_kind_of_image_so_only_other_regions_are_certain():
    levels = PromptLevels(
        {
            "ct": {"liver": {"class": "liver", "sentences": ["Liver."]}},
            "fundus": {"eye": {"class": "eye", "sentences": ["Eye."]}},
        }
    )
    assert texts(LevelWording(LIBRARY, levels, ["medclipsam_p0"])) == [["eye"]]
    assert texts(LevelWording(LIBRARY, levels, ["medclipsam_p0", "medclipsam_p2"])) == [["eye\n\nEye."]]
