"""What a network was taught: words, targets by modality, and how both go into weights and come back."""

import pytest

from monai_ext.prompts.lexicon import Lexicon

TARGETS = {"ct": {"liver": [], "left lung": []}, "mri": {"uterus": ["womb in a pelvic MRI"]}}


def known(lexicon):
    return [(one.target, one.modality) for one in lexicon.known]


def test_what_was_never_taught_is_open():
    assert Lexicon().open and Lexicon([""]).open
    assert not Lexicon(["liver"]).open
    assert not Lexicon((), TARGETS).open


def test_targets_bring_the_words_of_their_sentences_and_names():
    lexicon = Lexicon((), TARGETS)
    assert known(lexicon) == [("liver", "ct"), ("left lung", "ct"), ("uterus", "mri")]
    assert {"hepatic", "womb", "pelvic", "uterus", "parenchyma"} <= lexicon.taught
    assert "spleen" not in lexicon.taught


def test_a_sided_target_has_the_words_of_both_sides():
    words = Lexicon((), TARGETS).known[1].words
    assert {"left", "aerated", "lung"} <= words


def test_sentences_of_the_library_and_of_the_data_set_are_kept_whole():
    sentences = Lexicon((), TARGETS).sentences
    assert ("both", "lobes", "of", "the", "liver") in sentences
    assert ("womb", "in", "a", "pelvic", "mri") in sentences
    assert ("both", "lobes") not in sentences


@pytest.mark.parametrize("lexicon", [Lexicon(), Lexicon(["liver", "Left Lung"]), Lexicon(["polyp"], TARGETS)])
def test_weights_hold_a_lexicon_as_text(lexicon):
    back = Lexicon.of_state(lexicon.state())
    assert (back.taught, back.targets, known(back)) == (lexicon.taught, lexicon.targets, known(lexicon))


def test_lines_of_words_in_older_weights_are_read():
    assert Lexicon.of_state("liver\nspleen").taught == {"liver", "spleen"}
    assert Lexicon.of_state("").open


def test_where_targets_are_not_stated_those_of_the_library_are_known_whose_sentence_was_taught():
    assert known(Lexicon(["liver in a CT scan"])) == [("liver", "ct")]
    assert known(Lexicon(["uterus in a pelvic MRI"])) == [("", "")]


def test_more_is_added_to_what_was_taught():
    lexicon = Lexicon(["liver"], {"ct": {"liver": []}}).extended(
        ["polyp"], {"ct": {"spleen": []}, "us": {"breast tumour": []}}
    )
    assert lexicon.targets == {"ct": {"liver": [], "spleen": []}, "us": {"breast tumour": []}}
    assert {"liver", "polyp", "spleen"} <= lexicon.taught
    assert Lexicon(["liver"]).extended(["spleen"]).targets is None


def test_words_around_nouns_and_of_images_name_no_target():
    naming = Lexicon(["please outline the bright liver in a CT scan for me", "us"]).naming
    assert naming == {"liver"}


@pytest.mark.parametrize(
    ("target", "modality", "findings"),
    [
        ("hepatic vessels", "ct", {"vessel", "vessels", "vasculature"}),
        ("common carotid artery", "us", {"vessel"}),
        ("liver", "ct", set()),
        ("polyp", "endoscopy", {"polyp", "polyps"}),
    ],
)
def test_the_findings_of_a_target_are_those_of_all_its_english_names(target, modality, findings):
    assert Lexicon((), {modality: {target: []}}).known[0].findings == findings
