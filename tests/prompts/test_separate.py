"""One string to prompts: pieces between ";", and pieces that name several structures."""

import pytest

from monai_ext.errors import InputError
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES
from monai_ext.prompts.prompt import Prompt, as_prompts
from monai_ext.prompts.separate import plain_text, separate, separation_notes, split_prompts

LIBRARY = PromptLibrary.load()


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("liver; spleen ;; the  aorta", ["liver", "spleen", "the aorta"]),
        ("", []),
        (" ; ", []),
        ("liver and spleen", ["liver", "spleen"]),
        ("lungs or heart", ["lungs", "heart"]),
        ("liver/spleen", ["liver", "spleen"]),
        ("liver + spleen", ["liver", "spleen"]),
        ("liver & kidneys", ["liver", "kidneys"]),
        ("liver as well as spleen", ["liver", "spleen"]),
        ("Leber und Milz", ["Leber", "Milz"]),
        ("both lungs and the heart", ["both lungs", "the heart"]),
        (
            "the liver, the spleen and the pancreas in CT",
            ["the liver in CT", "the spleen in CT", "the pancreas in CT"],
        ),
        (
            "segment the liver and the spleen, please",
            ["segment the liver, please", "segment the spleen, please"],
        ),
        ("tumour of the liver and spleen", ["tumour of the liver", "tumour of spleen"]),
        ("no liver and spleen", ["no liver", "no spleen"]),
        ("left lung and heart; aorta", ["left lung", "heart", "aorta"]),
        ("left and right lung and heart", ["left and right lung", "heart"]),
        ("left kidney and right kidney", ["left kidney", "right kidney"]),
        ("left and right femur", ["left femur", "right femur"]),
        ("femurs", ["left femur", "right femur"]),
        ("femora, please", ["left femur, please", "right femur, please"]),
        ("adrenal gland", ["left adrenal gland", "right adrenal gland"]),
        ("left and right atrium on MRI", ["left atrium on MRI", "right atrium on MRI"]),
        ("right or left ventricle", ["right ventricle", "left ventricle"]),
        ("optic disc and cup", ["optic disc", "cup"]),
    ],
)
def test_several_structures_are_asked_one_by_one(text, prompts):
    assert split_prompts(text) == prompts


@pytest.mark.parametrize(
    "text",
    [
        "left and right lung", "left femur", "jejunum and ileum", "portal and splenic vein", "IVC and hepatic veins",
        "wall and lumen of the stomach", "find and outline the liver", "heart between the lungs", "dog and liver",
        "left and right ventricle with the myocardium", "femur", "femur in a knee X-ray", "thigh bone", "left femurs",
        "lung window, both lungs", "cup and rim of the disc", "kidneys, ureters and bladder", "polyp in the colon", "teapot", "liver and tumour",
    ],
)  # fmt: skip
def test_what_is_one_structure_or_not_all_known_stays_whole(text):
    assert separate(text) == (text,)


def test_no_sentence_of_the_library_is_taken_apart():
    pairs = [(target, modality) for modality in MODALITIES for target in LIBRARY.targets(modality)]
    texts = [text for pair in pairs for text in (*LIBRARY.every_training(*pair), *LIBRARY.heldout(*pair))]
    allowed = {"left and right femur"}
    assert [text for text in texts if len(separate(text)) > 1 and text not in allowed] == []


def test_a_note_says_what_was_taken_apart():
    note = "'liver and spleen' names 2 structures; each was asked for by itself"
    assert separation_notes("aorta; liver and spleen") == {"liver": note, "spleen": note}


@pytest.mark.parametrize("text", [";".join(["liver"] * 256), ";".join(["x"] * 5000)])
def test_more_than_255_prompts_are_refused_with_the_limit(text):
    with pytest.raises(
        InputError, match=r"^(256|5000) prompts: one run takes 255 at most; ask in several runs\.$"
    ):
        split_prompts(text)


def test_255_prompts_are_taken():
    assert len(split_prompts(";".join(["liver"] * 255))) == 255


def test_prompts_of_a_string_are_taken_apart_and_those_of_a_list_are_not():
    assert as_prompts("liver and spleen") == [Prompt(("liver",)), Prompt(("spleen",))]
    assert as_prompts(["liver and spleen"]) == [Prompt(("liver and spleen",))]


def test_one_structure_stays_as_it_was_written():
    assert separate("the  liver ") == ("the  liver ",)


@pytest.mark.parametrize("text", ["$import os", "@network", "%loaded"])
def test_a_text_that_a_configuration_would_run_or_look_up_is_refused(text):
    with pytest.raises(InputError, match="which configurations reserve"):
        plain_text(text)
    assert plain_text(f" {text}") == f" {text}"
