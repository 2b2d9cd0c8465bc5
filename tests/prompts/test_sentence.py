"""Every word of a sentence is told apart: names, sides, parts, and what only says where something is."""

import pytest

from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.reading import read
from monai_ext.prompts.sentence import Sentence
from monai_ext.prompts.vocabulary import Vocabulary
from tests.prompts.taught import LEXICON


def sentence(text) -> Sentence:
    return Sentence(text, LEXICON)


def words(text, positions):
    return " ".join(sentence(text).words[at] for at in sorted(positions))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("the left kidney and the spleen", {"kidney": False, "spleen": False}),
        ("linke Niere", {"kidney": True}),
        ("rim esquerdo", {"kidney": True}),
        ("rim", {"kidney": True}),
        ("rim of the liver", {"liver": False}),
        ("kidney rim", {"kidney": False}),
        ("portal and splenic vein", {"portal and splenic vein": False}),
        ("teapot", {}),
    ],
)
def test_names_are_found_in_all_languages_unless_they_are_english_words(text, names):
    found = sentence(text)
    assert {one.name.structure: one.name.foreign for one in found.names} == names
    assert found.foreign == any(names.values())


def test_a_name_of_another_language_that_the_network_was_taught_is_its_own():
    assert not Sentence("teapot Milz", Lexicon(["Milz"])).foreign
    assert Sentence("teapot Milz", Lexicon(["teapot"])).foreign


@pytest.mark.parametrize(
    ("text", "behind"),
    [
        ("gland above the left kidney, liver", "above the left kidney"),
        ("spleen; gland above the kidney", "above the kidney"),
        ("gland near kidney. liver above spleen", "near kidney above spleen"),
        ("liver and spleen", ""),
        ("lung fields above", ""),
    ],
)
def test_words_behind_a_landmark_only_say_where_up_to_the_next_comma(text, behind):
    assert words(text, sentence(text).context) == behind


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("left lung", "left"),
        ("R kidney", "r"),
        ("kidney l", "l"),
        ("R 4 kidney", ""),
        ("lt lung", "lt"),
        ("linke Niere", "linke"),
        ("linke lung", ""),
        ("left and right lung", ""),
        ("left upper abdomen, liver", ""),
        ("left lung on the right of the image", "left"),
    ],
)
def test_sides_of_the_patient_are_told_from_those_of_wholes_regions_and_images(text, sides):
    assert words(text, sentence(text).side_words) == sides


@pytest.mark.parametrize(
    ("text", "side", "both"),
    [
        ("left lung", "left", False),
        ("rt kidney", "right", False),
        ("right lung or left kidney", "", True),
        ("gland above the left kidney", "", False),
        ("lungs", "", False),
    ],
)
def test_one_side_is_asked_for_or_both_or_none(text, side, both):
    assert (sentence(text).side, sentence(text).both_sides) == (side, both)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("left upper lobe", "upper lobe"),
        ("leftmost lung", "leftmost"),
        ("upper abdomen, liver", ""),
        ("inferior vena cava", ""),
        ("both lobes of the liver", ""),
        ("gland above the upper kidney", ""),
        ("segment 4 of the liver", "segment"),
        ("segment IVa", "segment"),
        ("segment of the liver", "segment"),
        ("liver segments", "segments"),
        ("liver segment", "segment"),
        ("segment the liver", ""),
        ("L5 vertebra", "l5"),
        ("L4/5 disc", "l4"),
        ("T12, C2", "t12 c2"),
        ("T1 and T2 images", ""),
        ("tooth 36", "36"),
        ("36 teeth", ""),
        ("left ventricle", ""),
        ("ventricle", "ventricle"),
    ],
)
def test_words_of_parts_are_found_unless_they_belong_to_a_whole(text, parts):
    assert words(text, sentence(text).parts) == parts


@pytest.mark.parametrize(
    ("text", "targets", "spoken"),
    [
        ("left kidney", [{"left kidney"}], ["left kidney"]),
        ("kidneys", [{"kidneys"}], ["kidneys"]),
        ("left liver", [{"liver"}], ["liver"]),
        ("femur", [{"femur"}], ["femur"]),
        ("left femur", [{"left femur"}], ["left femur"]),
        ("adrenal gland", [{""}], ["adrenal glands"]),
        ("right lung or left kidney", [{"lungs"}, {"kidneys"}], ["lungs", "kidneys"]),
        ("liver above the spleen", [{"liver"}], ["liver"]),
    ],
)
def test_a_name_means_a_target_with_the_side_that_is_asked_for(text, targets, spoken):
    assert (sentence(text).named_targets, sentence(text).named_as) == (targets, spoken)


@pytest.mark.parametrize(
    ("text", "several"),
    [
        ("liver, spleen", ["liver", "spleen"]),
        ("liver/spleen", ["liver", "spleen"]),
        ("the left kidney and the spleen", ["kidney", "spleen"]),
        ("Leber und Milz", ["Leber", "Milz"]),
        ("liver in the spleen", []),
        ("liver with the spleen", []),
        ("liver and dog spleen", []),
        ("left kidney and right kidney", []),
        ("left and right kidney", []),
        ("left and right atrium", ["left atrium", "right atrium"]),
        ("left and left atrium", []),
        ("liver spleen", []),
    ],
)
def test_several_structures_are_joined_by_commas_or_words_of_joining(text, several):
    assert sentence(text).several == several


@pytest.mark.parametrize(
    ("text", "whole"), [("femur", "left femur"), ("left lung", "lungs"), ("portal vein", ""), ("teapot", "")]
)
def test_the_known_whole_is_that_of_the_first_name_that_has_one(text, whole):
    assert sentence(text).known_whole() == whole


def test_words_are_quoted_and_replaced_as_they_stand_in_the_text():
    found = sentence("The  LEFT Lung's apex")
    assert found.quoted(1, 3) == "LEFT Lung"
    assert found.position(2) == (10, 14)
    assert found.replaced({4: "tip", 1: "right"}) == "The  right Lung's tip"
    assert found.replaced({}) == found.text


def test_phrases_of_a_group_are_marked_word_by_word():
    found = sentence("lung with air and stool")
    assert found.spans("contents") == [(1, 5)]
    assert found.marked("contents") == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("liver", {"liver"}),
        ("please show me the Liver on this CT scan", {"liver"}),
        ("tumour", {"breast tumour", "brain tumour"}),
        ("liver of a dog", set()),
        ("the first polyp", set()),
        ("liver and", set()),
        ("no polyp", set()),
        ("please", set()),
        ("", set()),
    ],
)
def test_a_taught_sentence_with_filler_around_stands_for_its_targets(text, targets):
    assert {known.target for known in sentence(text).taught} == targets


def test_words_of_something_else_are_no_taught_sentence():
    lexicon = Lexicon((), {"microscopy": {"blood": ["blood"]}})
    assert [known.target for known in Sentence("blood, please", lexicon).taught] == ["blood"]
    assert Sentence("blood pool", lexicon).taught == []


@pytest.mark.parametrize(
    ("text", "places"), [("polyp in the left colon", [False, True]), ("liver, spleen", [False, False])]
)
def test_a_name_behind_a_preposition_says_where(text, places):
    found = sentence(text)
    assert [found.places(name) for name in found.asked_names] == places


@pytest.mark.parametrize(
    "text", ["liver " * 3000, "please " * 1500 + "liver" + " please" * 1500, "liver and spleen " * 1000]
)
def test_a_text_of_thousands_of_words_is_read_word_by_word(text, monkeypatch):
    calls = []
    spans = Vocabulary.spans
    monkeypatch.setattr(Vocabulary, "spans", lambda self, *args: calls.append(1) or spans(self, *args))
    sentence = Sentence(text, LEXICON)
    assert len(list(sentence._spans_between_filler())) <= LEXICON.longest**2
    read.__wrapped__(text, LEXICON)
    assert len(calls) < 40  # none of them for each word
