"""DICOM series with their annotations become a data set."""

from __future__ import annotations

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from monai_ext.data.dataset_check import check_sets
from monai_ext.data.making import Wishes, dicom, find_source
from monai_ext.errors import InputError
from monai_ext.io.dicom.write_seg import write_seg
from tests.data.making.sources import made, plan
from tests.io.dicom.dicom_files import write_series
from tests.io.dicom.rtstruct_files import box, write_rtstruct

SHAPE = (8, 7, 4)


@pytest.fixture
def study(tmp_path):
    """Two patients: one with an RTSTRUCT, one with a SEG; and a series that nobody drew on."""
    random = np.random.RandomState(3)
    for number, name in enumerate(("one", "two", "three"), 1):
        write_series(
            tmp_path / "src" / name, random.randint(0, 2000, SHAPE), number=number, PatientID=f"id-{name}"
        )
    regions = {"BODY": [box(9, 19, 18, 34, 30)], "Liver": [box(11.5, 23, 14.5, 29, 30)]}
    write_rtstruct(tmp_path / "src" / "one" / "rt.dcm", tmp_path / "src" / "one", regions)
    masks = np.zeros((1, *SHAPE), np.uint8)
    masks[0, 1:4, 2:6, 1:3] = 1
    write_seg(tmp_path / "src" / "seg.dcm", masks, ["liver"], tmp_path / "src" / "two", "", ("vlsm", "1"))
    return tmp_path / "src"


def test_series_and_their_annotations_become_cases(study, tmp_path):
    found, planned = made(study, tmp_path / "out", Wishes({"BODY": "body"}))
    assert found.kind == dicom.KIND and found.unmatched["series without an annotation"] == ["three/3-001.dcm"]
    assert sorted(planned.targets) == ["body", "liver"]
    text = (tmp_path / "out" / "dataset.json").read_text()
    table = json.loads(text)
    assert table["modality"] == {"0": "CT"} and "id-one" not in text and "Doe" not in text
    assert table["labels"]["3"] == "body and liver"
    assert list(check_sets(tmp_path / "out").problems) == []
    items = {**{e["group"]: e for e in table["training"] + table["validation"] + table["test"]}}
    labels = {}
    for entry in items.values():
        array = np.asarray(nib.load(tmp_path / "out" / entry["label"]).dataobj)
        labels[(array > 0).sum()] = entry, array
    liver = planned.labels[frozenset({"liver"})]
    both = planned.labels[frozenset({"body", "liver"})]
    entry, array = labels[3 * 4 * 2]
    assert np.unique(array).tolist() == [0, liver] and entry["annotated_labels"] == sorted({liver, both})
    entry, array = labels[8 * 7]
    assert (array == both).sum() == 9 and "annotated_labels" not in entry
    assert len(list((tmp_path / "out" / entry["image"]).glob("*.dcm"))) == 4


def test_a_region_is_left_out_as_background(study):
    assert plan(study, Wishes({"BODY": "background"})).targets == ["liver"]


def test_series_of_two_modalities_are_two_sets(study):
    write_series(study / "mr", np.arange(224).reshape(SHAPE), number=7, Modality="MR")
    write_rtstruct(study / "mr.dcm", study / "mr", {"liver": [box(11.5, 23, 14.5, 29, 30)]})
    with pytest.raises(InputError, match="images of ct and mri; make a set of each, --modality chooses"):
        plan(study, Wishes())
    with pytest.raises(
        InputError, match="all images are of ct and mri, by their DICOM headers, and none of us"
    ):
        plan(study, Wishes(modality="ultrasound"))
    found = plan(study, Wishes(modality="CT"))
    assert (
        sum(map(len, found.lists.values())) == 2 and "1 case(s) of another modality left out" in found.notes
    )


def test_an_annotation_without_its_series_is_listed(study):
    write_series(study.parent / "away", np.zeros(SHAPE, int), number=9)
    write_rtstruct(study / "lost.dcm", study.parent / "away", {"liver": [box(11.5, 23, 14.5, 29, 30)]})
    assert find_source(study).unmatched["annotation whose series is not there"] == ["lost.dcm"]


def test_a_patient_with_two_series_stays_in_one_list(study):
    write_series(study / "again", np.arange(224).reshape(SHAPE), number=8, PatientID="id-one")
    write_rtstruct(study / "again.dcm", study / "again", {"liver": [box(11.5, 23, 14.5, 29, 30)]})
    found = plan(study, replace(Wishes(), targets={"BODY": "background"}))
    assert sorted(len({item.group for item in items}) for items in found.lists.values()) == [0, 1, 1]
    assert sorted(len(items) for items in found.lists.values()) == [0, 1, 2]
