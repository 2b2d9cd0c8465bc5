"""Text prompts that name nothing are recognised by their words."""

import pytest

from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.library import MODALITIES, PromptLibrary

LIBRARY = PromptLibrary.load()
TAUGHT = [text for m in MODALITIES for target in LIBRARY.targets(m) for text in LIBRARY.training(target, m)]
LEXICON = Lexicon(TAUGHT)


@pytest.mark.parametrize("text", LIBRARY.nonsense("heldout"))
def test_nonsense_kept_out_of_training_names_nothing(text):
    assert LEXICON.why_unknown(text).startswith("names nothing that these weights know")


def test_every_sentence_of_training_is_understood():
    assert [text for text in TAUGHT if LEXICON.why_unknown(text)] == []


def test_paraphrases_kept_out_of_training_are_understood():
    pairs = [(target, m) for m in MODALITIES for target in LIBRARY.targets(m)]
    heldout = [text for pair in pairs for text in LIBRARY.heldout(*pair)]
    assert len(heldout) > 300
    assert [text for text in heldout if LEXICON.why_unknown(text)] == []


@pytest.mark.parametrize("text", ["KIDNEY!", "tumor of the breast", "brain", "the whole brain", "livr"])
def test_case_signs_and_taught_misspellings_do_not_matter(text):
    assert LEXICON.why_unknown(text) == ""


@pytest.mark.parametrize("text", ["", "the", "please outline this for me", "123 %", "🫀", "poumon", "الكبد"])
def test_a_text_without_a_taught_word_names_nothing(text):
    assert LEXICON.why_unknown(text) == "names nothing that these weights know"


def test_a_misspelt_target_gets_the_word_it_may_mean():
    assert LEXICON.why_unknown("pancras") == "names nothing that these weights know; did you mean 'pancreas'?"


def test_a_word_of_the_surroundings_does_not_carry_an_unknown_one():
    assert LEXICON.why_unknown("brain in an MRI scan") == ""
    assert LEXICON.why_unknown("laptop in an MRI scan of the brain") != ""


def test_words_of_a_users_own_targets_are_understood_and_others_then_are_not():
    own = Lexicon(["uterus in a pelvic MRI scan"])
    assert own.why_unknown("show me the uterus") == ""
    assert own.why_unknown("liver") != ""


def test_a_network_that_was_taught_nothing_takes_every_prompt():
    assert Lexicon().why_unknown("ljashdb") == ""
