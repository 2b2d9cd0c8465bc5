"""Prompts for scoring come from the label, the same in every run, and one mask is kept of several."""

import pytest
import torch

from monai_ext.errors import InputError
from monai_ext.transforms.simulated_prompts import BestMasks, ObjectPrompts


def case(name="1", **changes):
    label = torch.zeros(1, 60, 80)
    label[0, 10:30, 20:60] = 2
    label[0, 40:50, 5:15] = 3
    item = {
        "set": "s",
        "case": name,
        "label": label,
        "prompt": ["a", "b", "c", "d"],
        "target": ["liver", "spleen", "organs", ""],
        "values": ["2", "1", "2+3", ""],
    }
    return {**item, **changes}


def test_targets_that_are_there_get_their_box_and_centre_and_others_are_left_out():
    data = ObjectPrompts(jitter=0.0)(case())
    assert (
        data["target"] == ["liver", "organs"]
        and data["values"] == ["2", "2+3"]
        and data["prompt"] == ["a", "c"]
    )
    assert data["boxes"].tolist() == [[20, 10, 59, 29], [5, 10, 59, 49]]
    assert data["points"].shape == (2, 1, 2) and data["point_labels"].tolist() == [[1], [1]]
    x, y = data["points"][0, 0].tolist()
    assert 28 <= x <= 50 and 19 <= y <= 20


def test_jitter_depends_on_seed_set_and_case_alone():
    def boxes(seed=0, **changes):
        return ObjectPrompts(0.1, seed)(case(**changes))["boxes"].tolist()

    assert boxes() == boxes()
    assert len({str(b) for b in (boxes(), boxes(name="2"), boxes(set="t"), boxes(seed=1))}) == 4


def test_a_volume_is_refused_by_its_name():
    with pytest.raises(InputError, match="^s/liver is a volume, .* choose sets of pictures"):
        ObjectPrompts()(case("liver", label=torch.ones(1, 4, 5, 6)))


def test_a_case_without_targets_has_no_prompts():
    data = ObjectPrompts()(case(label=torch.zeros(1, 60, 80)))
    assert data["target"] == [] and data["boxes"].shape == (0, 4) and data["points"].shape == (0, 1, 2)


def test_the_mask_of_the_highest_predicted_iou_is_kept():
    logits = torch.full((2, 3, 4, 4), -1.0)
    logits[0, 1] = logits[1, 2, :2] = 1.0
    iou = torch.tensor([[0.1, 0.9, 0.3], [0.2, 0.1, 0.4]])
    data = BestMasks()({"pred": (logits, iou), "target": ["a", "b"]})
    assert data["masks"].dtype == torch.uint8
    assert data["masks"].sum((1, 2)).tolist() == [16, 8]
    assert data["presence"].tolist() == pytest.approx([0.9, 0.4])


def test_lists_that_decollation_lost_are_empty_again():
    data = BestMasks()({"pred": (torch.zeros(0, 1, 4, 4), torch.zeros(0, 1)), "prompt": None, "values": None})
    assert data["prompt"] == data["values"] == [] and data["masks"].shape == (0, 4, 4)
    assert "target" not in data
