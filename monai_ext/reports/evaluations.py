"""What an evaluation wrote, and the sections of a report that are made of it: those of all four reports."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.errors import InputError
from monai_ext.metrics.summary import bootstrap_interval
from monai_ext.reports.charts import distribution
from monai_ext.reports.numbers import number, share, span, with_span
from monai_ext.reports.page import (
    Chart,
    ChartRow,
    Content,
    Facts,
    Figure,
    Figures,
    Notes,
    Picture,
    Pictures,
    Section,
    Table,
    embedded,
    stated,
)
from monai_ext.studies.evaluate import RECORD
from monai_ext.studies.tune_settings import plural

AXIS = ("0", "0.25", "0.5", "0.75", "1")
KEY = (
    "Dice from 0 to 1. Each tick is an image; the box holds the middle half of them and its line is the median; the bar below"
    " is the 95 % interval of the mean over patients."
)
SIZES = "Targets by their share of the image, as the reference has it."
THIRDS = ("smallest third", "middle third", "largest third")
FEWEST = 6
"""Images of which thirds are shown."""
PICTURED = 60
"""Pictures in a report, at most; all are in the folder."""
TICKS = 1000
"""Prompts that have a tick each; more would make a report of many megabytes."""
FACTS = {
    "bundle": "bundle",
    "version": "version of the bundle",
    "variants": "variants (SHA-256)",
    "weights": "weights",
    "configuration_sha256": "configuration (SHA-256)",
    "split": "list of the data",
    "sets": "cases by set",
    "cases": "cases",
    "cases_of_the_list": "cases of the list",
    "data_sha256": "images, labels and prompts (SHA-256)",
    "wording": "wording of the prompts",
    "device": "device",
    "versions": "versions",
}
"""Facts of an evaluation, see :meth:`monai_ext.studies.evaluate.EvaluationTask.facts`, in the order of the report."""


@dataclass(frozen=True)
class Evaluation:
    """An evaluation as it lies in a folder.

    Attributes:
        folder: of its pictures.
        figures: the content of metrics.json.
        rows: of cases.csv, a text in every cell.
        record: the content of setting.json; {} where there is none.
    """

    folder: Path
    figures: Mapping[str, Any]
    rows: Sequence[Mapping[str, str]]
    record: Mapping[str, Any]

    @property
    def present(self) -> list[Mapping[str, str]]:
        """The rows whose target is in the image."""
        return [row for row in self.rows if row["present"] == "True"]


def read_evaluation(folder: Path) -> Evaluation:
    """Read metrics.json, cases.csv and, where there is one, setting.json.

    Raises:
        InputError: when one of them cannot be read.
    """
    rows = read_table(folder / "cases.csv")
    record = read_json(folder / RECORD) if (folder / RECORD).exists() else {}
    return Evaluation(folder, read_json(folder / "metrics.json"), rows, record)


def read_table(file: Path) -> list[dict[str, str]]:
    """The lines of a CSV file, a text in every cell.

    Raises:
        InputError: when it cannot be read.
    """
    try:
        with file.open(newline="", encoding="utf-8") as opened:
            return list(csv.DictReader(opened))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file.parent.name}/{file.name}: cannot be read; run the command again, then its report."
        ) from error


def read_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: when it cannot be read.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file.parent.name}/{file.name}: cannot be read; run the command again, then its report."
        ) from error


def headline(figures: Mapping[str, Any]) -> Figures:
    """Dice, IoU, NSD and HD95 with their intervals, how well presence is told, and what else was scored."""
    pooled, presence = figures["pooled"], figures["presence"]
    items = [
        Figure(name, number(pooled[key]["mean"]), span(pooled[key]["ci95"]))
        for key, name in (("dice", "Dice"), ("iou", "IoU"), ("nsd", "NSD"))
        if key in pooled
    ]
    if "hd95" in pooled:
        one = pooled["hd95"]
        empty = f"; undefined for {plural(one['undefined'], 'empty mask')}" if one["undefined"] else ""
        value = "undefined" if one["mean"] is None else f"{one['mean']:.1f} {one['unit']}"
        items.append(Figure("HD95", value, f"{span(one['ci95'], 1)}{empty}"))
    items += [
        Figure("presence AUC", number(presence["auc"]), span(presence["ci95"])),
        Figure("masks of absent things", share(presence["false_positive_rate"]), f"of {presence['absent']}"),
        Figure("targets without a mask", share(presence["miss_rate"]), f"of {presence['present']}"),
    ]
    if lesions := figures.get("lesions"):
        items.append(Figure("F1 by lesion", number(lesions["mean"]), span(lesions["ci95"])))
    if quality := figures.get("quality"):
        title = "rank correlation of quality and Dice"
        items.append(Figure(title, number(quality["spearman"]), span(quality["ci95"])))
    return Figures(items)


def by_target(one: Evaluation) -> list[Content]:
    """Dice of every target of every set."""
    rows = []
    several = len(one.figures["sets"]) > 1
    for name, figures in one.figures["sets"].items():
        for target, scores in figures["targets"].items():
            found = [row for row in one.present if (row["set"], row["target"]) == (name, target)]
            label = f"{name}: {target}" if several else target
            rows.append(_chart_row(label, found, scores["dice"]["mean"], scores["dice"]["ci95"]))
    return [Chart(rows, AXIS, KEY)] if rows else []


def by_difficulty(one: Evaluation) -> list[Content]:
    """Dice by thirds of the share of the image that the target takes, and by the difficulty that the data state."""
    charts = []
    if len(one.present) >= FEWEST and "image_voxels" in one.present[0]:
        rows = [
            _chart_row(f"{name}, {_range(found)} of the image", found) for name, found in thirds(one.present)
        ]
        charts.append(Chart(rows, AXIS, SIZES))
    levels = []
    for level, scores in one.figures.get("difficulty", {}).items():
        found = [row for row in one.present if row["difficulty"] == level]
        levels.append(_chart_row(level, found, scores["dice"]["mean"], scores["dice"]["ci95"]))
    return [
        *charts,
        *([Chart(levels, AXIS, heading="By the difficulty that the data set states")] if levels else []),
    ]


def thirds(rows: Sequence[Mapping[str, str]]) -> list[tuple[str, list[Mapping[str, str]]]]:
    """Rows whose target is in the image, by its share of it: three parts of equal number, as far as they divide."""
    ordered = sorted(rows, key=lambda row: (_portion(row), row["set"], row["case"], row["target"]))
    parts = np.array_split(np.arange(len(ordered)), 3)
    return [(name, [ordered[i] for i in part]) for name, part in zip(THIRDS, parts, strict=True)]


def _portion(row: Mapping[str, str]) -> float:
    return int(row["reference_voxels"]) / int(row["image_voxels"])


def _range(rows: Sequence[Mapping[str, str]]) -> str:
    low, high = (f"{100 * _portion(rows[end]):.2g}" for end in (0, -1))
    return f"{low} %" if low == high else f"{low} to {high} %"


def dice_of(rows: Sequence[Mapping[str, str]]) -> tuple[float, list[float] | None]:
    """The mean Dice of rows whose target is in the image, and its 95 % interval over patients."""
    values = np.array([float(row["dice"]) for row in rows])
    return float(values.mean()), bootstrap_interval(values, [(row["set"], row["group"]) for row in rows])


def _chart_row(
    label: str,
    rows: Sequence[Mapping[str, str]],
    mean: float | None = None,
    interval: Sequence[float] | None = None,
) -> ChartRow:
    """A row of the Dice of some rows of cases.csv; mean and interval are computed where metrics.json has none."""
    if mean is None:
        mean, interval = dice_of(rows)
    text = f"{with_span(mean, interval)}, n\u00a0=\u00a0{len(rows)}"
    return ChartRow(
        label, distribution([float(row["dice"]) for row in rows], interval, f"{label}: {text}"), text
    )


def chosen_cases(one: Evaluation) -> list[Content]:
    """The worst, the median and the best case of each target: image, reference and result side by side."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for picture in one.figures.get("overlays", []):
        if "panels" in picture:  # evaluations of earlier versions have none
            groups.setdefault((picture["set"], picture["target"]), []).append(picture)
    shown: list[Content] = []
    number = 0
    for (name, target), members in groups.items():
        chosen = members if len(members) <= 3 else [members[0], members[(len(members) - 1) // 2], members[-1]]
        if number + len(chosen) > PICTURED:
            shown.append(Notes(["Pictures of further targets are in the folder of the evaluation."]))
            break
        number += len(chosen)
        words = ("worst", "best") if len(chosen) == 2 else ("worst", "median", "best")
        items = [
            Picture(
                embedded(one.folder / picture["panels"]),
                f"{word} case, {picture['case']}: Dice {picture['dice']:.3f}, presence {picture['presence']:.2f},"
                f" asked for “{picture['prompt']}”",
            )
            for word, picture in zip(words, chosen)
        ]
        shown.append(Pictures(items, f"{target} ({name})"))
    return shown


def confusion(one: Evaluation) -> Table:
    """How many prompts got a mask, of those whose target is in the image and of those whose target is not."""
    rows = []
    for name, present in (("in the image", True), ("not in the image", False)):
        masked, empty = confusion_counts(one, present)
        rows.append([name, _of(masked, masked + empty), _of(empty, masked + empty), str(masked + empty)])
    return Table(["what the prompt names is", "mask given", "no mask", "prompts"], rows)


def confusion_counts(one: Evaluation, present: bool) -> tuple[int, int]:
    """Prompts that got a mask and those that got none, of those whose target is in the image, or is not."""
    masks = [int(row["voxels"]) > 0 for row in one.rows if (row["present"] == "True") is present]
    return sum(masks), len(masks) - sum(masks)


def presence(one: Evaluation) -> list[Content]:
    """The confusion table, and the stated presence of prompts whose target is, or is not, in the image."""
    rows = []
    for name, present in (("in the image", "True"), ("not in the image", "False")):
        values = [float(row["presence"]) for row in one.rows if row["present"] == present]
        if values:
            text = f"median {np.median(values):.3f}, n\u00a0=\u00a0{len(values)}"
            ticks = np.quantile(values, np.linspace(0, 1, TICKS)).tolist() if len(values) > TICKS else values
            rows.append(ChartRow(name, distribution(ticks, None, f"presence, {name}: {text}"), text))
    note = f"Presence as the method states it, from 0 to 1; each tick is a prompt, of more than {TICKS} a quantile."
    return [confusion(one), Chart(rows, AXIS, note)]


def all_figures(one: Evaluation) -> Table:
    """Means by target, and over all, of every metric."""
    pooled = one.figures["pooled"]
    titles = {"dice": "Dice", "iou": "IoU", "nsd": "NSD", "hd95": "HD95"}
    names = [name for name in [*titles, *(key for key in pooled if key not in titles)] if name in pooled]
    rows = [
        [label, *(_mean(scores.get(name)) for name in names), str(scores["dice"]["n"])]
        for label, scores in [*one.figures["targets"].items(), ("all", pooled)]
    ]
    columns = [titles.get(name, name.replace("_", " ")) for name in names]
    return Table(["target", *columns, "images"], rows)


def facts(one: Evaluation, heading: str = "", names: Mapping[str, str] = FACTS) -> list[Content]:
    """What the figures depend on: bundle, weights, data and versions, with their hashes."""
    items = stated(one.record.get("facts", {}), names)
    setting = one.record.get("setting")
    items += stated({"setting": setting}, {"setting": "values that differ from the bundle's own"})
    return [Facts(items, heading)] if items else []


def parts(one: Evaluation) -> list[Section]:
    """The sections that show the cases of one evaluation."""
    return [
        Section("Dice by target", by_target(one)),
        Section("Dice by difficulty", by_difficulty(one)),
        Section("Cases", chosen_cases(one), "From left to right: the image, the reference, the result."),
        Section("Presence", presence(one)),
    ]


def _mean(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return ""
    if "unit" in figures:
        return "undefined" if figures["mean"] is None else f"{figures['mean']:.1f} {figures['unit']}"
    return with_span(figures["mean"], figures["ci95"])


def _of(count: int, total: int) -> str:
    return f"{count} ({100 * count / total:.0f} %)" if total else "0"
