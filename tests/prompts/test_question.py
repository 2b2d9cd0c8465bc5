"""A sentence becomes what a network is asked, and what the question says is told from filler."""

import pytest

from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.question import Question
from monai_ext.prompts.sentence import Sentence
from tests.prompts.taught import LEXICON


def question(text, lexicon=LEXICON) -> Question:
    return Question(Sentence(text, lexicon))


@pytest.mark.parametrize(
    ("text", "asked", "notes"),
    [
        ("The LUNGS!", "The LUNGS!", []),
        ("lt lung", "left lung", ["'lt' was read as the patient's left"]),
        ("die linke Niere", "left kidney", ["'left kidney' was asked for"]),
        ("tumors in the breast", "tumor in the breast", []),
        ("lìver", "liver", []),
        (
            "lung on the viewer's left",
            "right lung",
            [
                "'on the viewer's left' is a side of the image, which shows the patient's right there: "
                "'right lung' was asked for"
            ],
        ),
    ],
)
def test_a_question_is_in_words_that_were_taught_and_says_what_it_changed(text, asked, notes):
    assert (question(text).text, question(text).notes) == (asked, notes)


@pytest.mark.parametrize(
    ("text", "place", "contradiction"),
    [
        ("polyp on the left side of the image", "on the left side of the image", ""),
        ("upper half of the image", "upper half of the image", ""),
        ("left lung on the left side of the image", "", "left … on the left side of the image"),
        ("left lung on the right side of the image", "", ""),
        ("left lung", "", ""),
    ],
)
def test_places_in_the_image_and_contradicting_sides_are_quoted(text, place, contradiction):
    assert (question(text).place, question(text).contradiction) == (place, contradiction)


def test_a_contradiction_is_asked_as_it_was_written():
    text = "lt lung on the left side of the image"
    assert (question(text).text, question(text).notes) == (text, [])


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("dog in the lungs", ["dog"]),
        ("lungs of a fish and a cat", ["fish", "cat"]),
        ("upper lungs near the 123 of it", []),
        ("die linke Niere bitte", []),
        ("lungs bitte", ["bitte"]),
        ("lung on the left side of the image", []),
        ("gliomas", []),
        ("ox lungs", []),
    ],
)
def test_words_that_nothing_knows_are_found(text, unknown):
    asked = question(text)
    assert [asked.sentence.words[at] for at in asked.unknown] == unknown


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("please outline the left upper lung", {"lung"}),
        ("gland above the kidney", {"gland"}),
        ("tumour behind the liver", {"tumour", "behind", "liver"}),
        ("mass, a polyp", {"polyp"}),
        ("left ventricle", {"ventricle"}),
        ("ventricle", set()),
        ("mass in the breast", {"mass", "breast"}),
        ("colon with air and stool", {"colon"}),
        ("Lebertumor der Leber", {"liver", "tumour"}),
        ("nódulo del hígado", {"liver", "nodulo"}),
        ("livers 1234", {"livers"}),
        ("gliomas", {"glioma"}),
    ],
)
def test_content_is_what_the_words_say_without_filler_sides_and_places(text, content):
    assert question(text).content == content


@pytest.mark.parametrize(
    ("text", "taught", "asked"),
    [
        ("biopsies", "biopsy", "biopsy"),
        ("biopsy", "biopsies", "biopsies"),
        ("masks of foxes", "fox", "masks of fox"),
        ("crypt", "crypts", "crypts"),
        ("eyes", "eye", "eye"),
        ("yes", "ye", "yes"),
    ],
)
def test_singular_and_plural_stand_for_each_other(text, taught, asked):
    assert question(text, Lexicon([taught])).text == asked


def test_an_open_vocabulary_keeps_the_numbers_of_nouns():
    assert question("livers and foxes", Lexicon()).text == "livers and foxes"
