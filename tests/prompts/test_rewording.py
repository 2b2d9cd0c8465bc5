"""Reworded prompts keep their meaning, held-out sentences never come out, nonsense stays nonsense."""

import json
import re

from monai_ext.prompts.library import PromptLibrary, names_side
from monai_ext.prompts.modalities import MODALITIES
from monai_ext.prompts.rewording import FUNCTION_WORDS, Rewording
from monai_ext.prompts.separate import plain_text, split_prompts
from monai_ext.resources import resource_path

CARRIERS = json.loads(resource_path("prompts/carriers.json").read_text(encoding="utf-8"))
TARGETS = json.loads(resource_path("prompts/targets.json").read_text(encoding="utf-8"))
PHRASES = [text for kind in ("before", "determiners", "after") for text in CARRIERS[kind]]


def sentences(split):
    """Every sentence of the library, those of facts included."""
    entries = [entry for by in TARGETS.values() for entry in by.values()]
    lists = [one for entry in entries for one in (entry, *entry.get("facts", {}).values())]
    return sorted({text for one in lists for text in one[split]})


def words(text):
    return re.findall(r"[a-z]+", text.casefold())


def plain(text):
    """Without case, punctuation and blanks at the ends, and with blanks around."""
    return f" {' '.join(re.findall(r'[a-z0-9]+', text.casefold()))} "


TRAIN, HELDOUT = sentences("train"), sentences("heldout")
TARGET_WORDS = {word for name in TARGETS for word in words(name) if len(word) > 1} - {"and", "with", "of"}
TARGET_WORDS |= {word.rstrip("s") for word in TARGET_WORDS} | {"kidney", "lung", "tumor", "oedema", "mole"}


def reword(texts, seed=0, **kwargs):
    """The texts, often enough for 2000 rewordings, and what became of each."""
    texts = [text for _ in range(-(-2000 // len(texts))) for text in texts]
    rewording = Rewording.load(**{"prob": 1.0, **kwargs})
    rewording.set_random_state(seed)
    return [(text, rewording(text)) for text in texts]


def test_the_side_of_a_sentence_is_kept():
    sided = [text for text in TRAIN if names_side(text)]
    for text, result in reword([*sided, "bright left kidney", "both the left and the right lung"], typo=0.5):
        assert names_side(result) == names_side(text), result


def test_all_long_words_are_kept_and_negations_too():
    for text, result in reword([*TRAIN, "tumour without oedema", "not the liver"], typo=0):
        kept = {word for word in words(text) if len(word) >= 6 or word in ("no", "not", "and")}
        assert kept - FUNCTION_WORDS <= set(words(result)), result


def test_a_result_can_be_a_prompt():
    for text, result in reword(TRAIN):
        assert split_prompts(plain_text(result)) == [result], text


def test_most_results_differ_and_few_are_equal():
    results = [result for _, result in reword(["liver in a CT scan"])]
    assert len(set(results)) > 1500
    assert sum(result == "liver in a CT scan" for result in results) < 200


def test_a_typo_changes_one_long_word_but_not_its_first_letter():
    rewording = Rewording(
        {"before": ["mark"], "determiners": ["the"], "after": ["here"], "words": []}, prob=1, typo=1
    )
    rewording.set_random_state(0)
    for _ in range(200):
        result = words(rewording("bright left kidney"))
        assert "left" in result
        assert len({"bright", "kidney"} & set(result)) >= 1
        assert "right" not in result


def test_heldout_sentences_never_come_out():
    library = PromptLibrary.load()
    facts = [None, {"pathology": "benign"}, {"tumour_type": "glioma"}]
    heldout = [
        text
        for modality in MODALITIES
        for target in library.targets(modality)
        for fact in facts
        for text in library.heldout(target, modality, fact)
    ]
    forbidden = {plain(text) for text in heldout}
    assert not forbidden & {plain(result) for _, result in reword(TRAIN, kept=heldout)}


def test_a_prompt_that_would_become_a_kept_sentence_stays():
    carriers = {"before": ["mark"], "determiners": ["mark"], "after": ["mark"], "words": ["cup", "table"]}
    rewording = Rewording(carriers, kept=["MARK, liver!", "liver mark", "Liver", "cup"], prob=1)
    rewording.set_random_state(0)
    results = {rewording("liver") for _ in range(200)}
    assert "liver" in results
    assert not {plain(result) for result in results} & {" mark liver ", " liver mark "}
    assert "cup" not in {rewording.nonsense() for _ in range(500)}


def test_no_heldout_sentence_is_a_training_sentence_between_phrases():
    nouns = {plain(text) for text in TRAIN} | {plain(re.sub("^(the|an?) ", "", text)) for text in TRAIN}

    def without(texts, phrases, cut):
        return {text.strip() and cut(text, plain(phrase)) for text in texts for phrase in ["", *phrases]}

    def left(text, phrase):
        return " " + text.removeprefix(phrase).lstrip() if phrase.strip() else text

    def right(text, phrase):
        return text.removesuffix(phrase).rstrip() + " " if phrase.strip() else text

    for sentence in HELDOUT:
        rests = without({plain(sentence)}, CARRIERS["before"], left)
        rests = without(rests, CARRIERS["determiners"], left)
        rests = without(rests, CARRIERS["after"], right)
        assert not rests & nouns, sentence


def test_no_phrase_gives_away_how_heldout_sentences_begin_or_end():
    for kind, at in (("before", str.startswith), ("after", str.endswith)):
        for phrase in map(plain, CARRIERS[kind]):
            if not any(at(plain(text), phrase) for text in TRAIN):
                assert not any(at(plain(text), phrase) for text in HELDOUT), phrase


def test_the_same_seed_gives_the_same_texts():
    assert reword(TRAIN, seed=3) == reword(TRAIN, seed=3)
    assert reword(TRAIN, seed=3) != reword(TRAIN, seed=4)
    first, second = Rewording.load(), Rewording.load()
    first.set_random_state(5)
    second.set_random_state(5)
    assert [first.nonsense() for _ in range(50)] == [second.nonsense() for _ in range(50)]


def test_probability_zero_changes_nothing():
    assert all(text == result for text, result in reword(TRAIN, prob=0))


def test_carriers_name_nothing():
    sides, negations = {"left", "right", "lt", "rt", "side"}, {"no", "not", "never", "none", "without", "non"}
    sizes = {"small", "large", "big", "tiny", "little", "huge", "whole", "two", "both", "three", "single"}
    modalities = {
        "xray",
        "ray",
        "us",
        "ultrasound",
        "endoscopy",
        "dermoscopy",
        "ct",
        "mri",
        "mr",
        "scan",
        "film",
    }
    meaning = sides | negations | sizes | modalities | TARGET_WORDS
    assert not [phrase for phrase in PHRASES if set(words(phrase)) & meaning]


def test_the_neutral_words_name_no_target():
    assert not set(CARRIERS["words"]) & (TARGET_WORDS | {"left", "right"})
    assert all(len(CARRIERS[kind]) == len(set(CARRIERS[kind])) for kind in CARRIERS)


def test_nonsense_is_a_text_that_names_nothing():
    rewording = Rewording.load(kept=PromptLibrary.load().nonsense("heldout"))
    rewording.set_random_state(0)
    texts = [rewording.nonsense() for _ in range(3000)]
    for text in texts:
        assert split_prompts(plain_text(text)) == [text]
        assert len(text.split()) <= 15
        assert not set(words(text)) & TARGET_WORDS, text
        assert names_side(text) is None
    assert len(set(texts)) > 2500
