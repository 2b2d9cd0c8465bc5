"""Lesions found, missed and made up, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_ext.metrics.lesions import f1, lesion_counts, several_parts


def plane(*boxes: tuple[int, int, int, int]) -> torch.Tensor:
    """A plane of 20 x 20 with boxes of rows and columns from, to."""
    mask = torch.zeros(20, 20, dtype=torch.uint8)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = 1
    return mask


def counts(mask, reference):
    return tuple(lesion_counts(mask, reference).values())


A, B, C = (0, 4, 0, 4), (8, 12, 8, 12), (16, 20, 0, 4)


def test_each_lesion_is_found_missed_or_made_up():
    assert list(lesion_counts(plane(A), plane(A))) == ["lesion_tp", "lesion_fp", "lesion_fn"]
    assert counts(plane(A, B), plane(A, B)) == (2, 0, 0)
    assert counts(plane(A, C), plane(A, B)) == (1, 1, 1)
    assert counts(plane(), plane(A, B, C)) == (0, 0, 3)
    assert counts(plane(A, B), plane()) == (0, 2, 0)
    assert counts(plane(), plane()) == (0, 0, 0)


def test_a_mask_over_several_lesions_finds_one_and_one_in_several_pieces_is_found_once():
    assert counts(plane((0, 12, 0, 12)), plane((0, 8, 0, 12), (9, 12, 0, 12))) == (1, 0, 1)
    assert counts(plane((0, 8, 0, 12), (9, 12, 0, 12)), plane((0, 12, 0, 12))) == (1, 1, 0)


def test_an_overlap_counts_from_an_iou_of_one_tenth():
    lesion = plane((0, 1, 0, 10))  # ten pixels, of which one is found
    assert counts(plane((0, 1, 9, 10)), lesion) == (1, 0, 0)
    assert counts(plane((0, 1, 9, 11)), lesion) == (0, 1, 1)


def test_parts_are_assigned_so_that_their_overlap_is_greatest_in_all():
    # the first part overlaps both lesions, the second the first one alone: best for each alone is not best for both
    reference = plane((0, 1, 0, 10), (0, 1, 11, 16))
    mask = plane((0, 1, 0, 4), (0, 1, 5, 16))
    assert counts(mask, reference) == (2, 0, 0)


def test_pixels_that_touch_by_a_corner_are_one_lesion_in_planes_and_volumes():
    assert counts(plane((0, 2, 0, 2), (2, 4, 2, 4)), plane()) == (0, 1, 0)
    volume = torch.zeros(5, 6, 7)
    volume[0, 0, 0] = volume[1, 1, 1] = volume[4, 5, 6] = 1
    assert counts(volume, torch.zeros(5, 6, 7)) == (0, 2, 0)
    assert counts(volume, volume) == (2, 0, 0)
    assert counts(torch.zeros(5, 6, 7), volume) == (0, 0, 2)


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"mask \(20, 20\) and reference \(20, 10\) differ"):
        lesion_counts(plane(), plane()[:, :10])


def test_f1_is_of_summed_counts():
    assert f1(np.array([[1, 1, 0], [0, 2, 0], [3, 0, 1]])) == pytest.approx([2 / 3, 0, 6 / 7])


def test_targets_of_several_parts_are_those_of_which_an_image_shows_two():
    rows = [
        {"target": target, "lesion_tp": tp, "lesion_fp": fp, "lesion_fn": fn}
        for target, tp, fp, fn in (
            ("polyp", 1, 3, 0),
            ("cyst", 1, 0, 1),
            ("cyst", 1, 0, 0),
            ("", 0, 9, 0),
            ("a", 2, 0, 0),
        )
    ]
    assert several_parts(rows) == ["a", "cyst"]
