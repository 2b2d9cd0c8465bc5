"""What a dataset.json becomes, and that everything wrong with it is reported together."""

import json
from collections import Counter

import pytest

from monai_ext.data.datasets import find_sets, read_split
from monai_ext.errors import InputError

LABELS = {"0": "background", "1": "left lung", "2": "right lung", "3": "heart"}


def write_set(folder, table, files=()):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(table))
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def entry(case, group, **more):
    return {"id": case, "group": group, "image": f"{case}.png", "label": f"{case}_mask.png", **more}


@pytest.fixture
def chest(tmp_path):
    table = {
        "modality": {"0": "X-ray"},
        "labels": LABELS,
        "prompts": {"1": ["left lung"], "1+2": ["both lungs", "lung fields"], "3": ["heart"]},
        "training": [entry("a", "p1", finding="normal", source_path="secret/a.png")],
        "validation": [entry("b", "p2", annotated_labels=[1, 2])],
        "demo": ["a"],
    }
    return write_set(tmp_path / "chest", table, ("a.png", "a_mask.png", "b.png", "b_mask.png"))


def test_an_item_has_its_targets_facts_and_modality(chest):
    assert read_split(chest, "training") == [
        {
            "image": str(chest / "a.png"),
            "label": str(chest / "a_mask.png"),
            "case": "a",
            "group": "p1",
            "set": "chest",
            "modality": "xray",
            "facts": {"finding": "normal"},
            "targets": {"left lung": (1,), "both lungs": (1, 2), "heart": (3,)},
            "prompts": {
                "left lung": ["left lung"],
                "both lungs": ["both lungs", "lung fields"],
                "heart": ["heart"],
            },
            "table": "0+1+2+3",
        }
    ]


def test_targets_are_limited_to_the_annotated_labels(chest):
    assert read_split(chest, "validation")[0]["targets"] == {"left lung": (1,), "both lungs": (1, 2)}


def test_a_list_of_ids_names_items_of_the_other_lists(chest):
    assert read_split(chest, "demo") == read_split(chest, "training")


def test_unions_are_added_where_all_members_are_annotated(chest):
    unions = {"chest": ["left lung", "heart"], "none": ["left lung", "spleen"]}
    assert read_split(chest, "training", unions=unions)[0]["targets"]["chest"] == (1, 3)
    assert "none" not in read_split(chest, "training", unions=unions)[0]["targets"]
    assert "chest" not in read_split(chest, "validation", unions=unions)[0]["targets"]


def test_plain_decathlon_lists_need_neither_ids_nor_groups_nor_prompts(tmp_path):
    table = {
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "left atrium"},
        "training": [{"image": "./imagesTr/la_003.nii.gz", "label": "./labelsTr/la_003.nii.gz"}],
        "test": ["./imagesTs/la_001.nii.gz"],
    }
    files = ("imagesTr/la_003.nii.gz", "labelsTr/la_003.nii.gz", "imagesTs/la_001.nii.gz")
    folder = write_set(tmp_path / "heart", table, files)
    (item,) = read_split(folder, "training")
    assert (item["case"], item["group"], item["targets"]) == ("la_003", "la_003", {"left atrium": (1,)})
    (item,) = read_split(folder, "test")
    assert (item["case"], item["targets"]) == ("la_001", {}) and "label" not in item


def test_several_sequences_stay_a_list(tmp_path):
    table = {
        "modality": {"0": "MRI FLAIR", "1": "MRI T1c"},
        "labels": {"0": "background", "1": "oedema"},
        "training": [{"id": "s", "image": ["flair.nii", "t1c.nii"], "label": "s.nii"}],
    }
    folder = write_set(tmp_path / "brain", table, ("flair.nii", "t1c.nii", "s.nii"))
    assert read_split(folder, "training")[0]["image"] == [str(folder / "flair.nii"), str(folder / "t1c.nii")]


def test_pictures_without_labels_have_no_targets(tmp_path):
    folder = write_set(tmp_path / "control", {"images": ["cat.png"]}, ("cat.png",))
    (item,) = read_split(folder, "images")
    assert (item["case"], item["modality"], item["targets"]) == ("cat", "other", {})


def test_a_parent_folder_pools_its_sets_and_passes_over_those_without_the_list(chest):
    write_set(chest.parent / "control", {"images": ["cat.png"]}, ("cat.png",))
    assert [path.name for path in find_sets(chest.parent)] == ["chest", "control"]
    assert [item["set"] for item in read_split(chest.parent, "training")] == ["chest"]
    assert [item["set"] for item in read_split(chest.parent, "images", sets=["control"])] == ["control"]
    assert [path.name for path in find_sets(chest.parent, "control, chest")] == ["control", "chest"]
    with pytest.raises(InputError, match="no set abdomen; choose from chest, control"):
        find_sets(chest.parent, ["abdomen"])


def test_everything_wrong_is_reported_together(tmp_path):
    table = {
        "modality": {"0": "PET"},
        "labels": LABELS,
        "prompts": {"1": ["left lung"], "1+9": ["lungs and more"]},
        "training": [entry("a", "p1"), entry("b", "p2", annotated_labels=[1, 7]), entry("b", "p3")],
        "validation": [entry("c", "p1")],
    }
    folder = write_set(tmp_path / "pelvis", table, ("a.png", "b.png", "b_mask.png", "c.png", "c_mask.png"))
    with pytest.raises(InputError) as error:
        read_split(folder, "training")
    message = str(error.value)
    assert "7 problem(s)" in message and "\n" not in message
    for problem in (
        "modality 'PET' is unknown",
        "prompts '1+9': label 9 is not in the label table",
        "id b stands twice",
        "image b.png stands twice",
        "group p1 is in training and validation",
        "a: label a_mask.png is missing",
        "b: annotated label 7 is not in the label table",
    ):
        assert problem in message


def test_a_label_table_the_wrong_way_round_is_reported(tmp_path):
    table = {"modality": "CT", "labels": {"background": 0, "liver": 1}, "training": [entry("a", "p")]}
    folder = write_set(tmp_path / "liver", table, ("a.png", "a_mask.png"))
    with pytest.raises(InputError, match="labels 'liver': the keys are label values"):
        read_split(folder, "training")


def test_a_missing_list_and_an_empty_one_name_the_choices(tmp_path, chest):
    with pytest.raises(InputError, match="no list 'heldout'.*choose from training, validation, demo"):
        read_split(chest, "heldout")
    folder = write_set(tmp_path / "empty", {"modality": "CT", "labels": LABELS, "validation": []})
    with pytest.raises(InputError, match="the list 'validation' is empty"):
        read_split(folder, "validation")
    with pytest.raises(InputError, match="no such file or folder"):
        find_sets(tmp_path / "nowhere")
    (folder / "dataset.json").write_text("{")
    with pytest.raises(InputError, match="empty/dataset.json cannot be read"):
        read_split(folder, "validation")


def test_every_set_of_the_shared_data_reads_clean(shared_data):
    large = ["cxr_lung_shenzhen", "us_breast_busi", "endo_polyp_kvasir"]
    items = read_split(shared_data, "validation", sets=large)
    assert Counter(item["modality"] for item in items) == {"xray": 42, "us": 22, "endoscopy": 21}
    pooled = read_split(shared_data, "training")
    assert {item["modality"] for item in pooled} == {"xray", "us", "endoscopy", "dermoscopy", "ct", "mri"}
    assert all(item["targets"] for item in pooled)


def test_several_folders_are_pooled_each_a_set_or_a_parent_of_some(chest, tmp_path):
    table = {"modality": "CT", "labels": LABELS, "training": [{"id": "c", "image": "c.png"}]}
    first = write_set(tmp_path / "elsewhere" / "pelvis", table, ("c.png",))
    pooled = read_split([str(first), chest.parent], "training")
    assert [item["set"] for item in pooled] == ["pelvis", *["chest"] * len(read_split(chest, "training"))]
    assert find_sets([first, chest], "chest") == [chest]
    with pytest.raises(InputError, match=f"^{first}, {chest}: no set heart; choose from pelvis, chest.$"):
        find_sets([first, chest], ["heart"])
    with pytest.raises(InputError, match=f"^{first}, {chest}: no list 'other' in dataset.json; choose from"):
        read_split([first, chest], "other")


def test_two_sets_of_one_name_are_refused(chest, tmp_path):
    other = write_set(tmp_path / "elsewhere" / "chest", {"training": ["a.png"]}, ("a.png",))
    message = f"^{other}: a set named chest is also in {chest.parent}; figures are told apart by the name"
    with pytest.raises(InputError, match=message):
        read_split([chest, other], "training")
    with pytest.raises(InputError, match="a set named chest is also in"):
        read_split([chest, chest], "training")
