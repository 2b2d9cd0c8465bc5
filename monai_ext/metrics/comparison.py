"""Whether methods that scored the same patients differ: paired tests, corrected for their number, and ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata, wilcoxon

from monai_ext.metrics.summary import bootstrap_draws

DIGITS = 9
"""Decimals in which differences are compared, so that equal ones are ties whatever the arithmetic left of them."""


def patient_means(values: np.ndarray, patients: Sequence[Any]) -> np.ndarray:
    """The mean of each patient.

    Args:
        values: (N, ...).
        patients: N names.

    Returns:
        (P, ...), the patients in the order in which they first appear.
    """
    number = {patient: index for index, patient in enumerate(dict.fromkeys(patients))}
    owner = np.array([number[patient] for patient in patients], dtype=int)
    sums = np.zeros((len(number), *values.shape[1:]))
    np.add.at(sums, owner, values)
    counts = np.bincount(owner, minlength=len(number))
    return sums / counts.reshape(-1, *[1] * (values.ndim - 1))


def signed_rank_p(differences: np.ndarray, patients: Sequence[Any]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test (Biometrics Bulletin 1:80, 1945) on the mean differences of patients.

    Patients without a difference are left out, as Wilcoxon did; 1 where there is no difference at all.

    Args:
        differences: (N,), of two methods on the same N images and targets.
        patients: N names.
    """
    means = np.round(patient_means(differences, patients), DIGITS)
    return float(wilcoxon(means).pvalue) if means.any() else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p of several tests, in their order, after Holm (Scandinavian Journal of Statistics 6:65, 1979).

    The smallest of m is multiplied by m, the next by m - 1, and so on; none is below a smaller one, nor above 1.
    """
    adjusted, least = [0.0] * len(p_values), 0.0
    for done, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min(1.0, p_values[index] * (len(p_values) - done)))
        adjusted[index] = least
    return adjusted


def mean_ranks(scores: np.ndarray, patients: Sequence[Any]) -> list[float]:
    """The mean rank over patients of each method; 1 is best, equal ones share the mean of their ranks.

    Args:
        scores: (N, M), of M methods on the same N images and targets, the higher the better.
        patients: N names.
    """
    means = np.round(patient_means(scores, patients), DIGITS)
    return [float(rank) for rank in rankdata(-means, axis=1).mean(0)]


def first_rank_shares(
    scores: np.ndarray, patients: Sequence[Any], samples: int = 1000, seed: int = 0
) -> list[float] | None:
    """In which share of bootstrap samples, which draw patients with replacement, each method has the highest mean.

    Args:
        scores: (N, M), of M methods on the same N images and targets.
        patients: N names.
        samples, seed: of the bootstrap.

    Returns:
        M shares that add to 1, equal methods sharing a sample; None for fewer than two patients.
    """
    draws = bootstrap_draws(patients, samples, seed)
    if len(draws) == 0:
        return None
    means = np.round((draws @ scores) / draws.sum(1, keepdims=True), DIGITS)
    first = means == means.max(1, keepdims=True)
    return [float(share) for share in (first / first.sum(1, keepdims=True)).mean(0)]
