"""A sentence is read as a whole before a network is asked: what is answered, what is refused, and with which words."""

from random import Random

import pytest

from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.prompt import Prompt
from monai_ext.prompts.reading import Reading, read, read_prompt
from monai_ext.prompts.separate import separate
from monai_ext.prompts.vocabulary import vocabulary
from tests.prompts import phrases
from tests.prompts.taught import LEXICON, TARGETS

LIBRARY = PromptLibrary.load()
PAIRS = [(target, modality) for modality, targets in TARGETS.items() for target in targets]


def test_the_table_is_long_enough():
    lists = [value for name, value in vars(phrases).items() if name.isupper()]
    assert sum(map(len, lists)) >= 250


@pytest.mark.parametrize("text", phrases.NEGATED)
def test_a_negation_is_refused(text):
    assert read(text, LEXICON).refusal.startswith("says what is not wanted ('")


@pytest.mark.parametrize(("text", "word"), phrases.UNKNOWN.items())
def test_a_word_that_is_not_known_is_named(text, word):
    assert read(text, LEXICON).refusal.startswith(f"names '{word}', which these weights do not know")


@pytest.mark.parametrize("text", phrases.NOTHING)
def test_a_text_without_a_taught_word_names_nothing(text):
    assert read(text, LEXICON).refusal.startswith("names nothing that these weights know")


@pytest.mark.parametrize("text", phrases.PARTS)
def test_a_part_is_not_answered_by_the_whole(text):
    refusal = read(text, LEXICON).refusal
    assert refusal.startswith(("names a part or one of several ('", "names a side ('"))


@pytest.mark.parametrize("text", phrases.FINDINGS)
def test_a_finding_is_not_answered_by_the_organ_that_it_is_in(text):
    assert " in what these weights know as a whole only: '" in read(text, LEXICON).refusal


@pytest.mark.parametrize("text", phrases.NO_SINGLE_TARGET)
def test_words_of_different_targets_name_none(text):
    assert read(text, LEXICON).refusal.startswith("names no single structure")


@pytest.mark.parametrize("text", phrases.SURROUNDINGS)
def test_what_only_surrounds_targets_is_none(text):
    assert "which these weights know as the surroundings of others only" in read(text, LEXICON).refusal


@pytest.mark.parametrize("text", phrases.PLACES)
def test_a_place_in_the_image_is_refused(text):
    assert read(text, LEXICON).refusal.startswith("names a place in the image ('")


@pytest.mark.parametrize(("text", "modality"), phrases.ELSEWHERE.items())
def test_what_was_taught_in_other_images_is_not_known_in_these(text, modality):
    assert read(text, LEXICON).refusal.startswith(f"is not known in {modality}: these weights know it in ")


@pytest.mark.parametrize("text", phrases.AS_WRITTEN)
def test_the_network_is_asked_as_written(text):
    reading = read(text, LEXICON)
    assert (reading.refusal, reading.text, reading.notes) == ("", text, ())


@pytest.mark.parametrize(("text", "asked"), phrases.INSTEAD.items())
def test_the_network_is_asked_in_words_that_it_was_taught(text, asked):
    reading = read(text, LEXICON)
    assert (reading.refusal, reading.text) == ("", asked)


def test_every_sentence_of_training_is_asked_as_written():
    texts = [text for pair in PAIRS for text in LIBRARY.every_training(*pair)]
    assert len(texts) > 1500
    assert [
        text for text in texts if read(text, LEXICON) != Reading(text, "", (), read(text, LEXICON).modalities)
    ] == []


def test_paraphrases_kept_out_of_training_are_understood():
    texts = [text for pair in PAIRS for text in LIBRARY.heldout(*pair)]
    assert len(texts) > 200
    assert [text for text in texts if read(text, LEXICON).refusal] == []


@pytest.mark.parametrize("text", LIBRARY.nonsense("heldout"))
def test_nonsense_kept_out_of_training_is_refused(text):
    assert read(text, LEXICON).refusal != ""


def test_nearly_all_structures_that_no_image_shows_are_refused():
    texts = LIBRARY.absent("heldout")
    assert [text for text in texts if not read(text, LEXICON).refusal] == []


def test_a_known_word_in_another_kind_of_image_says_what_is_known_there():
    reading = read("heart", LEXICON, "xray")
    assert reading.refusal == (
        "is not known in X-ray: these weights know it in CT; in X-ray they know lungs, left lung, right lung"
    )
    assert read("heart", LEXICON, "ct").refusal == "" == read("heart", LEXICON).refusal
    assert read("heart", LEXICON).modalities == ("ct",)
    assert read("lungs", LEXICON).modalities == ("xray", "ct")


def test_the_image_goes_before_the_text_in_saying_its_modality():
    assert read("heart in a CT scan", LEXICON, "xray").refusal.startswith("is not known in X-ray")


def test_a_sentence_taught_in_one_kind_of_image_stands_for_its_target_in_others_too():
    assert set(read("left pulmonary parenchyma", LEXICON).modalities) == {"xray", "ct"}


def test_us_is_no_ultrasound():
    assert read("show us the liver", LEXICON).refusal == ""
    assert read("liver in ultrasound", LEXICON).refusal.startswith("is not known in ultrasound")


def test_a_side_of_the_image_is_the_other_side_of_the_patient_and_the_note_says_so():
    assert read("lung on the left side of the image", LEXICON).notes == (
        "'on the left side of the image' is a side of the image, which shows the patient's right there: "
        "'right lung' was asked for",
    )


def test_sides_that_contradict_each_other_are_refused():
    refusal = read("left lung on the left side of the image", LEXICON).refusal
    assert refusal.startswith(
        "names two sides that contradict each other ('left … on the left side of the image')"
    )


def test_an_abbreviated_side_is_said():
    assert read("R kidney", LEXICON).notes == ("'R' was read as the patient's right",)


def test_another_language_is_said():
    assert read("die linke Niere", LEXICON).notes == ("'left kidney' was asked for",)


@pytest.mark.parametrize(
    ("text", "names"),
    [("lungs and heart", "lungs, heart"), ("liver, spleen and colon", "liver, spleen, colon")],
)
def test_several_structures_in_one_prompt_are_refused_with_the_way_out(text, names):
    assert read(text, LEXICON).refusal == (
        f"names several structures ({names}); ask for each by itself, separated by ;"
    )


def test_a_refused_part_names_what_is_known():
    assert read("apex of the lung", LEXICON).refusal == (
        "names a part or one of several ('apex'); these weights know 'lungs' as a whole"
    )
    assert read("femur", LEXICON).refusal == (
        "names 'femur', which these weights do not know; they know 'left femur'"
    )


def test_a_text_that_names_nothing_brings_a_suggestion():
    assert read("polip", LEXICON).refusal == "names nothing that these weights know; did you mean 'polyp'?"


class TestOpenVocabulary:
    """A network of which it is not recorded what it was taught takes every word, but no negation."""

    @pytest.mark.parametrize(
        "text", ["ljashdb", "prostate", "left upper lobe", "lung nodule", "", "PAS stained nuclei"]
    )
    def test_words_and_parts_are_taken(self, text):
        assert read(text, Lexicon()) == Reading(text)

    @pytest.mark.parametrize("text", ["no prostate", "uterus without fibroid", "keine Leber"])
    def test_negations_are_refused(self, text):
        assert read(text, Lexicon()).refusal.startswith("says what is not wanted")

    @pytest.mark.parametrize(
        ("text", "asked"), [("Leber", "liver"), ("lt lung", "left lung"), ("linke Niere", "left kidney")]
    )
    def test_languages_and_sides_are_put_into_english(self, text, asked):
        assert read(text, Lexicon()).text == asked


class TestOwnTargets:
    """Of a data set that the prompt library knows nothing of."""

    OWN = Lexicon(
        (), {"mri": {"uterus": ["uterus in a pelvic MRI scan", "womb without the cervix"], "liver": []}}
    )

    @pytest.mark.parametrize(
        "text", ["uterus", "show me the uterus", "womb without the cervix", "liver", "Leber"]
    )
    def test_they_are_asked_for(self, text):
        assert read(text, self.OWN).refusal == ""

    @pytest.mark.parametrize(
        "text", ["lungs", "no uterus", "apex of the uterus", "uterus of a cow", "left uterus"]
    )
    def test_others_are_refused(self, text):
        assert read(text, self.OWN).refusal != ""

    def test_what_else_only_surrounds_targets_may_be_one_of_its_own(self):
        assert read("prostates", Lexicon((), {"mri": {"prostate": []}})).refusal == ""
        assert read("prostates", Lexicon((), {"mri": {"prostate tumour": []}})).refusal != ""

    def test_words_alone_may_name_a_target_of_their_own(self):
        own = Lexicon(["uterus in a pelvic MRI scan"])
        assert read("show me the uterus", own).refusal == ""
        assert read("liver", own).refusal != ""


class TestPrompt:
    def test_an_ensemble_is_refused_if_all_its_texts_are(self):
        prompt, reading = read_prompt(Prompt(("teapot", "Leber")), LEXICON)
        assert (prompt.texts, reading.refusal, reading.text) == (("teapot", "liver"), "", "liver")
        assert read_prompt(Prompt(("teapot", "no liver")), LEXICON)[1].refusal.startswith("names nothing")

    def test_words_that_are_asked_verbatim_are_not_read(self):
        prompt = Prompt(("no liver", "no spleen"), verbatim=True)
        assert read_prompt(prompt, LEXICON) == (prompt, Reading("no liver"))

    def test_target_and_oracle_stay(self):
        prompt, _ = read_prompt(Prompt(("Leber",), "liver", True), LEXICON)
        assert prompt == Prompt(("liver",), "liver", True)


@pytest.mark.parametrize("lexicon", [LEXICON, Lexicon(), Lexicon(["uterus in a pelvic MRI"])])
def test_no_sequence_of_words_breaks_the_reading(lexicon):
    speech, random = vocabulary(), Random(0)
    names = [" ".join(name) for name in speech.names]
    words = [" ".join(phrase) for phrases in speech.groups.values() for phrase in phrases]
    others = [
        "on the left side of the image",
        "viewer's left",
        "in a chest X-ray",
        "dog",
        ",",
        "/",
        "(L)",
        "no",
        "l'",
        "4",
    ]
    for _ in range(1000):
        text = " ".join(
            random.choice(random.choice([names, words, others])) for _ in range(random.randint(1, 6))
        )
        assert isinstance(read(text, lexicon), Reading), text
        assert separate(text), text
