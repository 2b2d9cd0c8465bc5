"""The embedded weights really segment: on the sample images, and on real validation images where they are."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import monai_ext
from monai_ext.data.datasets import read_split
from monai_ext.prompts.library import PromptLibrary

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
LIBRARY = PromptLibrary.load()


@pytest.fixture(scope="module")
def segmenter():
    return monai_ext.load("vlsm", device="cpu")


def test_the_tumour_of_the_sample_is_found_at_its_position(segmenter):
    (found,) = segmenter.segment(SAMPLES / "breast_ultrasound.png", ["tumour in a breast ultrasound"])
    rows, columns = np.nonzero(np.asarray(found.mask))
    assert found.found and found.presence > 0.5
    assert (rows.mean(), columns.mean()) == pytest.approx((169, 253), abs=16)


@pytest.mark.parametrize("prompt", ["ljashdb", "sitting on a chair", "teapot in a breast ultrasound"])
def test_words_that_name_nothing_give_an_empty_mask_and_the_reason(segmenter, prompt):
    (found,) = segmenter.segment(SAMPLES / "breast_ultrasound.png", [prompt])
    assert not np.asarray(found.mask).any() and not np.asarray(found.probability).any()
    assert (found.found, found.presence) == (False, 0.0)
    assert found.reason == f"'{prompt}' names nothing that these weights know; the mask is empty"


def test_left_and_right_lung_lie_on_their_sides(segmenter, shared_data):
    item = read_split(shared_data, "validation", ["cxr_lung_shenzhen"])[0]
    left, right = segmenter.segment(item["image"], ["left lung", "right lung"])
    centre = [np.nonzero(np.asarray(one.mask))[1].mean() for one in (left, right)]
    assert centre[0] > 256 > centre[1]  # the patient's left is on the image's right


@pytest.mark.parametrize(
    ("name", "count", "least"),
    [("cxr_lung_shenzhen", 8, 0.9), ("us_breast_busi", 12, 0.5), ("endo_polyp_kvasir", 12, 0.5)],
)
def test_dice_on_real_validation_images(segmenter, shared_data, name, count, least):
    scores = []
    for item in read_split(shared_data, "validation", [name])[:count]:
        label = np.asarray(Image.open(item["label"])) > 0
        if label.any():
            target, modality = next(iter(item["targets"])), item["modality"]
            (found,) = segmenter.segment(item["image"], [LIBRARY.canonical(target, modality)])
            mask = np.asarray(found.mask) > 0
            scores.append(2 * (mask & label).sum() / (mask.sum() + label.sum()))
    assert np.mean(scores) >= least
