"""``report.html`` of ``monai-ext compare``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.reports import evaluations
from monai_ext.reports.charts import axis_of, distribution, limits_of, means
from monai_ext.reports.evaluations import (
    Evaluation,
    confusion_counts,
    dice_of,
    read_evaluation,
    thirds,
)
from monai_ext.reports.numbers import with_span
from monai_ext.reports.page import (
    Chart,
    ChartRow,
    Content,
    Facts,
    Notes,
    Page,
    Section,
    Table,
    stated,
    write_page,
)
from monai_ext.studies.compare import REPORT
from monai_ext.studies.compare_table import method_cells, with_interval

FACTS = {
    "split": "list of the data",
    "sets": "cases by set",
    "cases": "cases",
    "patients": "patients with a target in their image",
    "limit": "cases drawn",
    "seed": "seed of the draw",
    "data_sha256": "images, labels and prompts (SHA-256)",
}
METHOD = {
    "masks": "masks",
    **{key: name for key, name in evaluations.FACTS.items() if key not in (*FACTS, "cases_of_the_list")},
}
"""Of one method; the rest is the same for all."""


def write_report(folder: Path) -> Path:
    """Write the report of a comparison from what lies in its folder.

    Args:
        folder: with compare.json, and the evaluations that it names.

    Returns:
        the report.

    Raises:
        InputError: when one of them cannot be read, or the report cannot be written.
    """
    folder = folder.expanduser().absolute()
    found = evaluations.read_json(folder / REPORT)
    rows = found["methods"]
    runs = {row["name"]: read_evaluation(folder / row["folder"]) for row in rows}
    best = rows[0]["name"]
    page = Page(
        "Comparison of methods",
        f"{found['statement'][:1].upper()}{found['statement'][1:]}.",
        [
            Section("Methods", [_means(rows), _table(rows), Notes(found["notes"])]),
            Section("Difference from the best", _differences(rows)),
            Section("Dice by target", _by_target(runs), evaluations.KEY),
            Section("Dice by difficulty", _by_difficulty(runs), evaluations.SIZES),
            *(Section(f"Dice by {fact}", [_groups(fact, of)]) for fact, of in found["subgroups"].items()),
            Section(
                f"Cases of {best}",
                evaluations.chosen_cases(runs[best]),
                "From left to right: the image, the reference, the result.",
            ),
            Section("Presence", [_confusion(runs)]),
            Section("What the figures depend on", [Facts(stated(found, FACTS)), *_facts(runs)]),
        ],
    )
    return write_page(page, folder)


def _means(rows: Sequence[Mapping[str, Any]]) -> Chart:
    lines = []
    for row in rows:
        text = with_interval(row["dice"])
        marks = means([(row["dice"]["mean"], row["dice"]["ci95"])], f"{row['name']}: {text}")
        lines.append(ChartRow(row["name"], marks, text))
    return Chart(lines, evaluations.AXIS, "Mean Dice with its 95 % interval over patients.")


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The table as the terminal shows it, without columns that nothing was measured for."""
    cells = [method_cells(row) for row in rows]
    shown = [title for title in cells[0] if any(line[title] for line in cells)]
    return Table(shown, [[line[title] for title in shown] for line in cells])


def _differences(rows: Sequence[Mapping[str, Any]]) -> list[Content]:
    others = rows[1:]
    ends = [value for row in others for value in (row["difference"], *(row["difference_ci95"] or ()))]
    limits = limits_of([*ends, 0.0])
    lines = []
    for row in others:
        interval = row["difference_ci95"]
        text = f"{row['difference']:+.3f}"
        text += f" ({interval[0]:+.2f} to {interval[1]:+.2f})" if interval else ""
        marks = means([(row["difference"], interval)], f"{row['name']}: {text}", limits)
        lines.append(ChartRow(row["name"], marks, text))
    note = f"Difference of Dice from {rows[0]['name']}, with its 95 % interval over patients; 0 is no difference."
    return [Chart(lines, axis_of(limits), note)]


def _by_target(runs: Mapping[str, Evaluation]) -> list[Content]:
    """A chart for each set and target, with a row for each method."""
    pairs = dict.fromkeys((row["set"], row["target"]) for one in runs.values() for row in one.present)
    charts: list[Content] = []
    for name, target in sorted(pairs):
        lines = []
        for method, one in runs.items():
            rows = [row for row in one.present if (row["set"], row["target"]) == (name, target)]
            lines += [_chart_row(method, rows)] if rows else []
        charts.append(Chart(lines, evaluations.AXIS, heading=f"{target} ({name})"))
    return charts


def _chart_row(method: str, rows: Sequence[Mapping[str, str]]) -> ChartRow:
    mean, interval = dice_of(rows)
    text = with_span(mean, interval)
    return ChartRow(
        method, distribution([float(row["dice"]) for row in rows], interval, f"{method}: {text}"), text
    )


def _by_difficulty(runs: Mapping[str, Evaluation]) -> list[Content]:
    """Dice of every method by thirds of the share of the image that the target takes."""
    lines = []
    for method, one in runs.items():
        if len(one.present) >= evaluations.FEWEST and "image_voxels" in one.present[0]:
            lines.append([method, *(with_span(*dice_of(rows)) for _, rows in thirds(one.present))])
    return [Table(["method", *evaluations.THIRDS], lines)] if lines else []


def _groups(fact: str, groups: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    names = list(next(iter(groups.values())))
    lines = [
        [
            value,
            *(with_interval(figures[name]) for name in names),
            str(max(one["n"] for one in figures.values())),
        ]
        for value, figures in groups.items()
    ]
    return Table([fact, *names, "images and targets"], lines)


def _confusion(runs: Mapping[str, Evaluation]) -> Table:
    columns = ["method", "in the image: mask", "no mask", "not in the image: mask", "no mask"]
    lines = [
        [name, *(str(count) for present in (True, False) for count in confusion_counts(one, present))]
        for name, one in runs.items()
    ]
    return Table(columns, lines)


def _facts(runs: Mapping[str, Evaluation]) -> list[Content]:
    return [content for name, one in runs.items() for content in evaluations.facts(one, name, METHOD)]
