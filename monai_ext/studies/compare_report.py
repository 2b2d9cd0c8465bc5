"""The figures of a comparison: one row a method, tests against the best, subgroups, and the sentence that says which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monai_ext.errors import InputError
from monai_ext.metrics.comparison import first_rank_shares, holm, mean_ranks, signed_rank_p
from monai_ext.metrics.summary import bootstrap_interval
from monai_ext.studies.compare_methods import BUNDLE, FLOOR
from monai_ext.studies.tune_settings import plural

LEVEL = 0.05
"""A corrected p below this counts as more than noise."""
MEANS = ("dice", "iou", "nsd", "hd95")
SHOWN = 5
"""Names of missing masks in a note."""

Pair = tuple[str, str, str]
"""Set, case and target."""


@dataclass(frozen=True)
class Result:
    """The evaluation of one method.

    Attributes:
        name, kind: of the method.
        figures: the content of metrics.json.
        scores: Dice of every target that is in its image.
        patients: of the pairs in `scores`.
        absent: of every target that was looked for in its image and is not there, whether it got a mask.
        folder: where metrics.json and cases.csv lie.
        seconds: of a case, with reading and scoring.
        paraphrases: Dice of the pairs with each held-out wording; {} where it was not asked.
        peak_bytes: of memory, None where it was not measured.
    """

    name: str
    kind: str
    figures: Mapping[str, Any]
    scores: Mapping[Pair, float]
    patients: Mapping[Pair, tuple[str, str]]
    absent: Mapping[Pair, bool] = field(default_factory=dict)
    folder: str = ""
    seconds: float | None = None
    paraphrases: Mapping[Pair, Sequence[float]] = field(default_factory=dict)
    peak_bytes: int | None = None


def make_rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The table, the best method first.

    Methods are put in order by ``score``, the mean Dice over the pairs that all of them scored. Each is tested against
    the best on the pairs that both scored.

    Returns:
        dicts with ``name``, ``kind``, ``score``; ``dice``, ``iou``, ``nsd``, ``hd95`` of :func:`monai_ext.metrics.summary.summarise`;
        ``lesions``, F1 by lesion of targets of several parts, of the same; ``auc`` and ``false_positive_rate`` of presence, of bundles only; ``false_masks`` (``mean`` and ``n``, over
        the set's own targets); ``words`` (``dice``, ``spread``, ``n``), see :func:`paraphrase_spread`; ``mean_rank``
        and ``first_rank``; ``difference`` from the best, ``difference_ci95``, ``patients``, ``p`` and ``p_holm``,
        None for the best itself; ``seconds``, ``peak_bytes`` and ``folder``. None stands for what is not known.

    Raises:
        InputError: when there is no pair that all methods scored.
    """
    common = [pair for pair in results[0].scores if all(pair in one.scores for one in results)]
    if not common:
        raise InputError("no target of any image was scored by all methods; there is nothing to compare by.")
    scores = np.array([[one.scores[pair] for one in results] for pair in common])
    patients = [results[0].patients[pair] for pair in common]
    means, ranks = scores.mean(0), mean_ranks(scores, patients)
    shares = first_rank_shares(scores, patients)
    order = sorted(range(len(results)), key=lambda number: (-means[number], results[number].kind == FLOOR))
    best = results[order[0]]
    tests = [_test(best, results[number]) for number in order[1:]]
    for test, p in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = p
    rows = []
    for number, test in zip(order, [dict.fromkeys(_TESTED), *tests], strict=True):
        one = results[number]
        share = None if shares is None else shares[number]
        ranked = {"score": float(means[number]), "mean_rank": ranks[number], "first_rank": share}
        rows.append({"name": one.name, "kind": one.kind, **ranked, **test, **_figures(one)})
    return rows


_TESTED = ("difference", "difference_ci95", "patients", "p", "p_holm")


def _test(best: Result, other: Result) -> dict[str, Any]:
    both = [pair for pair in best.scores if pair in other.scores]
    patients = [best.patients[pair] for pair in both]
    differences = np.array([other.scores[pair] - best.scores[pair] for pair in both])
    return {
        "difference": float(differences.mean()),
        "difference_ci95": bootstrap_interval(differences, patients),
        "patients": len(set(patients)),
        "p": signed_rank_p(differences, patients),
    }


def _figures(result: Result) -> dict[str, Any]:
    pooled, presence = result.figures["pooled"], result.figures["presence"]
    asked = result.kind == BUNDLE
    masked = list(result.absent.values())
    return {
        **{name: pooled.get(name) for name in MEANS},
        "lesions": result.figures.get("lesions"),
        "auc": {"mean": presence["auc"], "ci95": presence["ci95"], "n": presence["n"]} if asked else None,
        "false_positive_rate": presence["false_positive_rate"] if asked else None,
        "false_masks": {"mean": float(np.mean(masked)), "n": len(masked)} if masked else None,
        "words": paraphrase_spread(result.scores, result.paraphrases),
        "seconds": result.seconds,
        "peak_bytes": result.peak_bytes,
        "folder": result.folder,
    }


def paraphrase_spread(
    scores: Mapping[Pair, float], paraphrases: Mapping[Pair, Sequence[float]]
) -> dict[str, Any] | None:
    """How much other words change a mask.

    Returns:
        ``dice``, the mean with paraphrases; ``spread``, the mean absolute difference of their Dice from that of the
        canonical prompt; both averaged over the paraphrases of a pair first, then over ``n`` pairs. None for none.
    """
    both = [pair for pair in scores if paraphrases.get(pair)]
    if not both:
        return None
    others = [np.array(paraphrases[pair]) for pair in both]
    spread = [np.abs(other - scores[pair]).mean() for pair, other in zip(both, others, strict=True)]
    mean = np.mean([other.mean() for other in others])
    return {"dice": float(mean), "spread": float(np.mean(spread)), "n": len(both)}


def subgroups(
    results: Sequence[Result], groups: Mapping[str, Mapping[tuple[str, str], str]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Dice of every method in every group.

    Args:
        results: of the methods, the best of all cases first.
        groups: of :func:`monai_ext.studies.subgroups.group_cases`.

    Returns:
        by fact, value and method: ``mean``, ``ci95`` (over patients, None for one), ``n``, and ``p`` of the test
        against the best in this group alone, not corrected for the number of tests; None for the best itself.
    """
    return {
        fact: {
            value: {one.name: _group(one, results[0], of, value) for one in results}
            for value in sorted({of[pair[:2]] for one in results for pair in one.scores})
        }
        for fact, of in groups.items()
    }


def _group(result: Result, best: Result, of: Mapping[tuple[str, str], str], value: str) -> dict[str, Any]:
    pairs = [pair for pair in result.scores if of[pair[:2]] == value]
    if not pairs:
        return {"mean": None, "ci95": None, "n": 0, "p": None}
    values = np.array([result.scores[pair] for pair in pairs])
    interval = bootstrap_interval(values, [result.patients[pair] for pair in pairs])
    both = [pair for pair in pairs if pair in best.scores] if result is not best else []
    differences = np.array([result.scores[pair] - best.scores[pair] for pair in both])
    p = signed_rank_p(differences, [best.patients[pair] for pair in both]) if both else None
    return {"mean": float(values.mean()), "ci95": interval, "n": len(pairs), "p": p}


def group_notes(
    rows: Sequence[Mapping[str, Any]], groups: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> list[str]:
    """Sentences on groups in which a lead that is more than noise over all cases may be noise.

    Args:
        rows: of :func:`make_rows`.
        groups: of :func:`subgroups`.
    """
    best, second = rows[0], _runner_up(rows)
    if second["p_holm"] >= LEVEL:
        return []
    notes = []
    for fact, values in groups.items():
        found = {value: figures[second["name"]]["p"] for value, figures in values.items()}
        close = [f"{value} (p {_p(p)})" for value, p in found.items() if p is not None and p >= LEVEL]
        if close:
            names = f"{best['name']} cannot be told from {second['name']}"
            notes.append(f"by {fact}: {names} in {', '.join(close)} alone")
    return notes


def statement(rows: Sequence[Mapping[str, Any]]) -> str:
    """One sentence: which method to take, and whether its lead is more than noise."""
    best, second = rows[0], _runner_up(rows)
    lead = f"Dice {best['score']:.3f}, {_lead(second)} {second['name']}, {_noise(second)}"
    if best["kind"] == FLOOR:
        return f"take none: the floor '{best['name']}' is best, {lead}"
    return f"take {best['name']}: {lead}"


def _runner_up(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The next best that is no floor, if there is one."""
    return next((row for row in rows[1:] if row["kind"] != FLOOR), rows[1])


def _lead(second: Mapping[str, Any]) -> str:
    lead = -second["difference"]
    return "as much as" if abs(lead) < 0.0005 else f"{abs(lead):.3f} {'more' if lead > 0 else 'less'} than"


def _noise(second: Mapping[str, Any]) -> str:
    patients, p = plural(second["patients"], "patient"), f"p {_p(second['p_holm'])}"
    if second["p_holm"] < LEVEL:
        return f"which is more than noise over {patients} ({p})"
    return f"which {patients} cannot tell from noise ({p})"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def result_notes(
    results: Sequence[Result], rows: Sequence[Mapping[str, Any]], pairs: Sequence[Pair]
) -> list[str]:
    """Sentences to read with the table: masks that are missing, floors that are not surpassed, too few patients.

    Args:
        results: of the methods.
        rows: of :func:`make_rows`.
        pairs: all that are to be scored, with those whose target is not in the image.
    """
    notes = []
    for one in results:
        missing = [pair for pair in pairs if pair not in one.scores and pair not in one.absent]
        if missing:
            named = ", ".join("/".join(pair) for pair in missing[:SHOWN]) + (
                ", …" if len(missing) > SHOWN else ""
            )
            notes.append(
                f"{one.name}: {plural(len(missing), 'mask')} of {len(pairs)} missing and not scored ({named}); methods are"
                " put in order by the others"
            )
    best = rows[0]
    close = [row["name"] for row in rows[1:] if row["kind"] == FLOOR and row["p_holm"] >= LEVEL]
    if close and best["kind"] != FLOOR:
        notes.append(f"{best['name']} cannot be told from the floor {' or '.join(close)}")
    if (fewest := min(row["patients"] for row in rows[1:])) < 6:
        notes.append(
            f"{plural(fewest, 'patient')} cannot show any difference: the test needs six for p below {LEVEL}"
        )
    return notes


def number_of_patients(results: Sequence[Result]) -> int:
    """Patients who have a target in some image."""
    return len({patient for one in results for patient in one.patients.values()})
