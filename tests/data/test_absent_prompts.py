"""What an image is asked for that it does not show."""

from __future__ import annotations

import json
import re

import pytest

from monai_ext.data.absence import NOT_MEDICAL, OTHER_BOTH, OTHER_MODALITY, OTHER_REGION
from monai_ext.data.absent_prompts import (
    DRAWN,
    NEGATED,
    NEGATIONS,
    NO_TARGET,
    NONSENSE,
    every_absent_prompt,
    regions_of_set,
)
from monai_ext.data.wording import Asked
from monai_ext.prompts.library import PromptLibrary
from monai_ext.resources import resource_path


def entry(text, *regions):
    return {"canonical": text, "train": [text], "heldout": [], "regions": list(regions)}


LIBRARY = PromptLibrary(
    targets={
        "liver": {"ct": entry("liver in CT", "abdomen"), "us": entry("a liver", "abdomen")},
        "spleen": {"ct": entry("spleen in CT", "abdomen")},
        "kidney": {"mri": entry("kidney in an MRI", "abdomen")},
        "lungs": {"ct": entry("lungs in CT", "chest"), "xray": entry("lungs in an X-ray", "chest")},
    },
    nonsense={"train": [], "heldout": [f"spoon {n}" for n in range(20)]},
    absent={"train": [], "heldout": [f"wrist {n}" for n in range(20)]},
)


def case(*labels, modality="ct", annotated=None, name="a"):
    return {
        "set": "abdomen",
        "case": name,
        "modality": modality,
        "prompts": {label: [label] for label in labels},
        "targets": dict.fromkeys(labels if annotated is None else annotated, (1,)),
    }


def asked(one, *own, **settings):
    return every_absent_prompt(one, [Asked(f"{t} in CT", t, "1") for t in own], LIBRARY, **settings)


def texts(prompts, kind):
    return [prompt.joined for prompt in prompts if prompt.kind == kind]


def test_every_target_that_is_certainly_not_shown_is_asked_for_with_its_kind():
    prompts = asked(case("liver"), "liver")
    named = {(one.asked_for, one.asked_modality): (one.kind, one.joined) for one in prompts[:3]}
    assert (
        named
        == {
            ("lungs", "ct"): (OTHER_REGION, "lungs in CT"),
            ("lungs", "xray"): (OTHER_BOTH, "lungs in an X-ray"),
            ("kidney", "mri"): (OTHER_MODALITY, "kidney in an MRI"),
        }
    )  # not the spleen, which a CT scan of the abdomen may show, nor "a liver", which does not say that it is in ultrasound
    assert {one.target for one in prompts} == {one.values for one in prompts} == {""}


def test_a_picture_of_nothing_medical_is_asked_for_all_targets_and_nothing_is_denied():
    prompts = asked(case(modality="other"))
    assert len(texts(prompts, NOT_MEDICAL)) == 6
    assert texts(prompts, NEGATED) == []
    assert len(prompts) == 6 + 2 * DRAWN


def test_each_negation_is_asked_once_with_the_targets_in_turn():
    found = texts(asked(case("liver", "spleen"), "liver", "spleen"), NEGATED)
    assert len(found) == len(NEGATIONS)
    assert [sum(name in text for text in found) for name in ("liver", "spleen")] == [3, 3]
    assert texts(asked(case("liver"), "liver"), NEGATED) == [one.format("liver") for one in NEGATIONS]


def test_which_target_is_denied_how_depends_on_the_case():
    cases = [case("liver", "spleen", name=f"c{n}") for n in range(8)]
    assert len({tuple(texts(asked(one, "liver", "spleen"), NEGATED)) for one in cases}) == 2


@pytest.mark.parametrize("template", NEGATIONS)
def test_negations_are_made_of_words_that_readings_know(template):
    words = json.loads((resource_path("prompts") / "reading.json").read_text())["negations"]
    assert set(re.findall(r"[a-z]+", template.replace("{}", ""))) & set(words)


def test_texts_without_a_target_are_drawn_by_set_case_and_seed():
    first, again = (asked(case("liver"), "liver") for _ in range(2))
    assert first == again
    assert len(set(texts(first, NONSENSE))) == len(set(texts(first, NO_TARGET))) == DRAWN
    assert set(texts(first, NONSENSE)) < set(LIBRARY.nonsense("heldout"))
    assert set(texts(first, NO_TARGET)) < set(LIBRARY.absent("heldout"))
    for other in (asked(case("liver"), "liver", seed=1), asked(case("liver", name="b"), "liver")):
        assert set(texts(first, NONSENSE)) != set(texts(other, NONSENSE))
    assert {(one.asked_for, one.asked_modality) for one in first if one.kind == NONSENSE} == {
        (text, "") for text in texts(first, NONSENSE)
    }


def test_no_text_is_asked_twice_or_of_the_targets_of_the_image():
    library = PromptLibrary(
        {"liver": {"ct": entry("liver", "abdomen")}, "spot": {"xray": entry("liver", "chest")}},
        nonsense={"heldout": ["spoon", "spoon"]},
        absent={"heldout": ["spoon"]},
    )
    prompts = every_absent_prompt(case("liver"), [Asked("liver", "liver", "1")], library)
    assert [(one.joined, one.kind) for one in prompts if one.kind != NEGATED] == [("spoon", NO_TARGET)]


def test_regions_are_those_of_all_targets_of_the_set():
    assert regions_of_set(case("liver", "lungs", annotated=["liver"]), LIBRARY) == {"abdomen", "chest"}
    assert texts(asked(case("liver", "lungs", annotated=["liver"]), "liver"), OTHER_REGION) == []


def test_regions_are_not_known_where_the_library_does_not_know_a_target():
    unknown = case("liver", "gizzard")
    assert regions_of_set(unknown, LIBRARY) == frozenset()
    assert {one.kind for one in asked(unknown, "liver") if one.asked_modality} == {OTHER_MODALITY}
