"""Sentences made of a target's name."""

import pytest

from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.modalities import MODALITIES
from monai_ext.prompts.reading import read
from monai_ext.prompts.templates import heldout_sentences, template_sentences


def test_a_name_becomes_sentences_the_canonical_one_first():
    assert template_sentences("cyst", "ct") == [
        "cyst in a CT scan",
        "cyst",
        "cyst on a CT scan",
        "a CT scan showing cyst",
    ]
    assert heldout_sentences("cyst", "us") == [
        "cyst visible in an ultrasound image",
        "where is the cyst?",
        "an ultrasound image with cyst",
    ]


@pytest.mark.parametrize("modality", MODALITIES)
def test_words_of_an_evaluation_are_kept_out_of_training(modality):
    texts = heldout_sentences("cyst", modality)
    assert len(set(texts)) == 3 and not {*texts} & {*template_sentences("cyst", modality)}


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_network_that_was_taught_the_target_is_asked_in_all_of_these_words(modality):
    taught = template_sentences("thyroid nodule", modality)
    lexicon = Lexicon(taught, {modality: {"thyroid nodule": taught}})
    for text in heldout_sentences("thyroid nodule", modality):
        assert read(text, lexicon, modality).refusal == ""
