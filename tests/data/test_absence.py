"""What an image certainly does not show, by its kind and its region of the body."""

import pytest

from monai_ext.data.absence import (
    NOT_MEDICAL,
    OTHER_BOTH,
    OTHER_MODALITY,
    OTHER_REGION,
    absent_targets,
    shown_regions,
)
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES


def entry(canonical, *regions):
    texts = {"train": [canonical, canonical.split(" in ")[0]], "heldout": [f"a {canonical.split(' in ')[0]}"]}
    return {"canonical": canonical, **texts, "regions": list(regions)}


LIBRARY = PromptLibrary(
    {
        "liver": {"ct": entry("liver in a CT scan", "abdomen"), "mri": entry("liver in an MRI", "abdomen")},
        "spleen": {"ct": entry("spleen in a CT scan", "abdomen", "chest")},
        "lungs": {"ct": entry("lungs in a CT scan", "chest"), "xray": entry("lungs in an X-ray", "chest")},
        "femur": {"xray": entry("femur in an X-ray", "knee")},
    },
    {"train": [], "heldout": []},
    {"train": [], "heldout": []},
)


def kinds(modality, regions, split="train"):
    found = absent_targets(modality, frozenset(regions), LIBRARY, split)
    return {(one.target, one.modality): (one.kind, one.sentences) for one in found}


def test_an_image_shows_the_regions_of_all_targets_that_were_looked_for_in_it():
    assert shown_regions(["liver", "spleen", "unheard of"], "ct", LIBRARY) == {"abdomen", "chest"}
    assert shown_regions(["liver"], "mri", LIBRARY) == {"abdomen"}
    assert shown_regions(["unheard of"], "ct", LIBRARY) == frozenset()


def test_of_its_own_kind_a_target_is_absent_where_none_of_its_regions_is_shown():
    found = kinds("xray", ["chest"])
    assert found["femur", "xray"] == (OTHER_REGION, ("femur in an X-ray", "femur"))
    assert ("lungs", "xray") not in found
    assert "lungs" not in {
        target for target, modality in kinds("ct", ["chest", "abdomen"]) if modality == "ct"
    }


def test_of_another_kind_a_target_of_the_same_region_is_absent_in_words_that_name_the_kind():
    found = kinds("xray", ["chest"])
    assert found["lungs", "ct"] == (OTHER_MODALITY, ("lungs in a CT scan",))
    assert found["spleen", "ct"] == (OTHER_MODALITY, ("spleen in a CT scan",))
    assert found["liver", "ct"] == (OTHER_BOTH, ("liver in a CT scan", "liver"))


def test_no_sentence_is_left_where_none_names_the_kind():
    assert ("lungs", "ct") not in kinds("xray", ["chest"], "heldout")
    assert kinds("xray", ["chest"], "heldout")["liver", "mri"] == (OTHER_BOTH, ("a liver",))
    assert kinds("xray", ["knee"], "canonical")["lungs", "ct"] == (OTHER_BOTH, ("lungs in a CT scan",))


def test_where_the_region_is_not_known_nothing_of_the_same_kind_is_certain():
    found = kinds("ct", [])
    assert {modality for _, modality in found} == {"xray", "mri"}
    assert {kind for kind, _ in found.values()} == {OTHER_MODALITY}


def test_a_picture_of_nothing_medical_shows_none_of_all_targets():
    found = kinds("other", [])
    assert len(found) == 6 and {kind for kind, _ in found.values()} == {NOT_MEDICAL}
    assert found["femur", "xray"][1] == ("femur in an X-ray", "femur")


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_target_of_the_library_has_a_region(modality):
    library = PromptLibrary.load()
    assert all(library.regions(target, modality) for target in library.targets(modality))


def test_a_chest_film_shows_no_target_of_any_other_kind_of_image():
    library = PromptLibrary.load()
    found = absent_targets("xray", shown_regions(["lungs"], "xray", library), library, "canonical")
    asked = {(one.target, one.modality) for one in found}
    others = {(t, m) for m in MODALITIES if m != "xray" for t in library.targets(m)}
    assert {("left kidney", "ct"), ("trachea", "ct"), ("brain metastasis with oedema", "mri")} <= asked
    assert not {"lungs", "heart", "clavicles"} & {target for target, m in asked if m == "xray"}
    assert {("femur", "xray"), ("teeth", "xray")} <= asked
    assert len(others & asked) > 0.9 * len(others)


def test_sentences_of_wider_targets_are_left_out_and_those_for_training_are_the_usual_ones():
    narrow = {**entry("cyst in an MRI", "abdomen"), "also": ["lesion"]}
    library = PromptLibrary(
        {"cyst": {"mri": narrow}, "lesion": {"mri": entry("lesion in an MRI", "abdomen")}}, {}, {}
    )
    cyst, _ = absent_targets("ct", frozenset(["head"]), library)
    assert cyst.sentences == ("cyst in an MRI", "cyst")
