"""Summaries of many scored prompts: means with intervals, presence, false positives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.metrics import compute_roc_auc
from scipy.stats import spearmanr

from monai_ext.metrics.agreement import METRICS
from monai_ext.metrics.lesions import COUNTS, f1, several_parts

AVERAGED = (*METRICS, "oracle_iou", "saliency_dice", "coarse_dice", "refined_dice")
_BLOCK = 2**22
"""Values of a bootstrap in memory at once."""
DIFFICULTIES = ("easy", "medium", "hard", "very hard")

Row = Mapping[str, Any]
"""The scores of one prompt of one image.

``set``, ``case``, ``group``, ``target`` ("" if none), ``present`` (bool, whether the target is in the image),
``presence`` (what the method predicts, in [0, 1]), ``voxels`` (of the mask), ``unit`` ("px" or "mm") and the metrics of
:func:`monai_ext.metrics.agreement.mask_agreement`; optionally ``difficulty`` ("" if not stated), the counts of
:func:`monai_ext.metrics.lesions.lesion_counts`, and the scores of
:func:`monai_ext.handlers.stages.stage_scores`: ``oracle_iou``, the IoU of the best of several candidates, of methods that
pick one; ``saliency_dice``, ``coarse_dice`` and ``refined_dice`` (before presence empties masks) of methods that refine a
saliency map; and ``quality``, an estimate of Dice without a reference, NaN where there is no mask.
"""


def summarise(rows: Sequence[Row], samples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Figures of all rows, and of each data set by itself.

    Args:
        rows: one per image and prompt.
        samples: number of bootstrap samples, which draw patients (``set`` and ``group``) with replacement.
        seed: of the bootstrap.

    Returns:
        - ``targets``: by name, for each metric ``mean``, ``std`` (of the sample), ``ci95`` and ``n``, over the prompts
          whose target is in the image. ``hd95`` also has its ``unit`` and ``undefined``, the number of empty masks.
        - ``pooled``: the same over all targets, a mean over pairs of image and target.
        - ``presence``: ``auc``, ``ci95`` and ``n`` over all prompts; the numbers ``present`` and ``absent`` of prompts
          whose target is, or is not, in the image; ``false_positive_rate``, the share of absent targets with a mask that
          is not empty; ``miss_rate``, the share of present targets with an empty mask.
        - ``difficulty``: where rows have one, the metrics by its levels.
        - ``lesions``: where rows have counts and some image shows two parts or more of a target: ``mean``, F1 of the
          summed counts of these ``targets``, ``ci95``, ``tp``, ``fp`` and ``fn``, over ``n`` images and targets, with
          those that are not in the image.
        - ``quality``: where rows have one, how far it tells good masks from bad ones, see :func:`_quality`.
        - ``sets``: all of these by data set.

        None stands for what cannot be computed: the interval of a single patient, the AUC of a single class.
    """
    result = _figures(rows, samples, seed)
    names = sorted({row["set"] for row in rows})
    result["sets"] = {n: _figures([r for r in rows if r["set"] == n], samples, seed) for n in names}
    return result


def _figures(rows: Sequence[Row], samples: int, seed: int) -> dict[str, Any]:
    present = [row for row in rows if row["present"]]
    targets = sorted({row["target"] for row in present})
    figures = {
        "targets": {t: _agreement([r for r in present if r["target"] == t], samples, seed) for t in targets},
        "pooled": _agreement(present, samples, seed),
        "presence": presence_figures(rows, samples, seed),
    }
    if rows and COUNTS[0] in rows[0] and (named := several_parts(rows)):
        figures["lesions"] = _lesions([row for row in rows if row["target"] in named], named, samples, seed)
    if rows and "quality" in rows[0]:
        figures["quality"] = _quality(present, samples, seed)
    levels = {row["difficulty"] for row in present if row.get("difficulty")}
    if levels:
        known = [level for level in DIFFICULTIES if level in levels]
        figures["difficulty"] = {
            level: _agreement([r for r in present if r.get("difficulty") == level], samples, seed)
            for level in [*known, *sorted(levels.difference(known))]
        }
    return figures


def _agreement(rows: Sequence[Row], samples: int, seed: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name in (m for m in AVERAGED if rows and m in rows[0]):
        defined = [row for row in rows if not math.isnan(row[name])]
        values = np.array([row[name] for row in defined], dtype=np.float64)
        result[name] = {
            "mean": float(values.mean()) if len(values) else None,
            "std": float(values.std(ddof=1)) if len(values) > 1 else None,
            "ci95": bootstrap_interval(values, patients_of(defined), samples, seed),
            "n": len(values),
        }
        if name == "hd95":
            units = sorted({row["unit"] for row in rows})
            result[name] |= {"undefined": len(rows) - len(values), "unit": " and ".join(units)}
    return result


def _lesions(rows: Sequence[Row], targets: Sequence[str], samples: int, seed: int) -> dict[str, Any]:
    counts = np.array([[row[name] for name in COUNTS] for row in rows])
    resampled = bootstrap_draws(patients_of(rows), samples, seed) @ counts
    tp, fp, fn = map(int, counts.sum(0))
    return {
        "mean": float(f1(counts.sum(0))),
        "ci95": _percentiles(f1(resampled[resampled.any(1)])),
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "n": len(rows),
        "targets": list(targets),
    }


def presence_figures(rows: Sequence[Row], samples: int, seed: int) -> dict[str, Any]:
    """How well presence tells prompts whose target is in the image from others: ``presence`` of :func:`summarise`."""
    present = np.array([bool(row["present"]) for row in rows])
    score = np.array([float(row["presence"]) for row in rows])
    empty = np.array([row["voxels"] == 0 for row in rows])
    number, draws = _group_draws(patients_of(rows), samples, seed)
    blocks = np.array_split(draws, 1 + len(draws) * len(rows) // _BLOCK)
    resampled = np.concatenate([_aucs(score, present, block[:, number]) for block in blocks])
    return {
        "auc": _auc(score, present),
        "ci95": _percentiles(resampled),
        "n": len(rows),
        "present": int(present.sum()),
        "absent": int((~present).sum()),
        "false_positive_rate": float((~empty[~present]).mean()) if (~present).any() else None,
        "miss_rate": float(empty[present].mean()) if present.any() else None,
    }


def _quality(present: Sequence[Row], samples: int, seed: int) -> dict[str, Any]:
    """Rank correlation of the estimated quality with the true Dice.

    Args:
        present: rows whose target is in the image.

    Returns:
        ``spearman`` in [-1, 1] with ``ci95``, both None where either of the two is constant, over the ``n`` rows that have
        a mask; ``without_mask``, the number of the others, which have no quality; ``mean`` of the quality.
    """
    rows = [row for row in present if not math.isnan(row["quality"])]
    quality, dice = (np.array([row[name] for row in rows], dtype=np.float64) for name in ("quality", "dice"))
    draws = bootstrap_draws(patients_of(rows), samples, seed).astype(int)
    drawn = (np.repeat(np.arange(len(rows)), counts) for counts in draws)
    resampled = [value for d in drawn if (value := _spearman(quality[d], dice[d])) is not None]
    return {
        "spearman": _spearman(quality, dice),
        "ci95": _percentiles(np.array(resampled)),
        "n": len(rows),
        "without_mask": len(present) - len(rows),
        "mean": float(quality.mean()) if rows else None,
    }


def _spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)


def _auc(score: np.ndarray, present: np.ndarray) -> float | None:
    if present.all() or not present.any():
        return None
    return float(np.asarray(compute_roc_auc(torch.from_numpy(score), torch.from_numpy(present.astype(int)))))


def _aucs(score: np.ndarray, present: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """AUC of each draw (S, N) that has both classes: the share of pairs in the right order, with ties as half."""
    if len(draws) == 0:
        return np.empty(0)
    order = np.argsort(score)
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    right, wrong = (
        np.add.reduceat(draws[:, order] * wanted[order], starts, axis=1) for wanted in (present, ~present)
    )
    pairs = right.sum(1) * wrong.sum(1)
    below = np.cumsum(wrong, axis=1) - wrong / 2
    return (right * below).sum(1)[pairs > 0] / pairs[pairs > 0]


def patients_of(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """The patient of each row, who is drawn as a whole."""
    return [(row["set"], row["group"]) for row in rows]


def bootstrap_interval(
    values: np.ndarray, groups: Sequence[Any], samples: int = 1000, seed: int = 0
) -> list[float] | None:
    """95 % percentile interval of the mean of `values`, resampling whole groups (patients).

    Args:
        values: (N,).
        groups: N names; values of one group stay together.

    Returns:
        [low, high]; None for fewer than two groups, from which the variation between patients is unknown.
    """
    number, draws = _group_draws(groups, samples, seed)
    sums = np.bincount(number, values, draws.shape[1])
    return _percentiles((draws @ sums) / (draws @ np.bincount(number, minlength=draws.shape[1])))


def bootstrap_draws(groups: Sequence[Any], samples: int, seed: int) -> np.ndarray:
    """(samples, N): how often each value occurs in a draw, with replacement, of as many groups as there are.

    (0, N) for fewer than two groups.
    """
    number, draws = _group_draws(groups, samples, seed)
    return draws[:, number]


def _group_draws(groups: Sequence[Any], samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the number of each value's group, and (samples, G) how often each group is drawn; (0, G) for fewer than two."""
    names = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    number = np.array([names[group] for group in groups], dtype=np.intp)
    if len(names) < 2:
        return number, np.empty((0, len(names)))
    counts = np.random.default_rng(seed).multinomial(len(names), [1 / len(names)] * len(names), samples)
    return number, counts.astype(np.float64)


def _percentiles(values: np.ndarray) -> list[float] | None:
    return [float(v) for v in np.percentile(values, [2.5, 97.5])] if len(values) else None
