"""Training items: prompts true of the image, labels that answer the prompt."""

import numpy as np
import pytest
import torch

from monai_ext.data.prompts import PromptLibrary, names_side
from monai_ext.data.training import PromptedTrainingData, load_slices, split_sides

LIBRARY = PromptLibrary.load()


def chest():
    """Two "lungs" of different size on a bright film, the larger one on the image's right."""
    image = torch.full((1, 40, 40), 0.5).expand(3, -1, -1)
    label = torch.zeros(1, 40, 40)
    label[0, 5:30, 5:15] = 1
    label[0, 5:35, 25:37] = 1
    return {"image": image, "label": label}


ITEM = {
    "image": "film",
    "label": "mask",
    "set": "s",
    "modality": "xray",
    "facts": {},
    "targets": {"lungs": (1,)},
}


def data(**kwargs):
    return PromptedTrainingData([ITEM], LIBRARY, lambda item: {**item, **chest()}, size=40, **kwargs)


def test_paired_organs_are_also_given_by_side():
    (one,) = load_slices([ITEM], LIBRARY, lambda item: {**item, **chest()}, size=40)
    assert one["targets"] == ["lungs", "left lung", "right lung"]
    assert [int(mask.sum()) for mask in one["masks"]] == [610, 360, 250]


def test_sides_are_not_guessed_from_one_part():
    single = np.zeros((20, 20), bool)
    single[5:15, 2:18] = True
    assert split_sides(single) is None


def test_a_present_target_is_asked_for_by_its_own_sentences():
    items = data(absent=0.0)
    own = {t: set(LIBRARY.training(t, "xray")) for t in ("lungs", "left lung", "right lung")}
    for index, target in enumerate(own):
        for _ in range(20):
            item = items[index]
            assert item["prompt"] in own[target]
            assert item["sided"] == (names_side(item["prompt"]) is not None)
            assert int(item["label"].sum()) == {"lungs": 610, "left lung": 360, "right lung": 250}[target]


def test_an_absent_prompt_has_an_empty_label_and_names_nothing_that_is_there():
    items = data(absent=1.0)
    there = {text for t in ("lungs", "left lung", "right lung") for text in LIBRARY.training(t, "xray")}
    drawn = [items[k % 3] for k in range(200)]
    assert all(not item["label"].any() for item in drawn)
    prompts = {item["prompt"] for item in drawn}
    assert not prompts & there
    assert prompts & set(LIBRARY.nonsense("train"))
    assert prompts & set(LIBRARY.absent("train"))


def test_a_target_of_the_users_own_is_asked_for_by_the_sets_sentences():
    item = {**ITEM, "targets": {"widget": (1,)}, "prompts": {"widget": ["the widget", "a widget on film"]}}
    items = PromptedTrainingData([item], LIBRARY, lambda one: {**one, **chest()}, size=40, absent=0.0)
    assert {items[0]["prompt"] for _ in range(30)} == {"the widget", "a widget on film"}


def test_a_volume_becomes_slices_in_radiological_display():
    from monai.data import MetaTensor

    volume = torch.zeros(1, 20, 24, 6)
    volume[:, 2:18, 2:22] = 0.5
    label = torch.zeros(1, 20, 24, 6)
    label[:, 2:6, 3:9, 2] = 1  # RAS: low x is the patient's left, low y posterior
    affine = torch.eye(4)
    loaded = {"image": MetaTensor(volume.expand(3, -1, -1, -1), affine), "label": MetaTensor(label, affine)}
    item = {**ITEM, "modality": "ct", "targets": {"liver": (1,)}}
    slices = load_slices([item], LIBRARY, lambda _: loaded, size=48, step=1)
    assert len(slices) == 6
    rows, columns = np.nonzero(slices[2]["masks"][0].numpy())
    assert rows.min() > 24 and columns.min() > 24  # posterior is below, the left on the image's right


def test_weights_give_each_set_and_target_its_share():
    two = [ITEM, {**ITEM, "set": "t", "targets": {"lungs": (1,)}}]
    items = PromptedTrainingData(two, LIBRARY, lambda item: {**item, **chest()}, size=40)
    weights = items.weights({"t": 3.0})
    assert float(weights[:3].sum()) == pytest.approx(1)
    assert float(weights[3:].sum()) == pytest.approx(3)
