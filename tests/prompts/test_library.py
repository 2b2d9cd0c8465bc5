"""The prompt library: true, complete, and held-out sentences really held out."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from monai_ext.errors import InputError
from monai_ext.prompts.library import PromptLibrary, names_side
from monai_ext.prompts.modalities import MODALITIES, modality_key
from monai_ext.prompts.separate import split_prompts
from monai_ext.resources import resource_path

SHARED = Path(__file__).resolve().parents[3] / "shared"
SETS = sorted(SHARED.glob("data*/*/dataset.json"))
# fmt: off
REGIONS = {
    "abdomen", "blood", "bowel", "breast", "cells", "chest", "eye", "fetus", "foot", "head", "heart", "jaw", "knee",
    "larynx", "neck", "oesophagus", "pelvis", "skin", "spine", "stomach",
}
# fmt: on
OTHER_FIRST_PROMPTS = {"glioma in a brain MRI", "brain tumour in MRI", "polyp in an endoscopy image"}
"""First prompts of a label that are true, but not the canonical sentence of its target."""
WITHOUT_PROMPTS = {
    "necrosis",
    "non-enhancing tumour",
    "enhancing tumour ring",
    "necrotic or non-enhancing core",
    "kidney",
    "other laryngeal tissue",
}
"""Labels that are asked for only as parts of a union, or not at all."""
RAW = json.loads(resource_path("prompts/targets.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def library():
    return PromptLibrary.load()


def sentences(entry, *splits):
    """All sentences of an entry's splits, facts included."""
    lists = [entry, *entry.get("facts", {}).values()]
    return [text for one in lists for split in splits for text in one[split]]


def each_entry():
    return [(name, modality, entry) for name, by in RAW.items() for modality, entry in by.items()]


def test_split_prompts_strips_and_drops_empty_ones():
    assert split_prompts(" lungs ;heart;; left \n kidney; ") == ["lungs", "heart", "left kidney"]
    assert split_prompts(" ; ;") == []
    assert split_prompts("") == []


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("left lung", "left"),
        ("the Right kidney", "right"),
        ("kidney, left-sided", "left"),
        ("RT KIDNEY", "right"),
        ("left and right lung", None),
        ("the liver", None),
        ("bright lesion", None),
        ("cleft", None),
        ("LV on MRI", "left"),
        ("RV blood pool", "right"),
        ("LV and RV", None),
        ("la rate", None),
    ],
)
def test_names_side_only_when_exactly_one_side_is_a_word(text, side):
    assert names_side(text) == side


def test_every_entry_has_enough_sentences_and_a_canonical_that_trains():
    for name, modality, entry in each_entry():
        assert modality in MODALITIES
        assert len(entry["train"]) >= 16, name
        assert len(entry["heldout"]) >= 6, name
        assert entry["canonical"] in entry["train"], name
        for condition, lists in entry.get("facts", {}).items():
            assert re.fullmatch(r"\w+=.+", condition)
            assert len(lists["train"]) >= 16
            assert len(lists["heldout"]) >= 5
        assert all(wider in RAW and modality in RAW[wider] for wider in entry.get("also", ()))


def test_heldout_sentences_are_in_no_training_list_and_no_sentence_has_two_targets():
    train = {text.casefold() for _, _, entry in each_entry() for text in sentences(entry, "train")}
    for name, _, entry in each_entry():
        assert not {text.casefold() for text in sentences(entry, "heldout")} & train, name
    for modality in MODALITIES:
        owner: dict[str, str] = {}
        for name, found, entry in each_entry():
            for text in sentences(entry, "train", "heldout") if found == modality else ():
                assert text.casefold() not in owner, f"{text!r}: {owner.get(text.casefold())} and {name}"
                owner[text.casefold()] = name


def test_heldout_sentences_are_built_mostly_of_words_seen_in_training():
    def words(text):
        return re.findall(r"[a-z0-9]+", text.casefold())

    seen = {
        word for _, _, entry in each_entry() for text in sentences(entry, "train") for word in words(text)
    }
    held = [w for _, _, entry in each_entry() for text in sentences(entry, "heldout") for w in words(text)]
    assert sum(word in seen for word in held) / len(held) > 0.9


def test_sentences_of_a_sided_target_all_name_its_side():
    sided = 0
    for name, _, entry in each_entry():
        if side := names_side(name):
            assert {names_side(text) for text in sentences(entry, "train", "heldout")} == {side}, name
            sided += 1
    assert (
        sided == 14
    )  # lungs in X-ray and CT, kidneys, femora, adrenal glands in CT, ventricles and atria in MRI


def test_facts_choose_the_sentences_that_are_true(library):
    plain = library.training("breast tumour", "us")
    benign = library.training("breast tumour", "us", {"pathology": "benign", "id": "case 1"})
    assert benign[: len(plain)] == plain
    assert plain[0] == "tumour in a breast ultrasound"
    assert not any("benign" in text or "malignan" in text for text in plain)
    assert "benign breast tumour" in benign
    assert "malignant breast tumour" not in benign
    assert "malignant lump in the breast" in library.heldout(
        "breast tumour", "us", {"pathology": "malignant"}
    )
    assert library.training("breast tumour", "us", {"pathology": "normal"}) == plain


def test_a_wider_target_lends_its_sentences_but_not_its_heldout_ones(library):
    metastasis = library.training("brain metastasis with oedema", "mri")
    assert metastasis[0] == library.canonical("brain metastasis with oedema", "mri")
    assert "tumour in a brain MRI" in metastasis
    assert "glioma" in library.training("whole brain tumour", "mri", {"tumour_type": "glioma"})
    assert "glioma" not in metastasis
    wider = set(library.heldout("brain tumour", "mri"))
    assert not wider & set(library.heldout("brain metastasis with oedema", "mri"))


def test_aliases_lead_to_the_target_and_its_facts(library):
    assert library.resolve("kidney", "ct") == ("kidneys", {})
    assert library.resolve("brain tumour (glioma)", "mri") == ("brain tumour", {"tumour_type": "glioma"})
    assert library.canonical("kidney", "ct") == "kidneys in a CT scan"
    with pytest.raises(InputError, match="'kidney' in 'xray'; targets there: lungs, left lung, right lung"):
        library.resolve("kidney", "xray")


def test_nonsense_and_absent_texts_are_many_apart_and_never_a_targets_sentence(library):
    ours = {text.casefold() for _, _, entry in each_entry() for text in sentences(entry, "train", "heldout")}
    seen = set()
    for texts, least in (
        (library.nonsense("train"), 150),
        (library.nonsense("heldout"), 22),
        (library.absent("train"), 60),
        (library.absent("heldout"), 20),
    ):
        folded = {text.casefold() for text in texts}
        assert len(folded) == len(texts) >= least
        assert not folded & (seen | ours)
        assert all(text.strip() == text and text for text in texts)
        seen |= folded
    assert {"ljashdb", "sitting on a chair"} <= set(library.nonsense("heldout"))


def test_a_missing_or_broken_library_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="targets.json is missing"):
        PromptLibrary.load(tmp_path)
    (tmp_path / "targets.json").write_text("{\n oops")
    with pytest.raises(InputError, match="targets.json, line 2: not JSON"):
        PromptLibrary.load(tmp_path)
    with pytest.raises(InputError, match="data/prompts/none.json is not in this installation"):
        resource_path("prompts/none.json")


def test_the_library_needs_neither_torch_nor_monai():
    code = "import sys; from monai_ext.prompts.library import PromptLibrary; PromptLibrary.load()"
    code += "; print({'torch', 'monai'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "set()"


@pytest.mark.skipif(not SETS, reason="../shared/data and ../shared/data_more are not here")
def test_every_prompt_of_the_shared_datasets_is_known(library):
    checked = 0
    for file in SETS:
        content = json.loads(file.read_text(encoding="utf-8"))
        modality = modality_key(content["modality"]["0"]) if "modality" in content else None
        prompted = {value: prompts for value, prompts in content.get("prompts", {}).items() if prompts}
        for value, prompts in prompted.items():
            label = prompts[0] if "+" in value else content["labels"][value]
            target, facts = library.resolve(label, modality)
            everything = set(sentences(RAW[target][modality], "train"))
            for wider in [*RAW[target][modality].get("also", ()), "FLAIR abnormality"]:
                everything |= set(sentences(RAW.get(wider, {}).get(modality, {"train": []}), "train"))
            assert set(prompts) <= everything, (file.parent.name, label)
            assert prompts[0] == library.canonical(label, modality) or prompts[0] in OTHER_FIRST_PROMPTS
            assert len(library.training(target, modality, facts)) >= 16
            assert len(library.heldout(target, modality, facts)) >= 5
            checked += 1
        labels = {name for value, name in content.get("labels", {}).items() if value not in prompted}
        assert labels - {"background"} <= WITHOUT_PROMPTS, file.parent.name
    assert checked > 30


def test_every_entry_states_the_regions_of_the_body_that_its_images_show(library):
    for name, modality, entry in each_entry():
        regions = library.regions(name, modality)
        assert regions and len(set(regions)) == len(regions), (name, modality)
        assert set(regions) <= REGIONS, (name, modality)
        for wider in entry.get("also", ()):  # else it would be called absent from images of this target
            assert set(regions) <= set(library.regions(wider, modality)), (name, wider)


def test_the_data_files_of_the_package_hold_only_what_the_library_describes(library):
    keys = {"canonical", "train", "heldout", "facts", "aliases", "also", "regions"}
    assert [(name, modality) for name, modality, entry in each_entry() if set(entry) - keys] == []


def test_the_sentences_of_wider_targets_can_be_left_out():
    library = PromptLibrary.load()
    narrow = library.training("brain metastasis with oedema", "mri", wider=False)
    assert "tumour in a brain MRI" not in narrow
    assert "tumour in a brain MRI" in library.training("brain metastasis with oedema", "mri")
