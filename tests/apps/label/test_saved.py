"""Labels of a server become a source; the datastore is a stand-in with the methods that MONAI Label's have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_ext.apps.label.saved import saved_labels
from monai_ext.data.making import Wishes, plan_set, write_set
from monai_ext.errors import InputError

LUNGS = {"label_info": [{"name": "Lungs", "idx": 1}]}


class Store:
    """Labels by image: (info of the image, info of the label)."""

    def __init__(self, folder: Path, cases: dict[str, tuple[dict, dict]], values=(1,)) -> None:
        self.folder, self.cases = folder, cases
        (folder / "final").mkdir()
        for number, image in enumerate(cases):
            pixels = np.random.default_rng(number).integers(0, 256, (12, 10), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{image}.png")
            mask = np.zeros((12, 10), np.uint8)
            for row, value in enumerate(values):
                mask[2 * row : 2 * row + 2] = value
            Image.fromarray(mask).save(folder / "final" / f"{image}.png")

    def get_labeled_images(self):
        return list(self.cases)[::-1]

    def get_label_by_image_id(self, image, tag):
        return f"{tag}-of-{image}"

    def get_label_uri(self, label, tag):
        return str(self.folder / tag / f"{label.removeprefix('final-of-')}.png")

    def get_label_info(self, label, tag):
        assert tag == "final"
        return self.cases[label.removeprefix("final-of-")][1]

    def get_image_uri(self, image):
        return str(self.folder / f"{image}.png")

    def get_image_info(self, image):
        return self.cases[image][0]


def written(store, folder: Path, **wishes) -> dict:
    source = saved_labels(store)
    plan = plan_set(source, Wishes(modality="X-ray", split="80/20", **wishes))
    write_set(plan, store.folder, folder, link=True)
    return json.loads((folder / "dataset.json").read_text())


def test_labels_become_a_set_with_a_case_to_validate_with_and_links_to_the_images(tmp_path):
    (tmp_path / "studies").mkdir()
    store = Store(tmp_path / "studies", {name: ({}, LUNGS) for name in "abc"})
    table = written(store, tmp_path / "set")
    assert (len(table["training"]), len(table["validation"])) == (2, 1)
    assert table["labels"] == {"0": "background", "1": "lungs"}
    items = table["training"] + table["validation"]
    assert sorted(item["id"] for item in items) == ["a", "b", "c"]
    for item in items:
        assert (tmp_path / "set" / item["image"]).resolve() == tmp_path / "studies" / f"{item['id']}.png"
        label = np.asarray(Image.open(tmp_path / "set" / item["label"]))
        assert label[:2].all() and not label[2:].any()


def test_a_value_means_what_its_own_label_says(tmp_path):
    (tmp_path / "studies").mkdir()
    heart = {"label_info": [{"name": "heart", "idx": 1}]}
    store = Store(
        tmp_path / "studies", {"a": ({}, LUNGS), "b": ({}, heart), "c": ({}, LUNGS), "d": ({}, heart)}
    )
    table = written(store, tmp_path / "set")
    items = {item["id"]: item for item in table["training"] + table["validation"]}
    number = {name: int(value) for value, name in table["labels"].items()}
    for name, shown in (("a", "lungs"), ("b", "heart")):
        label = np.asarray(Image.open(tmp_path / "set" / items[name]["label"]))
        assert set(np.unique(label)) == {0, number[shown]}
        assert items[name]["annotated_labels"] == [number[shown]]  # nobody looked for the other one


def test_a_name_without_a_voxel_was_looked_for(tmp_path):
    (tmp_path / "studies").mkdir()
    both = {"label_names": {"lungs": 1, "heart": 2}}
    store = Store(tmp_path / "studies", {name: ({}, both) for name in "ab"}, values=(1, 2))
    store.cases["c"] = ({}, both)
    Image.fromarray(np.random.default_rng(9).integers(0, 256, (12, 10), dtype=np.uint8)).save(
        store.folder / "c.png"
    )
    Image.fromarray(np.full((12, 10), 1, np.uint8)).save(store.folder / "final" / "c.png")
    table = written(store, tmp_path / "set")
    assert all("annotated_labels" not in item for item in table["training"] + table["validation"])


def test_a_value_that_the_names_lack_is_refused(tmp_path):
    store = Store(tmp_path, {name: ({}, LUNGS) for name in "abc"}, values=(1, 2))
    with pytest.raises(
        InputError, match=r"^a: the mask a.png holds 2, and was saved with names of 1 \(Lungs\) only"
    ):
        plan_set(saved_labels(store), Wishes(modality="X-ray"))


def test_patients_stay_in_one_list_and_their_ids_are_hashed(tmp_path):
    (tmp_path / "studies").mkdir()
    cases = {name: ({"PatientID": f"Doe{number % 2}"}, LUNGS) for number, name in enumerate("abcd")}
    cases["e"] = ({"patient": "P7"}, LUNGS)
    store = Store(tmp_path / "studies", cases)
    groups = {case.name: case.group for case in saved_labels(store).cases}
    assert groups["a"] == groups["c"] != groups["b"] and groups["e"] == "P7"
    assert "Doe" not in str(groups) and groups["a"].startswith("patient-")
    table = written(store, tmp_path / "set")
    lists = [{item["group"] for item in table[name]} for name in ("training", "validation")]
    assert not lists[0] & lists[1]


def test_fewer_than_three_labels_are_refused(tmp_path):
    store = Store(tmp_path, {name: ({}, LUNGS) for name in "ab"})
    with pytest.raises(
        InputError, match="^2 of the images have a saved label; 3 are the least: two to train on"
    ):
        saved_labels(store)


def test_the_modality_is_that_of_the_archive(tmp_path):
    store = Store(tmp_path, {name: ({"Modality": "CT"}, LUNGS) for name in "abc"})
    assert [case.modality for case in saved_labels(store).cases] == ["CT"] * 3
