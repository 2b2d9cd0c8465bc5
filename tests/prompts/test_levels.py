"""The sentences of the MedCLIP-SAM levels: as many as the level says, distinct, short, and true to their side."""

import json

import pytest

from monai_ext.errors import InputError
from monai_ext.prompts.levels import LEVELS, PromptLevels, is_oracle, prompt_at_level, sentence_count
from monai_ext.prompts.library import PromptLibrary, names_side
from monai_ext.prompts.modalities import MODALITIES
from monai_ext.resources import resource_path

RAW = {m: json.loads(resource_path(f"prompts/medclipsam/{m}.json").read_text("utf-8")) for m in MODALITIES}
TASKS = {("breast tumour", "us"), ("brain tumour", "mri"), ("lungs", "xray"), ("lungs", "ct")}


@pytest.fixture(scope="module")
def levels():
    return PromptLevels.load()


def each_list():
    """Target, modality, subtype ("" if generic) and what is written of it."""
    for modality, targets in RAW.items():
        for target, entry in targets.items():
            yield target, modality, "", entry
            for key, one in entry.get("subtypes", {}).items():
                yield target, modality, key.split("=", 1)[1], one


def test_levels_are_pairs_of_generic_and_subtype():
    assert [sentence_count(level) for level in LEVELS] == [0, 0, 1, 1, 5, 5, 20, 20, 50, 50]
    assert [is_oracle(level) for level in LEVELS] == [False, True] * 5


def test_every_target_of_the_library_has_five_sentences_and_the_four_tasks_have_fifty():
    library = PromptLibrary.load()
    for modality in MODALITIES:
        assert set(RAW[modality]) == set(library.targets(modality)), modality
    for target, modality, subtype, entry in each_list():
        wanted = 50 if (target, modality) in TASKS else 5
        assert len(entry["sentences"]) == wanted, (target, modality, subtype)


def test_no_sentence_stands_twice():
    owner = {}
    for target, modality, subtype, entry in each_list():
        for text in [*entry["sentences"], f"{entry['class']} in {modality}"]:
            assert text.casefold() not in owner, (text, owner[text.casefold()], target, subtype)
            owner[text.casefold()] = (target, modality, subtype)


def test_sentences_fit_into_clip_and_name_the_side_of_their_target():
    from open_clip.tokenizer import SimpleTokenizer

    encode = SimpleTokenizer().encode
    for target, _, _, entry in each_list():
        for text in entry["sentences"]:
            assert len(encode(text)) + 2 <= 77, text
            assert 6 <= len(text.split()) < 40, text
            assert text[0].isupper() and text.endswith(".") and text == " ".join(text.split()), text
            assert names_side(text) == names_side(target), text


def test_sentences_of_the_levels_are_no_training_sentences():
    """They are asked for in evaluations of networks that were trained on the library's sentences."""
    library = PromptLibrary.load()
    trained = {
        text.casefold()
        for m in MODALITIES
        for target in library.targets(m)
        for text in library.training(target, m)
    }
    assert not {text.casefold() for *_, entry in each_list() for text in entry["sentences"]} & trained


@pytest.mark.parametrize(("level", "count"), list(zip(LEVELS, (1, 1, 1, 1, 5, 5, 20, 20, 50, 50))))
def test_a_level_has_its_number_of_texts_and_odd_ones_are_oracles(levels, level, count):
    for target, modality, subtype, _ in each_list():
        if (target, modality) in TASKS and bool(subtype) == is_oracle(level):
            words = levels.words(target, modality, level, subtype)
            assert len(words.texts) == count
            assert words.oracle == is_oracle(level)
            assert words.subtype == subtype


def test_words_are_those_of_the_target_and_larger_ensembles_begin_with_the_smaller(levels):
    def texts(number, subtype=None):
        return levels.words("breast tumour", "us", f"medclipsam_p{number}", subtype).texts

    assert texts(0) == ("breast tumour",)
    assert texts(1, "malignant") == ("malignant breast tumour",)
    for smaller, larger in ((2, 4), (4, 6), (6, 8)):
        assert texts(larger)[: len(texts(smaller))] == texts(smaller)
        assert texts(larger + 1, "benign")[: len(texts(smaller))] == texts(smaller + 1, "benign")
    assert texts(2) == texts(2, "malignant")  # generic levels ask for no subtype


def test_what_encoders_may_learn_is_in_no_level_up_to_p7(levels):
    learnt = levels.training()
    assert set(learnt) == {target for target, _ in TASKS}
    asked = {
        text
        for target, modality, subtype, _ in each_list()
        if (target, modality) in TASKS
        for text in levels.words(
            target, modality, "medclipsam_p7" if subtype else "medclipsam_p6", subtype
        ).texts
    }
    for modalities in learnt.values():
        for lists in modalities.values():
            each = [lists["train"], *(fact["train"] for fact in lists["facts"].values())]
            assert {len(texts) for texts in each} == {30}
            assert not {text for texts in each for text in texts} & asked


def test_a_library_extended_by_them_has_their_true_sentences(levels):
    library = PromptLibrary.load()
    further = library.extended(levels.training())
    learnt = levels.training()["breast tumour"]["us"]
    assert further.training("breast tumour", "us") == [
        *library.training("breast tumour", "us"),
        *learnt["train"],
    ]
    benign = further.training("breast tumour", "us", {"pathology": "benign"})
    assert set(learnt["facts"]["pathology=benign"]["train"]) < set(benign)
    assert not set(learnt["facts"]["pathology=malignant"]["train"]) & set(benign)
    assert further.training("polyp", "endoscopy") == library.training("polyp", "endoscopy")
    assert library.training("breast tumour", "us") == PromptLibrary.load().training("breast tumour", "us")


def test_the_facts_of_an_item_choose_the_subtype(levels):
    assert levels.subtype("breast tumour", "us", {"pathology": "benign", "id": "x"}) == "benign"
    assert levels.subtype("breast tumour", "us", {"pathology": "normal"}) == ""
    assert levels.subtype("brain tumour", "mri", {"tumour_type": "pituitary tumour"}) == "pituitary tumour"
    assert levels.subtype("lungs", "xray", {"finding": "tuberculosis"}) == "tuberculosis"
    assert levels.subtype("lungs", "ct", {"finding": "tuberculosis"}) == ""
    assert levels.subtypes("lungs", "ct") == []


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (("breast tumour", "us", "medclipsam_p3"), "names the true subtype.*known are benign, malignant"),
        (
            ("breast tumour", "us", "medclipsam_p3", "normal"),
            "'normal' was given.*medclipsam_p2 needs no subtype",
        ),
        (("lungs", "ct", "medclipsam_p1", "fibrosis"), "it has none.*medclipsam_p0 needs"),
        (("polyp", "endoscopy", "medclipsam_p6"), "averages 20 sentences; 'polyp' in 'endoscopy' has 5"),
        (
            ("prostate", "mri", "medclipsam_p0"),
            "no prompt levels for 'prostate' in 'mri'; targets there: brain",
        ),
        (
            ("polyp", "endoscopy", "vlsm_p3"),
            "'vlsm_p3' is unknown; choose from medclipsam_p0 to medclipsam_p9",
        ),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(levels, asked, reason):
    with pytest.raises(InputError, match=reason):
        levels.words(*asked)


def test_a_target_of_two_modalities_needs_one_named(levels):
    assert levels.modality("polyp") == "endoscopy"
    with pytest.raises(InputError, match="'lungs' are in xray and ct: name the modality"):
        levels.modality("lungs")
    with pytest.raises(InputError, match="'prostate' are nowhere"):
        levels.modality("prostate")


def test_a_folder_without_levels_or_with_damage_is_refused(tmp_path):
    with pytest.raises(InputError, match="no prompt levels in the folder"):
        PromptLevels.load(tmp_path)
    (tmp_path / "us.json").write_text("{")
    with pytest.raises(InputError, match=r"us.json, line 1: not JSON"):
        PromptLevels.load(tmp_path)


def test_an_ensemble_is_one_prompt_of_its_target():
    prompt = prompt_at_level("breast tumour", "medclipsam_p4", modality="us")
    assert (len(prompt.texts), prompt.target, prompt.oracle) == (5, "breast tumour", False)


def test_the_true_subtype_makes_an_oracle():
    prompt = prompt_at_level("brain tumour", "medclipsam_p1", subtype="glioma")
    assert (prompt.texts, prompt.name, prompt.oracle) == (("glioma brain tumour",), "brain tumour", True)
    with pytest.raises(InputError, match="known are glioma, meningioma, pituitary tumour"):
        prompt_at_level("brain tumour", "medclipsam_p9")


def test_the_modality_is_needed_where_several_show_the_target():
    ct, xray = (prompt_at_level("lungs", "medclipsam_p8", modality=m) for m in ("ct", "xray"))
    assert len(ct.texts) == len(xray.texts) == 50 and not set(ct.texts) & set(xray.texts)
    with pytest.raises(InputError, match="name the modality"):
        prompt_at_level("lungs", "medclipsam_p8")
