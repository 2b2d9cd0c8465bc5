"""Figures of the benchmark of absent targets: how often something is marked that an image does not show.

A prompt is *answered* where its mask is not empty: a single pixel counts, since a clinician sees it. N-acc., T-acc. and gIoU
are those of generalised referring segmentation (Liu, Ding and Jiang, "GRES: Generalized Referring Expression
Segmentation", CVPR 2023), with one difference: the code published with it takes the network's own verdict that there is no
target, and this looks at the mask, which is what a user gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from monai_ext.metrics.summary import Row, bootstrap_interval, patients_of, presence_figures

PRESENT = "present"
"""``kind`` of a row whose target is in the image."""
PAIR = ("set", "modality", "regions", "target", "target_modality", "kind")
"""What a line of the cross table is about."""
WORST = 5


def absent_figures(
    rows: Sequence[Row], kinds: Iterable[str], samples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Figures of all rows of an evaluation in which every image was asked for what it does not show.

    Args:
        rows: as :func:`monai_ext.metrics.summary.summarise` takes them, each also with its ``kind`` of absence,
            :data:`PRESENT` where the image shows the target; ``asked_for`` and ``asked_modality``, the target that it names;
            ``regions`` of its image; and ``refused``, 1 where the words were refused and the network was not asked.
        kinds: of absence, in the order of the result; those that no row has are left out.
        samples, seed: of the bootstrap, which draws patients with replacement.

    Returns:
        - ``kinds``: for each ``asked`` and ``answered``, the numbers of prompts and of masks that are not empty; ``share``,
          answered of asked, in [0, 1], with ``ci95``; ``refused``, the number of prompts whose words were refused, which are
          not answered; ``share_of_judged``, answered of those that were not refused (None where all were); and ``auc`` with
          ``auc_ci95`` of the presence of all targets that are in their image against the prompts of this kind.
        - ``pooled``: the same of all kinds.
        - ``t_acc``: T-acc., the share of prompts whose target is in the image that are answered, which is their recall;
          ``mean``, ``ci95`` and ``n``, with ``refused``.
        - ``n_acc``: N-acc., the share of prompts whose target is not in the image with an empty mask.
        - ``giou``: gIoU, the mean over all prompts of their IoU, where a prompt whose target is not in the image counts 1 with
          an empty mask and 0 with any other. It depends on how many of each are asked.
        - ``sets``, ``targets``: asked, answered, share and refused of absent prompts, by set and by target, as
          "liver (ct)".
        - ``worst``: the :data:`WORST` pairs of a set and a target that are answered most often although no image of
          the set shows the target, see :func:`worst_pairs`.

        None stands for what cannot be computed.
    """
    present = [row for row in rows if row["present"]]
    absent = [row for row in rows if not row["present"]]
    of_kind = {kind: [row for row in absent if row["kind"] == kind] for kind in kinds}
    settings = samples, seed
    return {
        "kinds": {kind: _answers(found, present, *settings) for kind, found in of_kind.items() if found},
        "pooled": _answers(absent, present, *settings),
        "t_acc": {
            **_mean([_answered(row) for row in present], present, *settings),
            "refused": sum(row["refused"] for row in present),
        },
        "n_acc": _mean([not _answered(row) for row in absent], absent, *settings),
        "giou": _mean([_generalised_iou(row) for row in rows], rows, *settings),
        "sets": {name: _count(found) for name, found in _grouped(absent, lambda row: row["set"]).items()},
        "targets": {
            name: _count(found)
            for name, found in _grouped(
                [row for row in absent if row["asked_modality"]],
                lambda row: f"{row['asked_for']} ({row['asked_modality']})",
            ).items()
        },
        "worst": worst_pairs(cross_table(rows)),
    }


def cross_table(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A line for each set, target and kind: the :data:`PAIR`, and the numbers ``asked``, ``answered`` and ``refused``.

    Args:
        rows: as in :func:`absent_figures`. A target that is in some images of a set, and not in others, has two lines.
    """
    names = ("set", "modality", "regions", "asked_for", "asked_modality", "kind")
    pairs = _grouped(rows, lambda row: tuple(row[name] for name in names))
    return [
        {**dict(zip(PAIR, pair)), **{k: v for k, v in _count(found).items() if k != "share"}}
        for pair, found in pairs.items()
    ]


def worst_pairs(table: Sequence[Mapping[str, Any]], number: int = WORST) -> list[dict[str, Any]]:
    """The lines of a cross table with the highest share answered of what is absent, those with more images first.

    Lines without an answer are none of them.
    """
    found = [line for line in table if line["kind"] != PRESENT and line["answered"]]
    shares = [{**line, "share": line["answered"] / line["asked"]} for line in found]
    ranked = sorted(shares, key=lambda one: (-one["share"], -one["asked"], one["set"], one["target"]))
    return ranked[:number]


def _answers(rows: Sequence[Row], present: Sequence[Row], samples: int, seed: int) -> dict[str, Any]:
    counts = _count(rows)
    judged = counts["asked"] - counts["refused"]
    told = presence_figures([*present, *rows], samples, seed)
    return {
        **counts,
        "ci95": _mean([_answered(row) for row in rows], rows, samples, seed)["ci95"],
        "share_of_judged": counts["answered"] / judged if judged else None,
        "auc": told["auc"],
        "auc_ci95": told["ci95"],
    }


def _count(rows: Sequence[Row]) -> dict[str, Any]:
    answered = sum(map(_answered, rows))
    return {
        "asked": len(rows),
        "answered": answered,
        "share": answered / len(rows) if rows else None,
        "refused": sum(row["refused"] for row in rows),
    }


def _mean(values: Sequence[float], rows: Sequence[Row], samples: int, seed: int) -> dict[str, Any]:
    numbers = np.array(values)
    return {
        "mean": float(numbers.mean()) if len(numbers) else None,
        "ci95": bootstrap_interval(numbers, patients_of(rows), samples, seed),
        "n": len(numbers),
    }


def _answered(row: Row) -> bool:
    return row["voxels"] > 0


def _generalised_iou(row: Row) -> float:
    return row["iou"] if row["present"] else float(not _answered(row))


def _grouped(rows: Sequence[Row], key: Any) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return dict(sorted(groups.items()))
