"""Other words for the same target, and words for a mirrored image."""

from __future__ import annotations

from itertools import islice

import pytest

from monai_ext.prompts.library import PromptLibrary, names_side
from monai_ext.prompts.paraphrases import library_sentences, mirrored_prompt, paraphrases
from monai_ext.prompts.prompt import GroupedPrompt, Prompt


def texts(text: str, modality: str | None = None) -> list[str]:
    return [one.texts[0] for one in paraphrases(Prompt.of(text), modality)]


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("lungs", "lungs"),
        ("left lung", "right lung"),
        ("Right kidney", "Left kidney"),
        ("LT LUNG, left side", "RT LUNG, right side"),
        ("left and right lung", "right and left lung"),
        ("bright lesion, leftover", "bright lesion, leftover"),
        ("left_lung", "right_lung"),
    ],
)
def test_a_mirrored_image_is_asked_for_the_other_side(text: str, mirrored: str) -> None:
    prompt = Prompt((text,), "a target", oracle=True, verbatim=True)
    assert mirrored_prompt(prompt) == Prompt((mirrored,), "a target", oracle=True, verbatim=True)


@pytest.mark.parametrize("text", ["linke Lunge", "poumon gauche", "l lung"])
def test_a_side_in_other_words_is_not_asked_of_a_mirrored_image(text: str) -> None:
    assert mirrored_prompt(Prompt.of(text)) is None
    assert mirrored_prompt(Prompt(("left lung", text))) is None


def test_every_text_of_an_ensemble_is_mirrored() -> None:
    assert mirrored_prompt(Prompt(("left lung", "lung"))) == Prompt(("right lung", "lung"))


def test_a_known_prompt_gets_sentences_of_its_target_that_training_holds() -> None:
    taught = PromptLibrary.load().training("left lung", "xray")
    found = texts("left lung in a chest X-ray")
    assert found[:3] == taught[1:4]
    assert "left lung in a chest X-ray" not in found
    heldout = PromptLibrary.load().heldout("left lung", "xray")[0]
    assert texts(heldout)[:2] == [one for one in taught if one != heldout][:2]
    assert set(map(names_side, found)) == {"left"}


def test_of_an_unknown_modality_the_sentences_name_none() -> None:
    found = library_sentences("liver")
    assert found and not library_sentences("liver", "us")
    both = library_sentences("lungs")  # in CT and on X-ray
    xray, ct = library_sentences("lungs", "xray"), library_sentences("lungs", "ct")
    assert set(both) < {*xray, *ct}
    assert not any("CT" in one or "X-ray" in one for one in both)
    assert any("CT" in one for one in ct) and not any("CT" in one for one in xray)
    assert library_sentences("lungs in a chest X-ray", "ct") == []


def test_words_of_several_targets_get_no_sentences_of_either() -> None:
    assert library_sentences("lesion", "us") and library_sentences("lesion", "dermoscopy")
    assert library_sentences("lesion") == []


def test_an_unknown_prompt_keeps_its_words_and_side_among_others() -> None:
    found = texts("left styloid process")
    assert len(found) >= 3
    for text in found:
        assert "left styloid process" in " ".join(text.casefold().replace(",", " ").split()).strip(" .!?:")
        assert names_side(text) == "left"
    assert found == texts("left styloid process")  # the same every time
    assert found != [one.replace("left", "right") for one in texts("right styloid process")]


def test_all_are_different_from_each_other_and_from_the_prompt() -> None:
    for text in ("polyp", "styloid process"):
        found = [one.casefold() for one in texts(text)]
        assert len({*found, text}) == len(found) + 1


def test_an_ensemble_is_asked_by_its_members() -> None:
    prompt = GroupedPrompt(("a", "b", "c"), "t", groups=(2, 1), verbatim=True)
    assert list(paraphrases(prompt)) == [
        Prompt(("a", "b"), "t", verbatim=True),
        Prompt(("c",), "t", verbatim=True),
    ]


def test_what_a_prompt_is_besides_its_words_stays() -> None:
    for text in ("polyp", "styloid process"):
        first = next(paraphrases(Prompt((text,), "t", oracle=True, verbatim=True)))
        assert (first.target, first.oracle, first.verbatim) == ("t", True, True)


def test_a_prompt_without_words_has_no_others() -> None:
    assert list(islice(paraphrases(Prompt.of("")), 3)) == []
