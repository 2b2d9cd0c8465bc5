"""Images and labels become slices with a mask for each target."""

import numpy as np
import pytest
import torch

from monai_ext.data.labelled_slices import load_slices, split_sides
from monai_ext.errors import InputError
from tests.data.test_text_prompt_dataset import ITEM, LIBRARY, chest


def test_paired_organs_are_also_given_by_side():
    (one,) = load_slices([ITEM], LIBRARY, lambda item: {**item, **chest()}, size=40)
    assert one["targets"] == ["lungs", "left lung", "right lung"]
    assert [int(mask.sum()) for mask in one["masks"]] == [610, 360, 250]


def test_sides_are_not_guessed_from_one_part():
    single = np.zeros((20, 20), bool)
    single[5:15, 2:18] = True
    assert split_sides(single) is None


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


def test_sides_are_given_where_the_library_has_words_for_them():
    item = {**ITEM, "modality": "mri", "targets": {"kidneys": (1,)}}
    (one,) = load_slices([item], LIBRARY, lambda _: {**item, **chest()}, size=40)
    assert one["targets"] == ["kidneys"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": torch.zeros(1, 40, 39)}, "s/a: the label is 40×39 and the image 40×40"),
        ({"label": torch.full((1, 40, 40), 255.0)}, "s/a: label values 255 are not in the table"),
    ],
    ids=["size", "values"],
)
def test_labels_that_are_none_of_their_images_are_not_trained_on(change, message):
    item = {**ITEM, "case": "a", "table": "0+1"}
    with pytest.raises(InputError, match="^2 label.s. that cannot be trained on: ") as caught:
        load_slices([item, item], LIBRARY, lambda one: {**one, **chest(), **change}, size=40)
    assert message in str(caught.value)
