"""Boxes and points of a coarse mask, in exact numbers."""

import pytest
import torch

from monai_ext.errors import InputError
from monai_ext.masks import VisualPrompts
from tests.masks.test_components import mask_of_three

ONES = {(column, row) for row in range(12, 15) for column in range(3, 7)}


def block():
    mask = torch.zeros(20, 24, dtype=torch.bool)
    mask[12:15, 3:7] = True
    return mask


def test_boxes_are_first_and_last_column_and_row_of_each_component():
    prompts = VisualPrompts()(mask_of_three())
    assert prompts.boxes.tolist() == [[8, 2, 11, 3], [3, 12, 6, 14], [20, 18, 20, 18]]
    assert prompts.boxes.dtype == torch.float32 and prompts.points.shape == (0, 2)


def test_a_component_of_one_pixel_has_a_box_of_that_pixel():
    mask = torch.zeros(8, 9, dtype=torch.bool)
    mask[5, 7] = True
    prompts = VisualPrompts("boxes_and_points")(mask)
    assert prompts.boxes.tolist() == [[7, 5, 7, 5]] and prompts.points.tolist() == [[7, 5]]


def test_their_union_is_one_box():
    assert VisualPrompts(boxes="union")(mask_of_three()).boxes.tolist() == [[3, 2, 20, 18]]


def test_points_lie_in_the_mask_and_none_twice():
    for seed in range(20):
        prompts = VisualPrompts("points", count=8, seed=seed)(block())
        points = {tuple(point) for point in prompts.points.tolist()}
        assert len(points) == 8 and points <= ONES, f"seed {seed}"
        assert prompts.points.dtype == torch.float32 and prompts.boxes.shape == (0, 4)


def test_every_pixel_has_the_same_probability():
    counts = torch.zeros(20, 24)
    for seed in range(2000):
        for x, y in VisualPrompts("points", count=3, seed=seed)(block()).points.long().tolist():
            counts[y, x] += 1
    shares = counts[block()] / 6000
    assert (shares - 1 / 12).abs().max() < 0.015


def test_both_hold_the_boxes_and_the_points_of_each():
    mask = mask_of_three()
    both = VisualPrompts("boxes_and_points", count=4)(mask)
    assert both.boxes.equal(VisualPrompts()(mask).boxes)
    assert both.points.equal(VisualPrompts("points", count=4)(mask).points)


def test_points_depend_on_mask_seed_and_run_only():
    prompts = VisualPrompts("points", count=5, seed=3)
    first = prompts(block()).points
    prompts(mask_of_three()), torch.rand(7)
    assert prompts(block()).points.equal(first)
    assert prompts(block(), run=2).points.equal(VisualPrompts("points", count=5, seed=5)(block()).points)
    runs = {tuple(prompts(block(), run=run).points.flatten().tolist()) for run in range(5)}
    assert len(runs) == 5


@pytest.mark.parametrize("count", [12, 13])
def test_no_more_pixels_than_points_give_all_of_them_in_reading_order(count):
    prompts = VisualPrompts("points", count=count)(block())
    assert prompts.points.tolist() == [[x, y] for y in range(12, 15) for x in range(3, 7)]


@pytest.mark.parametrize("kind", ["boxes", "points", "boxes_and_points"])
@pytest.mark.parametrize("boxes", ["components", "union"])
def test_an_empty_mask_gives_none(kind, boxes):
    prompts = VisualPrompts(kind, boxes)(torch.zeros(6, 8, dtype=torch.bool))
    assert prompts.boxes.shape == (0, 4) and prompts.points.shape == (0, 2)


@pytest.mark.parametrize("wrong", [{"kind": "box"}, {"boxes": "all"}, {"count": 0}, {"seed": -1}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(InputError):
        VisualPrompts(**wrong)
