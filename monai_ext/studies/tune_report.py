"""The report of a search over settings: all settings with their figures, the best one as an overlay, and notes."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.errors import InputError
from monai_ext.files import whole_file
from monai_ext.metrics.summary import bootstrap_interval
from monai_ext.studies.tune_settings import Setting, describe_setting, format_value, overrides

PRESENCE = ("auc", "false_positive_rate", "miss_rate")


@dataclass(frozen=True)
class Entry:
    """One finished evaluation.

    Attributes:
        folder: with its metrics.json and cases.csv.
        setting: values by id that differ from the bundle's own.
        figures: the content of metrics.json.
        seconds: duration of the evaluation.
    """

    folder: Path
    setting: Setting
    figures: dict[str, Any]
    seconds: float


@dataclass
class Search:
    """A search and its progress.

    Attributes:
        output: folder.
        facts: all that the results depend on, see :meth:`monai_ext.studies.evaluate.EvaluationTask.facts`.
        metric: whose mean decides.
        axes: values to try by id.
        values: the bundle's own values by id.
        limit, seed: number of cases that are drawn, and seed of this draw and of that of settings.
        requested: number of settings, with the bundle's own.
        done: how many of them are scored.
        holdout: the comparison on another list, see :func:`compare`.
    """

    output: Path
    facts: Mapping[str, Any]
    metric: str
    axes: Mapping[str, Sequence[Any]]
    values: Mapping[str, Any]
    limit: int | None
    seed: int
    requested: int
    done: int = 0
    holdout: dict[str, Any] | None = None

    @property
    def statement(self) -> str:
        """The sentence that must accompany every result of the best setting."""
        return f"labels of the list '{self.facts['split']}' choose the setting, so results with it are not zero-shot"


def means(figures: Mapping[str, Any]) -> dict[str, float | None]:
    """The means over all pairs of image and target by metric, and the figures of presence."""
    pooled = {name: one["mean"] for name, one in figures["pooled"].items()}
    return {**pooled, **{name: figures["presence"][name] for name in PRESENCE}}


def score_of(figures: Mapping[str, Any], metric: str) -> float:
    """The mean that decides.

    Raises:
        InputError: when there is no metric of this name, or it is undefined on these cases.
    """
    found = {name: value for name, value in means(figures).items() if name not in ("hd95", *PRESENCE[1:])}
    if metric not in found:
        raise InputError(f"metric {metric!r}: choose from {', '.join(found)}.")
    value = found[metric]
    if value is None:
        raise InputError(f"metric {metric!r}: undefined on these cases; choose another list or metric.")
    return value


def ranked(entries: Iterable[Entry], metric: str) -> list[Entry]:
    """Evaluations with the best first; of equal ones the setting with the fewest changes comes first."""
    return sorted(
        entries,
        key=lambda one: (-score_of(one.figures, metric), len(one.setting), describe_setting(one.setting)),
    )


def compare(best: Entry, own: Entry, metric: str) -> dict[str, Any]:
    """Compare two evaluations of the same cases.

    Returns:
        ``best`` and ``default`` (see :func:`means`), ``gain``, the difference in `metric`, and ``gain_ci95``, its 95 %
        interval over patients from the differences of each prompt; None for a single patient and for a metric that
        single prompts do not have.
    """
    return {
        "best": means(best.figures),
        "default": means(own.figures),
        "gain": score_of(best.figures, metric) - score_of(own.figures, metric),
        "gain_ci95": _gain_interval(best, own, metric),
    }


def _gain_interval(best: Entry, own: Entry, metric: str) -> list[float] | None:
    scores = [_scores(entry, metric) for entry in (best, own)]
    both = [key for key in scores[0] if key in scores[1]]
    if not both:
        return None
    differences = np.array([scores[0][key][1] - scores[1][key][1] for key in both])
    return bootstrap_interval(differences, [scores[0][key][0] for key in both])


def _scores(entry: Entry, metric: str) -> dict[tuple[str, ...], tuple[tuple[str, str], float]]:
    """Patient and score by set, case, target and prompt, for all rows that have a score."""
    with (entry.folder / "cases.csv").open(newline="", encoding="utf-8") as file:
        return {
            (row["set"], row["case"], row["target"], row["prompt"]): (
                (row["set"], row["group"]),
                float(row[metric]),
            )
            for row in csv.DictReader(file)
            if row.get(metric)
        }


def make_report(search: Search, entries: Iterable[Entry]) -> dict[str, Any]:
    """The content of tune.json: the search and its results, the best first; without absolute paths."""
    order = ranked(entries, search.metric)
    best, own = order[0], next(one for one in order if not one.setting)
    rows = {entry.folder: _row(search, order, entry, own) for entry in order}
    interval = _gain_interval(best, own, search.metric)
    return {
        "labels_used": True,
        "statement": f"{search.statement}.",
        **search.facts,
        "limit": search.limit,
        "seed": search.seed,
        "metric": search.metric,
        "asked": {key: list(tried) for key, tried in search.axes.items()},
        "complete": search.done == search.requested,
        "done": f"{search.done} of {search.requested}",
        "best": {**rows[best.folder], "gain_ci95": interval},
        "default": rows[own.folder],
        "holdout": search.holdout,
        "notes": notes(search, order),
        "settings": list(rows.values()),
    }


def _row(search: Search, order: Sequence[Entry], entry: Entry, own: Entry) -> dict[str, Any]:
    score = score_of(entry.figures, search.metric)
    return {
        "setting": _whole(search, order, entry.setting),
        "default": entry is own,
        "score": score,
        "gain": score - score_of(own.figures, search.metric),
        "metrics": means(entry.figures),
        "sets": {name: means(figures) for name, figures in entry.figures["sets"].items()},
        "seconds": entry.seconds,
        "folder": entry.folder.relative_to(search.output).as_posix(),
    }


def _whole(search: Search, order: Sequence[Entry], setting: Setting) -> dict[str, Any]:
    """A setting with the bundle's own values for all ids that only other settings change."""
    keys = dict.fromkeys([*search.axes, *(key for entry in order for key in sorted(entry.setting))])
    return {key: setting.get(key, search.values[key]) for key in keys}


def notes(search: Search, order: Sequence[Entry]) -> list[str]:
    """Sentences to read before the best setting is used."""
    best, own = order[0], next(one for one in order if not one.setting)
    found = [] if best.setting else ["no setting is better than the bundle's own"]
    whole = _whole(search, order, best.setting)
    ineffective = [key for key in whole if _is_ineffective(search, order, key)]
    for key, value in whole.items():
        tried = [*search.axes.get(key, ()), *(_whole(search, order, entry.setting)[key] for entry in order)]
        numbers = [one for one in tried if isinstance(one, (int, float)) and not isinstance(one, bool)]
        if (
            key not in ineffective
            and value in numbers
            and min(numbers) < max(numbers)
            and value in (min(numbers), max(numbers))
        ):
            end = "lowest" if value == min(numbers) else "highest"
            found.append(
                f"the best {key}, {format_value(value)}, is the {end} of those tried; a wider range may be better"
            )
    found += [f"{key} changed no score" for key in ineffective]
    interval = _gain_interval(best, own, search.metric)
    if best.setting and interval and interval[0] <= 0 <= interval[1]:
        found.append("the gain may be chance: its 95 % interval over patients holds 0")
    absent = [means(entry.figures)["false_positive_rate"] for entry in (best, own)]
    if absent[0] is not None and absent[1] is not None and absent[0] > absent[1]:
        found.append(
            f"masks for absent things rise from {absent[1]:.1%} to {absent[0]:.1%}, which {search.metric} "
            "does not count".replace("%", " %")
        )
    if search.facts["cases"] < search.facts["cases_of_the_list"]:
        found.append(f"only {search.facts['cases']} of {search.facts['cases_of_the_list']} cases were scored")
    if best.setting and search.holdout is None:
        found.append(
            f"the best of {len(order)} looks better on the cases it was chosen by than on others; --holdout NAME "
            "scores it on another list"
        )
    return found


def _is_ineffective(search: Search, order: Sequence[Entry], key: str) -> bool:
    """Whether there are settings that differ in `key` alone, and all of these have the same score."""
    groups = defaultdict(list)
    for entry in order:
        rest = {**_whole(search, order, entry.setting), key: None}
        groups[json.dumps(rest)].append(score_of(entry.figures, search.metric))
    compared = [scores for scores in groups.values() if len(scores) > 1]
    return bool(compared) and all(min(scores) == max(scores) for scores in compared)


def write_report(search: Search, entries: Iterable[Entry]) -> dict[str, Any]:
    """Write tune.csv, best.json and tune.json, each whole or not at all.

    Returns:
        the content of tune.json.

    Raises:
        InputError: when the folder cannot be written.
    """
    report = make_report(search, entries)
    files = {
        "tune.csv": _table(report),
        "best.json": json.dumps(overlay(report, search.values), indent=4, ensure_ascii=False) + "\n",
        "tune.json": json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }
    for name, text in files.items():
        try:
            with whole_file(search.output / name) as path:
                path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise InputError(f"{name}: cannot be written ({error.strerror}).") from error
    return report


def _table(report: Mapping[str, Any]) -> str:
    lines = []
    for row in report["settings"]:
        sets = {
            f"{report['metric']} of {name}": one.get(report["metric"]) for name, one in row["sets"].items()
        }
        setting = {key: format_value(value) for key, value in row["setting"].items()}
        rest = {key: row[key] for key in ("default", "seconds", "folder")}
        line = {**setting, "score": row["score"], "gain": row["gain"], **row["metrics"], **sets, **rest}
        lines.append({key: f"{cell:.6g}" if isinstance(cell, float) else cell for key, cell in line.items()})
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(key for line in lines for key in line)))
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def overlay(report: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The best setting as a MONAI configuration to be laid over inference.json.

    Args:
        report: of :func:`make_report`.
        values: the bundle's own values by id; where the best setting has one of them, it is written as in the bundle.
    """
    best = report["best"]
    described = [
        f"Chosen with labels: {report['statement']}",
        f"The best of {len(report['settings'])} settings by {report['metric']} ({best['score']:.4f}; the bundle's "
        f"own {report['default']['score']:.4f}) on {report['cases']} of {report['cases_of_the_list']} cases.",
        f"To be laid over inference.json of bundle {report['bundle']} {report['version']}.",
    ]
    # MONAI reads these signs as references and code, also within descriptions
    plain = ["".join(sign for sign in line if sign not in "$@%#") for line in described]
    chosen = best["setting"]
    return {"_desc_": plain, **{key: _written(key, chosen[key], values[key]) for key in chosen}}


def _written(key: str, value: Any, own: Any) -> Any:
    if value == own:
        return own
    safe = overrides({key: value})[key]
    return value if safe == f"$'{value}'" else safe
