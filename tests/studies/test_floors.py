"""Floors: the mean mask at its best level, Otsu's threshold on its better side."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from monai_ext.studies.floors import MeanMask, OtsuFloor, TrainingPictures, above_otsu, mean_dice


def item(folder, name: str, box: tuple[slice, slice], inside: int = 20, outside: int = 200) -> dict:
    image, label = np.full((32, 32), outside, np.uint8), np.zeros((32, 32), np.uint8)
    image[box], label[box] = inside, 1
    Image.fromarray(image).save(folder / f"{name}.png")
    Image.fromarray(label).save(folder / f"{name}_mask.png")
    files = {"image": str(folder / f"{name}.png"), "label": str(folder / f"{name}_mask.png")}
    return {**files, "set": "s", "case": name, "targets": {"tumour": (1,)}}


@pytest.fixture
def training(tmp_path):
    """Two masks of columns 0 to 15 and one of 0 to 23, dark in bright surroundings."""
    boxes = [np.s_[:, :16], np.s_[:, :16], np.s_[:, :24]]
    return TrainingPictures([item(tmp_path, f"t{n}", box) for n, box in enumerate(boxes)])


def test_the_mean_mask_is_cut_where_it_is_best_on_the_training_list(training, tmp_path):
    # columns 0 to 15 give Dice 1, 1 and .8, mean .933; 0 to 23 give .8, .8 and 1, mean .867
    mask = MeanMask(training).mask(item(tmp_path, "new", np.s_[:4, :4]), "tumour", "1")
    expected = torch.zeros(32, 32, dtype=torch.bool)
    expected[:, :16] = True
    assert mask.equal(expected)


def test_otsu_takes_the_side_that_is_better_on_the_training_list(training, tmp_path):
    dark, bright = np.s_[2:9, 3:7], np.zeros((32, 32), bool)
    bright[dark] = True
    floor = OtsuFloor(training)
    assert floor.mask(item(tmp_path, "new", dark), "tumour", "1").numpy().tolist() == bright.tolist()
    other = [item(tmp_path, "b", dark, inside=220, outside=10)]
    assert (
        OtsuFloor(TrainingPictures(other)).mask(other[0], "tumour", "1").numpy().tolist() == bright.tolist()
    )


def test_what_no_training_image_shows_and_volumes_have_no_floor(training, tmp_path):
    new = item(tmp_path, "new", np.s_[:4, :4])
    for floor in (MeanMask(training), OtsuFloor(training)):
        assert floor.mask(new, "cyst", "2") is None
        assert floor.mask({**new, "set": "other"}, "tumour", "1") is None
        assert floor.mask({**new, "image": "ct.nii.gz"}, "tumour", "1") is None
    assert TrainingPictures([{**new, "image": "ct.nii.gz"}]).items == []


def test_facts_change_with_the_training_list(training, tmp_path):
    fewer = TrainingPictures(training.items[:2])
    assert MeanMask(training).facts() != MeanMask(fewer).facts()
    assert MeanMask(training).facts() != OtsuFloor(training).facts()


def test_a_constant_image_has_nothing_above_its_threshold():
    assert not above_otsu(torch.full((8, 8), 0.5)).any()


def test_the_mean_dice_of_one_mask_with_several():
    masks = torch.tensor([[[1, 1, 0, 0]], [[0, 0, 1, 0]]]).bool()
    assert mean_dice(torch.tensor([[1, 1, 1, 0]]).bool(), masks) == pytest.approx((4 / 5 + 2 / 4) / 2)
