"""Which prompts an evaluation asks of an image."""

import json

import pytest

from monai_ext.data.absence import NOT_MEDICAL, OTHER_BOTH
from monai_ext.data.absent_prompts import NEGATED, NEGATIONS, NO_TARGET, NONSENSE
from monai_ext.data.evaluation import evaluation_items
from monai_ext.data.wording import split_texts
from monai_ext.errors import InputError
from monai_ext.prompts.levels import PromptLevels
from monai_ext.prompts.library import PromptLibrary

LIBRARY = PromptLibrary(
    targets={
        "lungs": {
            "xray": {
                "canonical": "lungs in an X-ray",
                "train": ["lung"],
                "heldout": ["airy part", "both"],
                "regions": ["chest"],
            }
        },
        "liver": {
            "ct": {
                "canonical": "liver in CT",
                "train": ["liver"],
                "heldout": ["hepatic organ"],
                "regions": ["abdomen"],
            }
        },
        "polyp": {
            "endoscopy": {
                "canonical": "polyp",
                "train": ["polyp"],
                "heldout": ["mucosal growth"],
                "regions": ["bowel"],
            }
        },
        "brain tumour": {
            "mri": {
                "canonical": "tumour in a brain MRI",
                "train": ["tumour"],
                "heldout": ["brain mass"],
                "regions": ["head"],
                "aliases": {"brain tumour (glioma)": {"tumour_type": "glioma"}},
            }
        },
    },
    nonsense={"train": ["asdf"], "heldout": ["ljashdb", "sitting on a chair"]},
    absent={"train": ["wrist"], "heldout": ["prostate", "optic disc"]},
)


@pytest.fixture
def sets(tmp_path):
    def write(name, modality, labels, ids=("a", "b", "c"), prompts=None):
        folder = tmp_path / name
        folder.mkdir()
        entries = [{"id": i, "image": f"{i}.png", "label": f"{i}_mask.png"} for i in ids]
        table = {"modality": modality, "labels": labels, "validation": entries, "images": ["a.png"]}
        if prompts:
            table["prompts"] = prompts
        (folder / "dataset.json").write_text(json.dumps(table))
        for i in ids:
            (folder / f"{i}.png").touch()
            (folder / f"{i}_mask.png").touch()
        return folder

    return write


def test_an_item_has_prompts_of_its_targets_and_absent_prompts(sets):
    folder = sets("chest", "X-ray", {"0": "background", "1": "lungs"})
    item = evaluation_items(folder, "validation", LIBRARY)[0]
    assert item["prompt"][0] == "lungs in an X-ray"
    assert item["prompt"][1] in ("liver in CT", "polyp", "tumour in a brain MRI")
    assert item["prompt"][2] in ("prostate", "optic disc")
    assert item["target"] == ["lungs", "", ""]
    assert item["values"] == ["1", "", ""]
    assert {k: item[k] for k in ("case", "group", "set", "modality", "table")} == {
        "case": "a",
        "group": "a",
        "set": "chest",
        "modality": "xray",
        "table": "0+1",
    }
    assert item["image"] == str(folder / "a.png") and item["label"] == str(folder / "a_mask.png")


def test_the_choice_of_absent_prompts_depends_on_case_and_seed_only(sets):
    folder = sets("chest", "X-ray", {"1": "lungs"}, ids=[f"c{n:02d}" for n in range(20)])
    first = evaluation_items(folder, "validation", LIBRARY)
    assert first == evaluation_items(folder, "validation", LIBRARY)
    assert first != evaluation_items(folder, "validation", LIBRARY, seed=1)
    assert len({tuple(item["prompt"]) for item in first}) == 6


def test_labels_are_called_as_the_library_calls_them(sets):
    folder = sets("brain", "MRI", {"1": "brain tumour (glioma)"})
    item = evaluation_items(folder, "validation", LIBRARY, absent=0)[0]
    assert (item["prompt"], item["target"]) == (["tumour in a brain MRI"], ["brain tumour"])


def test_the_prompt_of_a_target_that_the_library_does_not_have_is_its_own(sets):
    labels = {"0": "background", "1": "wall", "2": "cavity"}
    folder = sets("heart", "MRI", labels, prompts={"1+2": ["left ventricle", "LV"], "2": ["LV cavity"]})
    item = evaluation_items(folder, "validation", LIBRARY, absent=0)[0]
    assert item["prompt"] == ["left ventricle", "LV cavity"]
    assert item["target"] == ["left ventricle", "cavity"]
    assert item["values"] == ["1+2", "2"]
    with pytest.raises(
        InputError, match="heart: no sentences for target 'left ventricle'.*Only canonical and"
    ):
        evaluation_items(folder, "validation", LIBRARY, wording="medclipsam_p1")


def test_a_target_that_the_library_does_not_have_is_asked_for_in_words_that_its_set_does_not_use(sets):
    own = ["fistula", "where is the fistula?"]
    folder = sets("bowel", "MRI", {"1": "fistula"}, prompts={"1": own})
    item = evaluation_items(folder, "validation", LIBRARY, absent=0, wording="heldout")[0]
    assert item["prompt"] == ["fistula visible in an MRI", "an MRI with fistula"]
    assert item["target"] == ["fistula", "fistula"]


def test_other_languages_have_a_name_each_and_what_is_absent_is_asked_for_in_english(sets):
    folder = sets("abdomen", "CT", {"1": "liver"}, ids=["a"])
    (item,) = evaluation_items(folder, "validation", LIBRARY, wording="languages", absent=1)
    assert item["prompt"][:-1] == ["Leber", "hígado", "foie", "fegato", "hepar", "fígado"]
    assert item["target"] == ["liver"] * 6 + [""]


def test_a_target_without_names_in_other_languages_is_not_asked_for_in_them(sets):
    folder = sets("chest", "X-ray", {"1": "left lung"}, ids=["a"])
    (item,) = evaluation_items(folder, "validation", PromptLibrary.load(), wording="languages", absent=1)
    assert item["target"] == [""]


def test_heldout_wording_has_every_paraphrase(sets):
    folder = sets("chest", "X-ray", {"1": "lungs"})
    item = evaluation_items(folder, "validation", LIBRARY, wording="heldout", absent=1)[0]
    assert item["prompt"][:2] == ["airy part", "both"]
    assert item["prompt"][2] in ("mucosal growth", "brain mass", "hepatic organ")
    assert item["target"] == ["lungs", "lungs", ""]


def test_absent_wording_asks_for_all_that_an_image_does_not_show(sets):
    folder = sets("chest", "X-ray", {"1": "lungs"}, ids=["a"])
    (item,) = evaluation_items(folder, "validation", LIBRARY, wording="absent")
    assert item["regions"] == "chest"
    keys = ("prompt", "target", "values", "kind", "asked_for", "asked_modality")
    told = list(zip(*(item[key] for key in keys), strict=True))
    assert told[0] == ("lungs in an X-ray", "lungs", "1", "", "lungs", "xray")
    assert told[1:4] == [
        ("polyp", "", "", OTHER_BOTH, "polyp", "endoscopy"),
        ("liver in CT", "", "", OTHER_BOTH, "liver", "ct"),
        ("tumour in a brain MRI", "", "", OTHER_BOTH, "brain tumour", "mri"),
    ]
    assert sorted(one[0] for one in told if one[3] == NO_TARGET) == ["optic disc", "prostate"]
    assert sorted(one[0] for one in told if one[3] == NONSENSE) == ["ljashdb", "sitting on a chair"]
    assert [one[0] for one in told if one[3] == NEGATED] == [one.format("lungs") for one in NEGATIONS]
    assert evaluation_items(folder, "validation", LIBRARY, wording="absent", absent=0) == [item]
    assert "kind" not in evaluation_items(folder, "validation", LIBRARY)[0]


def test_absent_wording_denies_a_target_by_the_name_that_the_library_has_for_it(sets):
    folder = sets("brain", "MRI", {"1": "brain tumour (glioma)"}, ids=["a"])
    (item,) = evaluation_items(folder, "validation", LIBRARY, wording="absent")
    assert item["asked_for"][0] == "brain tumour" and "no brain tumour" in item["prompt"]


def test_a_picture_of_nothing_medical_is_asked_for_everything(sets):
    (item,) = evaluation_items(sets("control", "", {}), "images", LIBRARY, wording="absent")
    assert item["kind"].count(NOT_MEDICAL) == 4
    assert item["regions"] == "" and NEGATED not in item["kind"]


def test_the_seed_draws_the_texts_of_absent_wording(sets):
    folder = sets("chest", "X-ray", {"1": "lungs"}, ids=["a"])
    library = PromptLibrary.load()
    first, other = (
        evaluation_items(folder, "validation", library, wording="absent", seed=seed)[0]["prompt"]
        for seed in (0, 1)
    )
    assert first != other and len(first) == len(other) > 100


def test_nonsense_has_no_target(sets):
    folder = sets("chest", "X-ray", {"1": "lungs"})
    item = evaluation_items(folder, "validation", LIBRARY, wording="nonsense")[0]
    assert item["prompt"] == ["ljashdb", "sitting on a chair"]
    assert item["target"] == item["values"] == ["", ""]


def test_pictures_without_labels_have_prompts_of_every_target(sets):
    folder = sets("control", "", {})
    (item,) = evaluation_items(folder, "images", LIBRARY)
    assert item["prompt"] == ["lungs in an X-ray", "polyp", "liver in CT", "tumour in a brain MRI"]
    assert set(item["target"]) == {""} and "label" not in item


def test_one_of_several_sequences_is_shown(sets):
    folder = sets("brain", {"0": "MRI FLAIR", "1": "MRI T1"}, {"1": "brain tumour"})
    table = json.loads((folder / "dataset.json").read_text())
    table["validation"] = [{"id": "p", "image": ["a.png", "b.png"], "label": "a_mask.png"}]
    (folder / "dataset.json").write_text(json.dumps(table))
    assert evaluation_items(folder, "validation", LIBRARY, sequence=1)[0]["image"] == str(folder / "b.png")
    with pytest.raises(InputError, match="sequence is 2; brain/p has 2, from 0"):
        evaluation_items(folder, "validation", LIBRARY, sequence=2)


def test_cases_of_two_sets_have_names_of_their_own(sets):
    sets("chest", "X-ray", {"1": "lungs"}, ids=["001"])
    folder = sets("brain", "MRI", {"1": "brain tumour"}, ids=["001"])
    items = evaluation_items(folder.parent, "validation", LIBRARY)
    assert [(i["set"], i["case"], i["group"]) for i in items] == [
        ("brain", "001", "001"),
        ("chest", "001-2", "001"),
    ]


LEVELS = PromptLevels(
    {
        "xray": {
            "lungs": {
                "class": "lungs",
                "sentences": [f"Lungs {n}." for n in range(20)],
                "subtypes": {"finding=tuberculosis": {"class": "TB lungs", "sentences": ["TB."] * 20}},
            }
        },
        "mri": {
            "brain tumour": {
                "class": "brain tumour",
                "sentences": [f"Mass {n}." for n in range(20)],
                "subtypes": {"tumour_type=glioma": {"class": "glioma", "sentences": ["Glioma."] * 20}},
            }
        },
        "ct": {"liver": {"class": "liver", "sentences": ["Liver."] * 5}},
        "endoscopy": {"polyp": {"class": "polyp", "sentences": ["Polyp."] * 5}},
    }
)


def at_level(folder, level, **settings):
    return evaluation_items(folder, "validation", LIBRARY, wording=level, levels=LEVELS, **settings)


def stating(folder, **facts):
    """The first item of a set's validation list states these facts."""
    table = json.loads((folder / "dataset.json").read_text())
    table["validation"][0].update(facts)
    (folder / "dataset.json").write_text(json.dumps(table))


def test_the_prompt_of_a_level_is_its_ensemble(sets):
    folder = sets("chest", "X-ray", {"1": "lungs"})
    item = at_level(folder, "medclipsam_p4", absent=1)[0]
    assert item["texts"][0] == "Lungs 0.\nLungs 1.\nLungs 2.\nLungs 3.\nLungs 4."
    assert item["prompt"][0] == "Lungs 0. (and 4 more)"
    assert item["target"] == ["lungs", ""] and item["values"] == ["1", ""]
    assert item["texts"][1].split("\n")[0] in ("Mass 0.", "Polyp.", "Liver.")
    assert item["subtype"] == ["", ""]
    assert "texts" not in evaluation_items(folder, "validation", LIBRARY)[0]


def test_several_levels_are_groups_of_one_prompt(sets):
    folder = sets("chest", "X-ray", {"1": "lungs"})
    stating(folder, finding="tuberculosis")
    known, unknown, _ = at_level(folder, "medclipsam_p0+medclipsam_p1+medclipsam_p4", absent=0)
    five = "Lungs 0.\nLungs 1.\nLungs 2.\nLungs 3.\nLungs 4."
    assert known["texts"] == [f"lungs\n\nTB lungs\n\n{five}"] and known["subtype"] == ["tuberculosis"]
    assert unknown["texts"] == [f"lungs\n\nlungs\n\n{five}"] and unknown["subtype"] == [""]
    assert known["prompt"] == ["lungs (and 6 more)"]
    assert split_texts(known["texts"][0]) == (("lungs", "TB lungs", *five.split("\n")), (1, 1, 5))
    with pytest.raises(InputError, match="wording is 'medclipsam_p0.heldout'"):
        at_level(folder, "medclipsam_p0+heldout")


def test_an_odd_level_names_the_subtype_that_the_item_states_and_else_is_generic(sets):
    folder = sets("chest", "X-ray", {"1": "lungs"})
    stating(folder, finding="tuberculosis")
    known, unknown, _ = at_level(folder, "medclipsam_p1", absent=1)
    assert (known["prompt"][0], known["subtype"][0]) == ("TB lungs", "tuberculosis")
    assert (unknown["prompt"][0], unknown["subtype"][0]) == ("lungs", "")
    assert known["subtype"][1] == unknown["subtype"][1] == ""  # of an absent thing nothing is known
    generic = at_level(folder, "medclipsam_p0", absent=1)
    assert [item["subtype"][0] for item in generic] == ["", "", ""]


def test_a_label_may_imply_the_subtype(sets):
    folder = sets("brain", "MRI", {"1": "brain tumour (glioma)"})
    item = at_level(folder, "medclipsam_p3", absent=0)[0]
    assert (item["texts"], item["target"], item["subtype"]) == (["Glioma."], ["brain tumour"], ["glioma"])


def test_a_level_without_enough_sentences_is_refused_for_targets_and_passed_over_for_absent_prompts(sets):
    folder = sets("bowel", "endoscopy", {"1": "polyp"})
    with pytest.raises(InputError, match="averages 20 sentences; 'polyp' in 'endoscopy' has 5"):
        at_level(folder, "medclipsam_p6")
    chest = sets("chest", "X-ray", {"1": "lungs"}, ids=[f"c{n}" for n in range(9)])
    items = at_level(chest, "medclipsam_p6", absent=1)
    assert {item["texts"][1].split("\n")[0] for item in items} == {"Mass 0."}


def test_every_level_has_prompts_for_the_shared_data(shared_data):
    library = PromptLibrary.load()
    for level in ("medclipsam_p0", "medclipsam_p3", "medclipsam_p5"):
        items = evaluation_items(shared_data, "validation", library, wording=level)
        subtypes = {(target, s) for item in items for target, s in zip(item["target"], item["subtype"])}
        named = {
            *(("breast tumour", "benign"), ("breast tumour", "malignant")),
            *(("lungs", "normal"), ("lungs", "tuberculosis")),
            *(("brain tumour", "glioma"), ("brain tumour", "pituitary tumour")),
        }
        assert {pair for pair in subtypes if pair[1]} == (set() if level == "medclipsam_p0" else named)
    tasks = ("cxr_lung_shenzhen", "us_breast_busi", "mri_brain_brisc", "ct_lung_lungsegdb_2d")
    items = evaluation_items(shared_data, "validation", library, wording="medclipsam_p9", sets=tasks)
    assert {len(item["texts"][0].split("\n")) for item in items} == {50}


def test_arguments_that_cannot_be_used_are_refused(sets):
    folder = sets("chest", "X-ray", {"1": "lungs"})
    with pytest.raises(
        InputError, match="'free'; choose from canonical, heldout, languages, nonsense, absent, medclipsam_p0"
    ):
        evaluation_items(folder, "validation", LIBRARY, wording="free")
    with pytest.raises(InputError, match="absent is 6; there are words for only 5 on xray images"):
        evaluation_items(folder, "validation", LIBRARY, absent=6)
    with pytest.raises(InputError, match="list 'images': no label to score chest/a by"):
        evaluation_items(folder, "images", LIBRARY)


def test_the_shared_data_has_library_targets_only(shared_data):
    library = PromptLibrary.load()
    items = evaluation_items(shared_data, "validation", library)
    assert {target for item in items for target in item["target"]} == {
        *(
            "",
            "lungs",
            "breast tumour",
            "polyp",
            "skin lesion",
            "brain tumour",
            "brain metastasis with oedema",
        ),
        *("liver", "kidneys", "pancreas"),
    }
    assert all(item["values"][-2:] == ["", ""] for item in items)
