"""The embedded weights really segment: on the sample images, and on real validation images where they are."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import monai_ext
from monai_ext.data.datasets import read_split
from monai_ext.prompts.library import PromptLibrary

ROOT = Path(__file__).resolve().parents[2]
SAMPLES, REFERENCES = ROOT / "data" / "samples", ROOT / "tests" / "fixtures" / "samples"
PROMPTS = {
    "breast_ultrasound.png": ("tumour in a breast ultrasound", [1], 0.95),
    "fetal_head_ultrasound.jpg": ("fetal head", [1], 0.93),
    "cell_nuclei.jpg": ("cell nuclei", [1], 0.85),
    "brain_mr_axial.png": ("tumour in a brain MRI", [1], 0.85),
    "hippocampus_mr.png": ("hippocampus", [1, 2], 0.88),
}
"""Of each sample: the prompt of its credits, the values of the reference that it names, and the least Dice."""
BRAIN = {"tumour in a brain MRI", "hippocampus"}
"""Prompts of which any image of a brain may show what they name."""
LIBRARY = PromptLibrary.load()


@pytest.fixture(scope="module")
def segmenter():
    return monai_ext.load("vlsm", device="cpu")


def test_the_tumour_of_the_sample_is_found_at_its_position(segmenter):
    (found,) = segmenter.segment(SAMPLES / "breast_ultrasound.png", ["tumour in a breast ultrasound"])
    rows, columns = np.nonzero(np.asarray(found.mask))
    assert found.found and found.presence > 0.5
    assert (rows.mean(), columns.mean()) == pytest.approx((169, 253), abs=16)


def dice(mask, label):
    return 2 * (mask & label).sum() / (mask.sum() + label.sum())


@pytest.mark.parametrize("name", PROMPTS)
def test_each_sample_gets_the_mask_of_its_own_prompt_and_none_of_those_of_other_samples(segmenter, name):
    prompt, values, least = PROMPTS[name]
    label = np.isin(np.asarray(Image.open((REFERENCES / name).with_suffix(".png"))), values)
    for result in segmenter.segment(SAMPLES / name, [text for text, _, _ in PROMPTS.values()]):
        mask = np.asarray(result.mask) > 0
        if result.prompt == prompt:
            assert dice(mask, label) >= least
        elif not {prompt, result.prompt} <= BRAIN:
            assert not mask.any(), result.prompt


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
            scores.append(dice(mask, label))
    assert np.mean(scores) >= least
