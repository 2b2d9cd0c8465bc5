"""A batch is asked by one kind of prompt, which the network takes as it is."""

import pytest
import torch

from monai_ext.engines.visual_prompts import KINDS, PrepareVisualPrompts

BATCH = {
    "image": torch.rand(2, 3, 32, 32),
    "label": torch.ones(2, 4, 32, 32),
    "boxes": torch.rand(2, 4, 4),
    "points": torch.rand(2, 4, 3, 2),
    "point_labels": torch.ones(2, 4, 3, dtype=torch.int32),
    "masks": torch.rand(2, 4, 16, 16),
}
GIVEN = {
    "box": {"boxes"},
    "box+points": {"boxes", "points"},
    "points": {"points"},
    "point": {"points"},
    "box+mask": {"boxes", "masks"},
    "point+mask": {"points", "masks"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_gives_what_its_name_says(kind):
    image, label, rest, asked = PrepareVisualPrompts({kind: 1})(BATCH)
    assert image is BATCH["image"] and label is BATCH["label"] and rest == ()
    assert set(asked) - {"multimask"} == GIVEN[kind]
    assert asked["multimask"] == (kind == "points")


def test_kinds_come_as_often_as_they_are_weighted():
    torch.manual_seed(0)
    prepare = PrepareVisualPrompts({"box": 3, "points": 1, "point": 0})
    drawn = [prepare(BATCH)[3] for _ in range(400)]
    assert sum("boxes" in one for one in drawn) == pytest.approx(300, abs=35)
    assert all(one["multimask"] for one in drawn if "points" in one)


def test_points_are_one_or_several_and_agree_with_their_labels():
    torch.manual_seed(0)
    prepare = PrepareVisualPrompts({"points": 1}, single=0.6)
    counts = []
    for _ in range(300):
        points, labels = prepare(BATCH)[3]["points"]
        assert points.shape[:3] == labels.shape
        counts.append(points.shape[2])
    assert counts.count(1) == pytest.approx(300 * (0.6 + 0.4 / 3), abs=30)
    assert set(counts) == {1, 2, 3}


@pytest.mark.parametrize("kind", ["point", "point+mask"])
def test_a_point_is_one(kind):
    assert PrepareVisualPrompts({kind: 1}, single=0)(BATCH)[3]["points"][0].shape[2] == 1


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match=r"\['circle'\]; choose from box, box\+points"):
        PrepareVisualPrompts({"box": 1, "circle": 1})
