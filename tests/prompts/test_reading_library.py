"""A network that was taught every target of the prompt library: each is answered in its own images, and nothing wider."""

import pytest

from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.reading import Reading, read
from tests.prompts import phrases_library as phrases
from tests.prompts.taught import EVERY_TARGET, EVERYTHING

LIBRARY = PromptLibrary.load()
PAIRS = [(target, modality) for modality, targets in EVERY_TARGET.items() for target in targets]


def each(table):
    return [(text, modality) for modality, texts in table.items() for text in texts]


def test_the_table_is_long_enough():
    tables = [table for name, table in vars(phrases).items() if name.isupper()]
    assert sum(len(texts) for table in tables for texts in table.values()) >= 200


@pytest.mark.parametrize(("text", "modality"), each(phrases.ANSWERED))
def test_the_network_is_asked_as_written(text, modality):
    reading = read(text, EVERYTHING, modality)
    assert (reading.refusal, reading.text) == ("", text)
    assert modality in reading.modalities


@pytest.mark.parametrize(("text", "asked"), phrases.INSTEAD.items())
def test_other_languages_are_put_into_english(text, asked):
    reading = read(text, EVERYTHING)
    assert (reading.refusal, reading.text) == ("", asked)


@pytest.mark.parametrize(("text", "modality"), each(phrases.NEGATED))
def test_a_negation_is_refused(text, modality):
    assert read(text, EVERYTHING, modality).refusal.startswith("says what is not wanted ('")


@pytest.mark.parametrize(
    ("text", "modality", "word"),
    [(text, modality, word) for modality, by in phrases.UNKNOWN.items() for text, word in by.items()],
)
def test_what_no_target_is_is_refused(text, modality, word):
    refusal = read(text, EVERYTHING, modality).refusal
    start = (
        f"names '{word}', which these weights do not know"
        if word
        else "names nothing that these weights know"
    )
    assert refusal.startswith(start)


@pytest.mark.parametrize(("text", "modality"), each(phrases.PARTS))
def test_a_part_or_a_side_is_not_answered_by_the_whole(text, modality):
    refusal = read(text, EVERYTHING, modality).refusal
    assert refusal.startswith(("names a part or one of several ('", "names a side ('"))


@pytest.mark.parametrize(("text", "modality"), each(phrases.SURROUNDINGS))
def test_what_lies_around_a_target_is_not_answered_by_it(text, modality):
    refusal = read(text, EVERYTHING, modality).refusal
    assert "which these weights know as the surroundings of others only" in refusal


@pytest.mark.parametrize(("text", "modality"), each(phrases.NO_SINGLE_TARGET))
def test_words_of_several_targets_are_no_target(text, modality):
    refusal = read(text, EVERYTHING, modality).refusal
    assert refusal.startswith(("names no single structure", "names a finding ('"))


@pytest.mark.parametrize(("text", "modality"), each(phrases.ELSEWHERE))
def test_what_other_images_show_is_not_known_in_these(text, modality):
    assert read(text, EVERYTHING, modality).refusal.startswith("is not known in ")


@pytest.mark.parametrize(
    ("text", "modality", "end"),
    [
        ("prostate", "mri", "surroundings of others only; they know prostate tumour"),
        ("retinal arteries", "fundus", "do not know; they know retinal vessels"),
        ("low-grade dysplasia", "endoscopy", "do not know; they know high-grade dysplasia"),
        ("tumour in the left kidney", "ct", "; these weights know 'kidney tumour' as a whole"),
        ("left clavicle", "xray", "; these weights know 'clavicles' as a whole"),
        ("L5 vertebra", "mri", "; these weights know 'vertebrae' as a whole"),
        ("femur", "ct", "; in CT they know left femur, right femur"),
        ("hepatic artery", "ct", "; they know 'arteries'"),
        ("ribs", "ct", "surroundings of others only"),
        ("prostate", "ct", "surroundings of others only"),
        (
            "polyp of the vocal cord",
            "endoscopy",
            "names no single structure that these weights know; they know 'polyp'",
        ),
        (
            "left and right ventricle",
            "mri",
            "names several structures (left ventricle, right ventricle); ask for each by itself, separated by ;",
        ),
    ],
)
def test_a_refusal_says_what_is_known_instead(text, modality, end):
    assert read(text, EVERYTHING, modality).refusal.endswith(end)


def test_every_sentence_of_training_is_asked_as_written_and_stands_for_its_own_target():
    pairs = [
        (text, modality) for target, modality in PAIRS for text in LIBRARY.every_training(target, modality)
    ]
    assert len(pairs) > 4000
    refused = []
    for text, modality in pairs:
        reading = read(text, EVERYTHING, modality)
        as_written = reading == Reading(text, "", (), reading.modalities)
        if not as_written or modality not in reading.modalities or read(text, EVERYTHING).refusal:
            refused.append((text, modality, reading))
    assert refused == []


def test_paraphrases_kept_out_of_training_are_understood():
    pairs = [(text, modality) for target, modality in PAIRS for text in LIBRARY.heldout(target, modality)]
    assert len(pairs) > 750
    refused = [pair for pair in pairs if read(pair[0], EVERYTHING, pair[1]).refusal]
    others = {*LIBRARY.absent("heldout"), *LIBRARY.nonsense("heldout")}
    of_facts = [text for text in LIBRARY.heldout_texts() if text not in others]
    assert len(of_facts) > len(pairs)
    assert refused + [text for text in of_facts if read(text, EVERYTHING).refusal] == []


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_what_no_image_shows_and_nonsense_are_refused(split):
    texts = [*LIBRARY.absent(split), *LIBRARY.nonsense(split)]
    assert [text for text in texts if not read(text, EVERYTHING).refusal] == []


def test_a_taught_sentence_stands_for_its_own_target_whatever_names_it_holds():
    assert read("artery in a neck ultrasound", EVERYTHING).modalities == ("us",)
    assert read("please outline the bones between the shoulder and the sternum", EVERYTHING).modalities == (
        "xray",
    )
