"""Every target has names in all languages, and no word has two meanings in one language."""

import json

import pytest

from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES
from monai_ext.prompts.vocabulary import Name, phrase, vocabulary
from monai_ext.resources import resource_path

NAMES = json.loads((resource_path("prompts") / "names.json").read_text(encoding="utf-8"))
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "la")


@pytest.mark.parametrize("structure", NAMES)
def test_every_structure_has_names_in_seven_languages(structure):
    entry = NAMES[structure]
    assert set(entry) == {"targets", *LANGUAGES}
    assert all(entry[language] and all(map(phrase, entry[language])) for language in LANGUAGES)


def test_every_target_of_the_library_is_a_structure_and_none_is_invented():
    library = PromptLibrary.load()
    targets = {target for modality in MODALITIES for target in library.targets(modality)}
    assert {target for entry in NAMES.values() for target in entry["targets"].values()} == targets


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_stands_for_two_structures_in_one_language(language):
    spelt = [(phrase(text), structure) for structure, entry in NAMES.items() for text in entry[language]]
    meanings: dict = {}
    for text, structure in spelt:
        meanings.setdefault(text, set()).add(structure)
    assert {text: both for text, both in meanings.items() if len(both) > 1} == {}


def test_an_english_name_goes_before_that_of_another_language():
    assert vocabulary().names["bladder",] == Name("urinary bladder", False)
    assert vocabulary().names["rate",] == Name("spleen", True)


def test_the_longest_phrase_is_found_first_and_none_twice():
    speech = vocabulary()
    text = ["portal", "and", "splenic", "vein", "and", "liver"]
    assert speech.spans(text, speech.names) == [(0, 4), (5, 6)]
    assert speech.spans([], speech.names) == []


def test_words_and_longer_phrases_of_a_group_are_told_apart():
    speech = vocabulary()
    assert "without" in speech.single("negations") and "everything" not in speech.single("negations")
    assert ("everything", "else") in speech.groups["negations"]
