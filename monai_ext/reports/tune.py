"""``report.html`` of ``monai-ext tune``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_ext.reports import evaluations
from monai_ext.reports.charts import axis_of, distribution, limits_of, means
from monai_ext.reports.evaluations import read_evaluation
from monai_ext.reports.numbers import number, share, span, with_span
from monai_ext.reports.page import (
    Chart,
    ChartRow,
    Content,
    Facts,
    Figure,
    Figures,
    Notes,
    Page,
    Section,
    Table,
    stated,
    write_page,
)
from monai_ext.studies.tune_settings import describe_setting, format_value, plural

SHOWN = 30
"""Settings in chart and table; all are in tune.csv."""
COLUMNS = {"dice": "Dice", "iou": "IoU", "nsd": "NSD", "auc": "presence AUC"}
FACTS = {
    "metric": "what decides",
    "asked": "values to try",
    "limit": "cases drawn",
    "seed": "seed of the draws",
    "done": "settings scored",
}


def write_report(folder: Path) -> Path:
    """Write the report of a search from what lies in its folder.

    Args:
        folder: with tune.json, and the evaluations that it names.

    Returns:
        the report.

    Raises:
        InputError: when one of them cannot be read, or the report cannot be written.
    """
    folder = folder.expanduser().absolute()
    found = evaluations.read_json(folder / "tune.json")
    best = read_evaluation(folder / found["best"]["folder"])
    page = Page(
        f"Search over settings of {found['bundle']}",
        f"Best of {plural(len(found['settings']), 'setting')}: {describe_setting(found['best']['setting'])}",
        [
            Section("Figures", [_headline(found), Notes([found["statement"], *found["notes"]])]),
            Section("Settings", [_chart(found, folder), _table(found)], _how_many(found)),
            Section("Values one by one", _by_value(found)),
            *evaluations.parts(best),
            Section("All figures of the best setting", [evaluations.all_figures(best)]),
            Section("What the figures depend on", [Facts(stated(found, {**FACTS, **evaluations.FACTS}))]),
        ],
    )
    return write_page(page, folder)


def _headline(found: Mapping[str, Any]) -> Figures:
    metric, best = found["metric"], found["best"]
    name = COLUMNS.get(metric, metric)
    items = [
        Figure(f"{name}, best setting", number(best["score"]), describe_setting(best["setting"])),
        Figure(f"{name}, the bundle's own", number(found["default"]["score"])),
        Figure("gain", f"{best['gain']:+.3f}", span(best["gain_ci95"])),
        Figure("masks of absent things", share(best["metrics"]["false_positive_rate"]), "best setting"),
    ]
    if held := found["holdout"]:
        text = f"on {plural(held['cases'], 'case')} of '{held['split']}', which had no say"
        items.append(Figure("gain elsewhere", f"{held['gain']:+.3f}", _joined(text, held["gain_ci95"])))
    return Figures(items)


def _joined(text: str, interval: list[float] | None) -> str:
    return "; ".join(part for part in (text, span(interval)) if part)


def _how_many(found: Mapping[str, Any]) -> str:
    number_of = len(found["settings"])
    return f"The {SHOWN} best of {number_of}; all are in tune.csv." if number_of > SHOWN else ""


def _chart(found: Mapping[str, Any], folder: Path) -> Chart:
    metric = found["metric"]
    scores = []
    for row in found["settings"][:SHOWN]:
        figures = evaluations.read_json(folder / row["folder"] / "metrics.json")
        one = figures["presence"] if metric == "auc" else figures["pooled"][metric]
        scores.append((row, one["ci95"]))
    limits = limits_of([value for row, interval in scores for value in (row["score"], *(interval or ()))])
    lines = []
    for row, interval in scores:
        text = with_span(row["score"], interval)
        label = describe_setting(row["setting"]) + (" (the bundle's own)" if row["default"] else "")
        lines.append(ChartRow(label, means([(row["score"], interval)], f"{label}: {text}", limits), text))
    note = f"Mean {COLUMNS.get(metric, metric)} with its 95 % interval over patients."
    return Chart(lines, axis_of(limits), note)


def _table(found: Mapping[str, Any]) -> Table:
    ids = list(found["best"]["setting"])
    names = [name for name in COLUMNS if name in found["best"]["metrics"]]
    lines = []
    for row in found["settings"][:SHOWN]:
        cells = [format_value(row["setting"][key]) for key in ids]
        cells += [number(row["score"]), f"{row['gain']:+.3f}"]
        cells += [number(row["metrics"][name]) for name in names]
        cells += [share(row["metrics"][name]) for name in ("false_positive_rate", "miss_rate")]
        lines.append([*cells, "the bundle's own" if row["default"] else ""])
    titles = [COLUMNS[name] for name in names]
    columns = ["score", "gain", *titles, "masks of absent things", "targets without a mask", ""]
    return Table([*ids, *columns], lines)


def _by_value(found: Mapping[str, Any]) -> list[Content]:
    """For each id that was varied, the scores of all settings with each of its values."""
    rows = found["settings"]
    limits = limits_of([row["score"] for row in rows])
    charts: list[Content] = []
    for key in found["best"]["setting"]:
        values: dict[str, list[float]] = {}
        for row in sorted(rows, key=lambda row: _order(row["setting"][key])):
            values.setdefault(format_value(row["setting"][key]), []).append(row["score"])
        if len(values) > 1:
            lines = []
            for value, scores in values.items():
                text = f"best {max(scores):.3f}, n\u00a0=\u00a0{len(scores)}"
                lines.append(
                    ChartRow(value, distribution(scores, None, f"{key} {value}: {text}", limits), text)
                )
            charts.append(Chart(lines, axis_of(limits), "Each tick is a setting, by its score.", key))
    return charts


def _order(value: Any) -> tuple[bool, float, str]:
    """Numbers by size, before everything else by its text."""
    number_of = isinstance(value, (int, float))
    return not number_of, value if number_of else 0.0, str(value)
