from __future__ import annotations

import json

import pytest
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.codedict import codes

from monai_ext.io.coded_terms import LONGEST, PRIVATE, TABLE, long_string, term_of
from monai_ext.resources import resource_path

TERMS = json.loads(resource_path(TABLE).read_text(encoding="utf-8"))
ENTRIES = TERMS["structures"] + TERMS["abnormalities"]


def test_every_code_has_the_meaning_that_dicom_gives_it() -> None:
    meanings: dict[str, set[str]] = {}
    for by_code in concepts["SCT"].values():
        for code, (meaning, _) in by_code.items():
            meanings.setdefault(code, set()).add(meaning)
    coded = [*TERMS["categories"].values(), *TERMS["sides"].values(), *ENTRIES]
    coded += [entry["region"] for entry in ENTRIES if "region" in entry]
    assert len(coded) > 90
    for one in coded:
        assert one["meaning"] in meanings[one["code"]], one


def test_categories_and_sides_are_those_of_their_context_groups() -> None:
    for name, side in (
        ("left", codes.CID244.Left),
        ("right", codes.CID244.Right),
        ("both", codes.CID244.Bilateral),
    ):
        assert TERMS["sides"][name]["code"] == side.value
    groups = (codes.CID7150.AnatomicalStructure, codes.CID7150.MorphologicallyAbnormalStructure)
    assert [one["code"] for one in TERMS["categories"].values()] == [group.value for group in groups]


def test_names_become_unique() -> None:
    names = [name for entry in ENTRIES for name in (*entry["names"], *entry.get("pair", ()))]
    assert len(names) == len(set(names))
    assert all(name == name.casefold() for name in names)


@pytest.mark.parametrize(
    ("prompt", "kind", "side", "region"),
    [
        ("liver", "Liver", None, None),
        ("The Liver in a CT scan", "Liver", None, None),
        ("left kidney", "Kidney", "Left", None),
        ("kidney, right side", "Kidney", "Right", None),
        ("the patient's left lung", "Lung", "Left", None),
        ("kidneys", "Kidney", "Bilateral", None),
        ("both lungs", "Lung", "Bilateral", None),
        ("left and right lung", "Lung", "Bilateral", None),
        ("lung", "Lung", None, None),
        ("left atrium on echocardiography", "Left atrium", None, None),
        ("tumour in a breast ultrasound", "Neoplasm", None, None),
        ("tumor in the left breast", "Neoplasm", "Left", None),
        ("brain metastasis in a T2 MRI", "Neoplasm, Secondary", None, "Brain"),
        ("lung nodule in a chest X-ray", "Nodule", None, "Lung"),
        ("both collarbones", "Clavicle", "Bilateral", None),
        ("thigh bone, left", "Femur", "Left", None),
        ("common carotid artery in an ultrasound", "Common carotid artery", None, None),
        ("optic disc in a fundus photograph", "Optic nerve head", None, None),
        ("vessels of the retina", "Blood Vessel", None, "Retina"),
        ("hepatic vessels in a CT scan", "Blood Vessel", None, "Liver"),
        ("cell nuclei in a microscopy image", "Nucleus", None, None),
        ("tumour of the larynx", "Neoplasm", None, "Larynx"),
        ("diabetic foot ulcer", "Ulcer", None, "Foot"),
        ("subarachnoid haemorrhage", "Hemorrhage", None, "Cranial Subarachnoid Space"),
        ("epidural haematoma", "Hematoma", None, "Intracranial"),
        ("kidney stone in a CT scan", "Renal stone", None, None),
        ("spinal canal in a spine MRI", "Vertebral canal", None, None),
        ("prostate tumour in an MRI", "Neoplasm", None, "Prostate"),
    ],
)
def test_known_words_get_a_code(prompt: str, kind: str, side: str | None, region: str | None) -> None:
    term = term_of(prompt)
    assert (term.kind[1:], term.category[1]) == (("SCT", kind), "SCT")
    assert (term.side and term.side[2], term.region and term.region[2]) == (side, region)


@pytest.mark.parametrize(
    "prompt",
    [
        "liver and spleen",
        "no tumour",
        "area around the liver",
        "heart and left lung",
        "whole brain tumour",
        "",
        "肺",
    ],
)
def test_other_words_stay_words(prompt: str) -> None:
    term = term_of(prompt)
    assert (term.category[1], term.kind[1], term.kind[2]) == (PRIVATE, PRIVATE, prompt or "prompt")
    assert len(term.kind[0]) == 16
    assert term.kind[0] != term_of(prompt + "x").kind[0]


def test_words_that_stay_words_keep_their_side() -> None:
    term = term_of("left optic cup")
    assert (term.kind[2], term.side and term.side[2]) == ("left optic cup", "Left")


@pytest.mark.parametrize(
    ("text", "short"),
    [("a\\b\nc\x00d", "a b c d"), ("x" * 99, "x" * LONGEST), ("  \n ", "prompt"), ("🫁 肺", "🫁 肺")],
)
def test_a_long_string_is_one_that_dicom_takes(text: str, short: str) -> None:
    assert long_string(text) == short
