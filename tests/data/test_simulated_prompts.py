"""Prompts of an object lie where the object is, as loosely as they are meant to."""

import numpy as np
import pytest
import torch
from numpy.random import RandomState

from monai_ext.data.simulated_prompts import (
    centre_point,
    jittered_boxes,
    object_boxes,
    object_points,
    rough_mask,
    without_specks,
)


def block(top=10, left=20, height=9, width=5, size=48):
    mask = torch.zeros(size, size)
    mask[top : top + height, left : left + width] = 1
    return mask


def test_a_box_is_first_and_last_column_and_row():
    boxes = object_boxes(torch.stack([block(), block(0, 0, 48, 48), block(7, 3, 1, 1)]))
    assert boxes.tolist() == [[20, 10, 24, 18], [0, 0, 47, 47], [3, 7, 3, 7]]


def test_edges_move_by_no_more_than_a_share_of_the_side_and_each_on_its_own():
    boxes = torch.tensor([[100.0, 50.0, 199.0, 69.0]]).repeat(500, 1)
    moved = jittered_boxes(boxes, 0.1, 120, 300, RandomState(0)) - boxes
    assert moved.abs().amax(0).tolist() == pytest.approx([10, 2, 10, 2], rel=0.03)
    correlation = np.corrcoef(moved.T.numpy()) - np.eye(4)
    assert np.abs(correlation).max() < 0.15


def test_boxes_stay_in_the_image_and_none_turns_inside_out():
    boxes = object_boxes(torch.stack([block(0, 0, 48, 48), block(3, 4, 1, 1)])).repeat(100, 1)
    moved = jittered_boxes(boxes, 0.45, 48, 48, RandomState(1))
    assert moved.min() >= 0 and moved.max() <= 47
    assert bool((moved[:, 2:] >= moved[:, :2] - 1).all())
    whole = moved[::2]
    assert bool((whole[:, 2:] > whole[:, :2]).all())


def test_no_jitter_changes_nothing():
    boxes = object_boxes(block()[None])
    assert jittered_boxes(boxes, 0.0, 48, 48, RandomState(0)).equal(boxes)


def test_the_centre_is_the_deepest_pixel_and_lies_in_objects_that_are_bent():
    assert centre_point(block()).tolist() == [22, 12]  # the first of all that are as deep
    ring = block(10, 10, 21, 21) - block(14, 14, 13, 13)
    x, y = (int(v) for v in centre_point(ring))
    assert ring[y, x] == 1


def test_labels_of_points_are_right_and_the_first_point_lies_in_the_object():
    mask = block(10, 10, 21, 21) - block(14, 14, 13, 13)
    random = RandomState(0)
    seen = []
    for _ in range(200):
        points, labels = object_points(mask, 3, random)
        assert points.shape == (3, 2) and labels.dtype == torch.int32
        inside = [int(mask[int(y), int(x)]) for x, y in points]
        assert labels.tolist() == inside and labels[0] == 1
        seen += labels.tolist()
    assert 0.2 < 1 - np.mean(seen) < 0.34  # two of three points, each with a probability of .4


def test_points_around_an_object_are_near_it():
    points = torch.cat([object_points(block(), 4, RandomState(s), outside=1.0)[0][1:] for s in range(50)])
    assert points.amin(0).tolist() == [17, 5] and points.amax(0).tolist() == [27, 23]


def test_an_object_that_fills_the_picture_has_no_points_around_it():
    _, labels = object_points(torch.ones(8, 8), 3, RandomState(0), outside=1.0)
    assert labels.tolist() == [1, 1, 1]


def test_the_same_state_gives_the_same_points():
    one, other = (object_points(block(), 3, RandomState(7))[0] for _ in range(2))
    assert one.equal(other)


@pytest.mark.parametrize("mask", [block(), block(20, 20, 1, 1), block(4, 4, 40, 30), torch.ones(48, 48)])
def test_a_rough_mask_overlaps_its_object_but_is_not_the_same(mask):
    small = torch.nn.functional.interpolate(mask[None, None], (24, 24), mode="area")[0, 0] > 0
    for seed in range(30):
        logits = rough_mask(mask, 24, RandomState(seed))
        assert logits.shape == (24, 24) and logits.dtype == torch.float32
        assert float(logits.abs().max()) <= 10
        assert bool((logits > 0).any()), f"seed {seed}"
        grown = torch.nn.functional.max_pool2d(small[None, None].float(), 15, 1, 7)[0, 0] > 0
        assert not bool(((logits > 0) & ~grown).any()), f"seed {seed}"


def test_specks_do_not_widen_a_box_and_real_components_do():
    mask = torch.zeros(60, 60)
    mask[10:30, 10:30] = 1
    mask[50, 55] = 1
    assert object_boxes(without_specks(mask)[None]).tolist() == [[10, 10, 29, 29]]
    mask[50:54, 50:52] = 1  # 8 of 409 pixels
    assert object_boxes(without_specks(mask)[None]).tolist() == [[10, 10, 51, 53]]
    one = torch.zeros(5, 5)
    one[2, 3] = 1
    assert torch.equal(without_specks(one), one > 0)
