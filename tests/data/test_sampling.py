"""What is drawn depends on the seed, the epoch and the position alone."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from monai_ext.data import sampling
from monai_ext.data.sampling import DrawSampler, derived_seed, set_sampler
from monai_ext.data.text_prompt_dataset import case_of

WEIGHTS = torch.tensor([1.0, 0.0, 3.0])


def draws(sampler, epoch=1, start=0):
    sampler.set_epoch(epoch, start)
    return list(sampler)


def test_the_same_seed_and_epoch_draw_the_same_and_others_do_not():
    first = draws(DrawSampler(WEIGHTS, 50, 3))
    assert first == draws(DrawSampler(WEIGHTS, 50, 3)) and len(first) == 50
    assert first != draws(DrawSampler(WEIGHTS, 50, 4))
    assert first != draws(DrawSampler(WEIGHTS, 50, 3), epoch=2)
    assert len({draw.seed for draw in first}) == 50


def test_a_sampler_that_is_not_told_an_epoch_draws_for_the_first():
    assert list(DrawSampler(WEIGHTS, 9, 3)) == draws(DrawSampler(WEIGHTS, 9, 3), epoch=1)


def test_what_was_done_before_an_interruption_is_left_out():
    sampler = DrawSampler(WEIGHTS, 50, 3)
    assert draws(sampler, 2, start=20) == draws(sampler, 2)[20:]
    assert len(sampler) == 50


def test_draws_are_spread_by_weight():
    found = Counter(draw.item for draw in draws(DrawSampler(WEIGHTS, 4000)))
    assert found[1] == 0 and found[2] / found[0] == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("start", [0, 2])
def test_processes_share_the_batches_of_one(monkeypatch, start):
    one = draws(DrawSampler(WEIGHTS, 12, 3), start=3 * start)
    shares = []
    monkeypatch.setattr(sampling, "processes", lambda: 3)
    for number in range(3):
        monkeypatch.setattr(sampling, "rank", lambda number=number: number)
        shares.append(draws(DrawSampler(WEIGHTS, 12, 3), start=start))
    assert len(shares[0]) == 4 - start
    for batch in range((4 - start) // 2):  # of two on each process, of six on one
        together = [draw for share in shares for draw in share[2 * batch : 2 * batch + 2]]
        assert sorted(together) == sorted(one[6 * batch : 6 * batch + 6])


def test_draws_that_processes_cannot_share_evenly_are_rounded_up(monkeypatch):
    monkeypatch.setattr(sampling, "processes", lambda: 3)
    assert len(DrawSampler(WEIGHTS, 10)) == len(list(DrawSampler(WEIGHTS, 10))) == 4


def test_sets_have_the_weights_that_are_asked_for():
    class Sets:
        def weights(self, by_set, balance):
            return torch.tensor([by_set["a"] * balance, 1 - balance])

    assert {draw.item for draw in set_sampler(Sets(), 9, {"a": 2.0}, seed=1, balance=1.0)} == {0}
    assert {draw.item for draw in set_sampler(Sets(), 9, {"a": 2.0}, seed=1)} == {1}


def test_seeds_are_derived_from_all_numbers_in_their_order():
    assert derived_seed(1, 2) == derived_seed(1, 2) < 2**32
    assert len({derived_seed(1, 2), derived_seed(2, 1), derived_seed(1, 2, 0), derived_seed(1, 3)}) == 4


def test_a_case_is_named_by_its_set_and_a_made_slice_by_its_kind():
    assert case_of({"set": "busi", "case": "benign (3)"}) == "busi/benign (3)"
    assert case_of({"set": "phantoms"}) == case_of({"set": "phantoms", "case": ""}) == "phantoms"
