"""Tests and ranks of paired scores are those worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from monai_ext.metrics.comparison import first_rank_shares, holm, mean_ranks, patient_means, signed_rank_p


def test_a_patient_counts_once_however_many_images_there_are():
    values = np.array([[1.0, 0.0], [0.5, 1.0], [0.0, 1.0]])
    assert patient_means(values, ["a", "b", "a"]).tolist() == [[0.5, 0.5], [0.5, 1.0]]
    # one patient of six images is no evidence; six patients are
    assert signed_rank_p(np.full(6, 0.1) * np.arange(1, 7), ["a"] * 6) == 1.0


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5], 2 / 32),  # all of one sign: 1 of 32 signs, two-sided
        ([-0.1, -0.2, -0.3, -0.4, -0.5], 2 / 32),
        ([-0.1, 0.2, 0.3, 0.4, 0.5], 4 / 32),  # rank sum 1: two of 32 have at most this
        ([-0.1, 0.2, 0.3, -0.4], 1.0),  # rank sums 5 and 5
        ([0.0, 0.0, 0.0], 1.0),
    ],
)
def test_the_signed_rank_test_counts_signs(differences, p):
    assert signed_rank_p(np.array(differences), range(len(differences))) == pytest.approx(p)


def test_holm_multiplies_the_smallest_by_all_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_equal_methods_share_a_rank():
    scores = np.array([[0.9, 0.5, 0.1], [0.4, 0.4, 0.8], [0.1 + 0.2, 0.3, 0.2]])
    # ranks 1 2 3, 2.5 2.5 1, 1.5 1.5 3
    assert mean_ranks(scores, "abc") == pytest.approx([5 / 3, 2.0, 7 / 3])


def test_the_share_of_first_ranks_is_that_of_all_samples():
    # two patients, one point each: the first wins both draws of a, the second both of b, else they are equal
    shares = first_rank_shares(np.array([[1.0, 0.0], [0.0, 1.0]]), "ab", samples=20000)
    assert shares == pytest.approx([0.5, 0.5], abs=0.02)
    # 1 + 0 against .4 + .4: the second wins only when b is drawn twice
    shares = first_rank_shares(np.array([[1.0, 0.4], [0.0, 0.4]]), "ab", samples=20000)
    assert shares == pytest.approx([0.75, 0.25], abs=0.02)
    assert first_rank_shares(np.array([[1.0, 0.4]]), "a") is None
