"""Phantoms as data sets hold the masks of what is known, and nothing else."""

import json

import numpy as np
from PIL import Image

from monai_ext.data.dataset_check import check_sets
from monai_ext.data.datasets import read_split
from monai_ext.synthesis.phantom_set import FIRST_SEED, write_phantom_sets
from monai_ext.synthesis.phantoms import phantom

KNOWN = {"xray": ["lungs", "left lung", "right lung"], "mri": ["whole brain tumour", "tumour core"]}


def test_kinds_that_show_nothing_known_are_left_out_and_the_others_are_sound(tmp_path):
    assert write_phantom_sets(tmp_path / "sets", KNOWN, 2, 64) == ["phantom_chest_xray", "phantom_brain_mr"]
    found = check_sets(tmp_path / "sets")
    assert list(found.problems) == []
    assert {entry.split for entry in found.entries} == {"validation"} and len(found.entries) == 4


def test_overlapping_masks_come_back_from_one_label_map(tmp_path):
    write_phantom_sets(tmp_path / "sets", KNOWN, 2, 64)
    for item in read_split(tmp_path / "sets", "validation"):
        drawn = phantom(item["set"].removeprefix("phantom_"), FIRST_SEED + int(item["case"]), 64)
        label = np.asarray(Image.open(item["label"]))
        image = np.asarray(Image.open(item["image"]))
        assert np.abs(image / 255 - drawn["image"].transpose(1, 2, 0)).max() <= 0.5 / 255 + 1e-6
        assert set(item["targets"]) <= set(KNOWN[item["modality"]])
        for target, values in item["targets"].items():
            mask = drawn["masks"].get(target, np.zeros_like(label))
            assert np.array_equal(np.isin(label, values), mask.astype(bool)), (item["set"], target)


def test_the_same_phantoms_are_written_each_time(tmp_path):
    for name in ("a", "b"):
        write_phantom_sets(tmp_path / name, KNOWN, 1, 64)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.*")} for name in ("a", "b")
    )
    assert first == second
    table = json.loads(first["dataset.json"])
    assert list(table)[:3] == ["modality", "labels", "prompts"]
