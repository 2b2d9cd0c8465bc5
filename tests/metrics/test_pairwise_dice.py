"""Mean pairwise Dice: by hand, and the same whether the masks come at once or piece by piece."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch
from monai.metrics import compute_dice

from monai_ext.metrics.pairwise_dice import MOST_MEMBERS, PairwiseDice, mean_pairwise_dice, member_bits

MASKS = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0]])
"""Sizes 4, 2, 2; intersections 2, 1, 0: Dice 4/6, 2/6, 0."""


def test_it_is_the_mean_over_all_pairs() -> None:
    assert mean_pairwise_dice(MASKS) == pytest.approx((4 / 6 + 2 / 6 + 0) / 3)


def test_sizes_and_intersections_are_counted() -> None:
    counted = PairwiseDice(3)
    counted.update(member_bits(MASKS))
    assert counted.sizes().tolist() == [[4, 2, 1], [2, 2, 0], [1, 0, 2]]
    assert int(counted.counts.sum()) == 6


@pytest.mark.parametrize("members", [2, 7, MOST_MEMBERS])
def test_it_agrees_with_monai_and_pieces_give_what_the_whole_gives(members: int) -> None:
    masks = (torch.rand(members, 5, 8, 6, generator=torch.Generator().manual_seed(0)) > 0.4).float()
    pairs = [
        compute_dice(masks[a][None, None], masks[b][None, None]).item()
        for a, b in combinations(range(members), 2)
    ]
    counted = PairwiseDice(members)
    for piece in masks.unbind(1):
        counted.update(member_bits(piece))
    assert counted.mean() == mean_pairwise_dice(masks) == pytest.approx(sum(pairs) / len(pairs))


@pytest.mark.parametrize(
    ("masks", "expected"),
    [
        ([[0, 0], [0, 0]], 1.0),
        ([[0, 0], [0, 1]], 0.0),
        ([[0, 1], [0, 1], [0, 0]], 1 / 3),
        ([[0, 0], [0, 0], [1, 1]], 1 / 3),
    ],
    ids=["two empty", "one empty", "one of three empty", "two of three empty"],
)
def test_two_empty_masks_agree_and_an_empty_one_disagrees_with_any_other(masks, expected) -> None:
    assert mean_pairwise_dice(torch.tensor(masks)) == pytest.approx(expected)


def test_a_member_that_is_not_kept_has_an_empty_mask() -> None:
    counted = PairwiseDice(3)
    counted.update(member_bits(MASKS))
    assert counted.mean([True, True, False]) == pytest.approx((4 / 6) / 3)
    assert counted.sizes([False, True, True]).diagonal().tolist() == [0, 2, 2]
    assert counted.mean([False, False, False]) == 1


def test_a_single_mask_agrees_with_nothing() -> None:
    assert math.isnan(mean_pairwise_dice(MASKS[:1]))


@pytest.mark.parametrize("members", [0, MOST_MEMBERS + 1])
def test_the_number_of_members_is_checked(members: int) -> None:
    with pytest.raises(ValueError, match=f"{members} members; from 1 to {MOST_MEMBERS}"):
        PairwiseDice(members)
