"""Characters that nobody sees, accents and articles around words."""

import pytest

from monai_ext.prompts.text import clean, escaped, fold, words


@pytest.mark.parametrize(
    ("text", "seen", "shown"),
    [
        ("liver", "liver", "liver"),
        ("li\u200bver", "liver", "li\\u200bver"),
        ("\u2066liver\u2069", "liver", "\\u2066liver\\u2069"),
        ("l\u0334iver", "liver", "l\\u0334iver"),
        ("foie\u0301", "foié", "foié"),
        ("a\nb", "a b", "a\nb"),
        ("\u0915\u093f", "\u0915\u093f", "\u0915\u093f"),  # a vowel sign of Devanagari is a letter
    ],
)
def test_what_nobody_sees_is_dropped_and_shown_escaped(text, seen, shown):
    assert (clean(text), escaped(text)) == (seen, shown)


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Ösophagus", "osophagus"), ("œsophage", "oesophage"), ("Straße", "strasse"), ("Nævus", "naevus")],
)
def test_folding_takes_accents_and_capitals_away(text, folded):
    assert fold(text) == folded


def test_words_know_where_they_stand():
    text = "Left lung, T1-weighted"
    assert [(word.text, text[word.start : word.stop]) for word in words(text)] == [
        ("left", "Left"), ("lung", "lung"), ("t1", "T1"), ("weighted", "weighted"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["l'aorta", "dell’aorta", "L'Aorta"])
def test_an_article_joined_to_a_noun_is_no_word(text):
    assert [word.text for word in words(text)] == ["aorta"]


def test_an_english_genitive_is_no_article():
    assert [word.text for word in words("viewer's left")] == ["viewer", "s", "left"]


def test_an_accent_belongs_to_the_letter_before_it():
    assert clean("αl\u0307") == "αl"
    assert escaped("αl\u0307") == "αl\\u0307"
    assert clean("lя\u0307") == "lя\u0307"
