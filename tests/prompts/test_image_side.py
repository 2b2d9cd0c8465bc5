"""Sides of the image are told from sides of the patient, with the words that belong to them."""

import pytest

from monai_ext.prompts.image_side import ImageSide, image_side, place_in_image
from monai_ext.prompts.vocabulary import phrase


def quoted(text, found: ImageSide):
    return " ".join(phrase(text)[found.start : found.stop])


@pytest.mark.parametrize(
    ("text", "side", "words"),
    [
        ("left of the image", "left", "left of the image"),
        ("lung on the left side of the image, please", "left", "on the left side of the image"),
        ("polyp at the right hand side of this picture", "right", "at the right hand side of this picture"),
        ("lung on the viewer's left", "left", "on the viewer s left"),
        ("the observer right half of the lung", "right", "the observer right half"),
        ("lung on the image's left side", "left", "on the image s left side"),
    ],
)
def test_a_side_of_the_image_is_found_with_all_its_words(text, side, words):
    found = image_side(phrase(text))
    assert (found.side, quoted(text, found)) == (side, words)


@pytest.mark.parametrize(
    "text",
    [
        "left lung",
        "left side of the patient",
        "left lung in the image",
        "left lung of the image",
        "image left lung",
        "left of",
        "left",
        "s left",
        "",
    ],
)
def test_a_side_of_the_patient_is_none_of_the_image(text):
    assert image_side(phrase(text)) is None


@pytest.mark.parametrize(
    ("text", "side", "words"),
    [
        ("Lunge auf der linken Seite vom Bild", "left", "auf der linken seite vom bild"),
        ("pulmón a la derecha de la imagen", "right", "a la derecha de la imagen"),
        ("polmone, lato sinistro della immagine", "left", "sinistro della immagine"),
    ],
)
def test_other_languages_have_words_of_their_own_for_it(text, side, words):
    found = image_side(phrase(text), foreign=True)
    assert (found.side, quoted(text, found)) == (side, words)
    assert image_side(phrase(text)) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lungs in the upper half of the image", "upper half of the image"),
        ("top of image, please", "top of image"),
        ("lower left outer corner of the slice here", "lower left outer corner of the slice"),
        ("corner a b c d e of image", ""),
        ("top of the liver image", ""),
        ("top of", ""),
        ("upper lobe of the right lung", ""),
        ("lower left corner of a bright wide image", ""),
        ("lungs", ""),
    ],
)
def test_another_place_in_the_image_is_quoted(text, words):
    assert " ".join(place_in_image(phrase(text))) == words
