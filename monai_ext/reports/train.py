"""``report.html`` of ``monai-ext train``."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.bundle.retrained import METADATA
from monai_ext.errors import InputError
from monai_ext.reports import evaluations
from monai_ext.reports.charts import curve, means
from monai_ext.reports.evaluations import read_evaluation, read_json
from monai_ext.reports.numbers import with_span
from monai_ext.reports.page import (
    Chart,
    ChartRow,
    Content,
    Curve,
    Facts,
    Page,
    Picture,
    Pictures,
    Section,
    Table,
    embedded,
    stated,
    write_page,
)
from monai_ext.studies.retrained import BUNDLE, COMPARISON, EVALUATION, PLAN

LOG, PICTURES = "training.csv", "pictures"
WHEN = ("before", "after")
TRAINING = {
    "summary": "what was done",
    "configuration": "configuration",
    "module": "trained module",
    "cases": "training cases by set",
    "epochs": "epochs",
    "replayed": "with material that the parent learnt from",
    "settings": "other settings",
}
TAKEN = {
    "parameters": "parameters of the network",
    "step_seconds": "seconds a step, as measured before",
    "steps": "steps an epoch",
    "epochs": "epochs planned",
    "state_bytes": "bytes of checkpoints",
}
PARENT = {"name": "parent", "version": "its version", "weights_sha256": "its weights (SHA-256)"}
WEIGHTS = {
    "training_sha256": "trained weights (SHA-256)",
    "model_sha256": "weights of the bundle (SHA-256)",
    "licence": "licence",
}


def write_report(folder: Path) -> Path:
    """Write the report of a training from what lies in its folder.

    Args:
        folder: with before_after.json, ``bundle/``, ``evaluation/``, plan.json, training.csv and, where pictures were drawn
            meanwhile, ``pictures/``.

    Returns:
        the report.

    Raises:
        InputError: when one of them cannot be read, or the report cannot be written.
    """
    folder = folder.expanduser().absolute()
    metadata = read_json(folder / BUNDLE / METADATA)
    rows = read_json(folder / COMPARISON)
    before, after = (read_evaluation(folder / EVALUATION / f"canonical-{when}") for when in WHEN)
    page = Page(
        f"Training of {metadata['name']} {metadata['version']}",
        _sentence(metadata, rows),
        [
            Section("Before and after", [_chart(rows), _table(rows)]),
            Section("Loss", _loss(folder / LOG), "The mean of each epoch."),
            Section("While it trained", _latest(folder / PICTURES)),
            *evaluations.parts(after)[:-1],
            Section("Presence before", evaluations.presence(before)),
            Section("Presence after", evaluations.presence(after)),
            Section(
                "Training and weights",
                [
                    Facts(stated(metadata["training"], TRAINING), "Training"),
                    Facts(stated(read_json(folder / PLAN), TAKEN), "Plan"),
                    Facts(
                        [
                            *stated(metadata["parent"], PARENT),
                            *stated(read_json(folder / BUNDLE / "models/weights.json"), WEIGHTS),
                        ],
                        "Weights",
                    ),
                ],
            ),
            Section("What the figures after the training depend on", evaluations.facts(after)),
        ],
    )
    return write_page(page, folder)


def _sentence(metadata: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    first = rows[0]
    return (
        f"From {metadata['parent']['name']} {metadata['parent']['version']}, {metadata['training']['summary']}. "
        f"Dice of {first['target']} in {first['where']}: {first['before']:.3f} before, {first['after']:.3f} after."
    )


def _label(row: Mapping[str, Any]) -> str:
    return f"{row['where']}: {row['target']}"


def _chart(rows: Sequence[Mapping[str, Any]]) -> Chart:
    lines = []
    for row in rows:
        label = _label(row)
        text = f"{row['before']:.3f} → {row['after']:.3f}"
        pairs = [(row[when], row[f"{when}_interval"]) for when in WHEN]
        lines.append(ChartRow(label, means(pairs, f"{label}: {text}"), text))
    note = (
        "Dice on the validation list, and on phantoms of what the parent was taught: above in grey before, below in colour"
        " after the training, with 95 % intervals over patients."
    )
    return Chart(lines, evaluations.AXIS, note)


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    lines = [
        [
            _label(row),
            *(with_span(row[when], row[f"{when}_interval"]) for when in WHEN),
            f"{row['after'] - row['before']:+.3f}",
            str(row["images"]),
        ]
        for row in rows
    ]
    return Table(["target", "Dice before", "after", "difference", "images"], lines)


def _loss(file: Path) -> list[Content]:
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        values = [float(row["loss"]) for row in rows]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{file.parent.name}/{file.name}: cannot be read; run the training again, then its report."
        ) from error
    if not values:
        return []
    title = f"loss, from {values[0]:.3g} to {values[-1]:.3g}"
    top = f"{max(0, *values):.3g} at the upper edge, {min(0, *values):.3g} at the lower one"
    ends = [f"epoch {rows[end]['epoch']}: {values[end]:.3g}" for end in (0, -1)]
    return [Curve(curve(values, title), top, *ends)]


def _latest(folder: Path) -> list[Content]:
    """The last of the pictures that were drawn while it trained, by the numbers in their names."""
    files = sorted(
        folder.glob("*.png"), key=lambda file: ([int(n) for n in re.findall(r"\d+", file.stem)], file.stem)
    )
    return [Pictures([Picture(embedded(files[-1]), files[-1].stem)])] if files else []
