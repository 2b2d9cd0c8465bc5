"""``monai-ext compare``: every method evaluated once on the same cases, then one table.

Evaluations are kept as those of ``monai-ext tune`` are (:class:`monai_ext.studies.kept_evaluations.Evaluations`), each in a folder
named by a hash of all that it depends on.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.bundle import runner
from monai_ext.errors import InputError
from monai_ext.files import check_writable, whole_file
from monai_ext.studies.compare_methods import (
    BUNDLE,
    Asked,
    Method,
    Question,
    parse_methods,
    read_floors,
    read_method,
)
from monai_ext.studies.compare_report import (
    MEANS,
    Pair,
    Result,
    group_notes,
    make_rows,
    number_of_patients,
    result_notes,
    statement,
    subgroups,
)
from monai_ext.studies.evaluate import EvaluationTask, data_hash
from monai_ext.studies.kept_evaluations import Evaluations
from monai_ext.studies.peak_memory import measure_peak
from monai_ext.studies.scored_masks import Item
from monai_ext.studies.subgroups import group_cases
from monai_ext.studies.training_data import training_notes
from monai_ext.studies.tune_report import Entry
from monai_ext.studies.tune_settings import plural

REPORT, TABLE, MEMORY = "compare.json", "compare.csv", "memory.json"

Say = Callable[[str], None]


def run_compare(
    texts: Sequence[str],
    question: Question,
    output: Path,
    *,
    by: Sequence[str] = (),
    paraphrases: bool = True,
    floors: bool = True,
    memory: bool = False,
    trust: bool = False,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Evaluate methods on the same labelled cases and compare them.

    Args:
        texts: the methods, see :func:`monai_ext.studies.compare_methods.parse_methods`.
        question: the cases.
        output: folder; compare.json and compare.csv are written into it, evaluations into its ``runs``.
        by: facts of the items that make subgroups, see :func:`monai_ext.studies.subgroups.group_cases`.
        paraphrases: also evaluate bundles with the held-out wordings.
        floors: also score the mean training mask and Otsu's threshold.
        memory: also measure the peak of memory of bundles, each in a process of its own.
        trust: see :func:`monai_ext.bundle.check.find_trusted_bundle`.
        say: called with lines about the progress.

    Returns:
        the content of compare.json.

    Raises:
        InputError, WeightsError: for what the user can correct.
    """
    output = output.expanduser().absolute()
    if output.exists() and not output.is_dir():
        raise InputError(f"{output.name}: the output is a folder, but this is a file; choose another name.")
    named = parse_methods(texts, trust)
    items = question.items()
    cases = data_hash(items)
    _check_same(output, cases)
    sets = list(dict.fromkeys(item["set"] for item in items))
    facts = list(dict.fromkeys([*(["set"] if len(sets) > 1 else []), *by]))
    groups = group_cases(question.data, question.split, question.sets, facts)
    methods, notes = _methods(named, question, items, floors)
    check_writable(output / REPORT)
    with runner.removed_if_empty(output):
        kept = {method.name: Evaluations(method.task, output) for method in methods}
        _check_different(kept)
        asked = [one for one in methods if paraphrases and one.kind == BUNDLE]
        worded = {one.name: _paraphrased(one, output) for one in asked}
        say(_announcement(methods, kept, worded, len(items)))
        results = []
        for number, method in enumerate(methods, 1):
            result = _evaluate(method, kept[method.name], worded.get(method.name), len(items), memory)
            say(f"{number}/{len(methods)}  {method.name}: Dice {_mean_dice(result)}")
            results.append(result)
        rows = make_rows(results)
        results.sort(key=lambda one: [row["name"] for row in rows].index(one.name))
        figures = subgroups(results, groups)
        notes = [*result_notes(results, rows, _pairs(items)), *group_notes(rows, figures), *notes]
        report = {
            "statement": statement(rows),
            "split": question.split,
            "cases": len(items),
            "patients": number_of_patients(results),
            "sets": {name: sum(item["set"] == name for item in items) for name in sets},
            "data_sha256": cases,
            "limit": question.limit,
            "seed": question.seed,
            "methods": rows,
            "subgroups": figures,
            "notes": [*notes, *_bundle_notes(methods, kept, items, cases)],
        }
        _write(output, report)
    return report


def _methods(
    named: Sequence[Asked], question: Question, items: Sequence[Item], floors: bool
) -> tuple[list[Method], list[str]]:
    """What was asked for and the floors, with notes on these."""
    methods = [read_method(one, question, items) for one in named]
    added, notes = read_floors(question, items) if floors else ([], [])
    for method in methods:
        if method.name in {floor.name for floor in added}:
            raise InputError(f"{method.name}: a floor has this name; choose another, or add --no-floors.")
    methods += added
    if len(methods) < 2:
        raise InputError("one method; give two or more to compare, or leave the floors in.")
    return methods, notes


def _check_same(output: Path, cases: str) -> None:
    file = output / REPORT
    if not file.is_file():
        return
    try:
        earlier = json.loads(file.read_text(encoding="utf-8"))["data_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        earlier = None
    if earlier != cases:
        raise InputError(f"{output.name}: it holds a comparison on other cases; choose another folder.")


def _check_different(kept: Mapping[str, Evaluations]) -> None:
    seen: dict[str, str] = {}
    for name, one in kept.items():
        content = json.dumps(one.facts, sort_keys=True)
        if content in seen:
            raise InputError(f"{name} is the same as {seen[content]}; a comparison is of different methods.")
        seen[content] = name


def _paraphrased(method: Method, output: Path) -> Evaluations:
    try:
        return Evaluations(method.paraphrased(), output)
    except InputError as error:
        raise InputError(f"{error} --no-paraphrases leaves other wordings out.") from error


def _announcement(
    methods: Sequence[Method], kept: Mapping[str, Evaluations], worded: Mapping[str, Evaluations], cases: int
) -> str:
    evaluations = [*kept.values(), *worded.values()]
    done = sum({} in one for one in evaluations)
    line = f"{plural(len(methods), 'method')}, {plural(len(evaluations), 'evaluation')} of {plural(cases, 'case')}"
    return line + (f"; {done} of them done before" if done else "")


def _evaluate(
    method: Method, evaluations: Evaluations, worded: Evaluations | None, cases: int, memory: bool
) -> Result:
    entry = evaluations.of({})
    rows = [row for row in read_rows(entry.folder) if row["target"]]
    present = {_pair(row): row for row in rows if row["present"] == "True"}
    paraphrases: dict[Pair, list[float]] = {}
    for row in [] if worded is None else read_rows(worded.of({}).folder):
        if _pair(row) in present:
            paraphrases.setdefault(_pair(row), []).append(float(row["dice"]))
    return Result(
        name=method.name,
        kind=method.kind,
        figures=entry.figures,
        scores={pair: float(row["dice"]) for pair, row in present.items()},
        patients={pair: (row["set"], row["group"]) for pair, row in present.items()},
        absent={_pair(row): int(row["voxels"]) > 0 for row in rows if row["present"] != "True"},
        folder=f"runs/{entry.folder.name}",
        seconds=entry.seconds / cases if method.kind == BUNDLE else None,
        paraphrases=paraphrases,
        peak_bytes=_peak(method, entry) if memory else None,
    )


def read_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of an evaluation's cases.csv, a text in every cell."""
    with (folder / "cases.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _pair(row: Mapping[str, str]) -> Pair:
    return row["set"], row["case"], row["target"]


def _peak(method: Method, entry: Entry) -> int | None:
    """Measured once, and kept beside the evaluation; of bundles only."""
    if not isinstance(method.task, EvaluationTask):
        return None
    file = entry.folder / MEMORY
    if file.is_file():
        return int(json.loads(file.read_text(encoding="utf-8"))["peak_bytes"])
    peak = measure_peak(method.task)
    with whole_file(file) as path:
        path.write_text(json.dumps({"peak_bytes": peak}) + "\n", encoding="utf-8")
    return peak


def _mean_dice(result: Result) -> str:
    mean = result.figures["pooled"].get("dice", {}).get("mean")
    return "undefined" if mean is None else f"{mean:.4f}"


def _pairs(items: Sequence[Item]) -> list[Pair]:
    return [(item["set"], item["case"], target) for item in items for target in item["target"] if target]


def _bundle_notes(
    methods: Sequence[Method], kept: Mapping[str, Evaluations], items: Sequence[Item], cases: str
) -> list[str]:
    bundles = {one.name: one.task.bundle for one in methods if isinstance(one.task, EvaluationTask)}
    other = [name for name in bundles if kept[name].facts["data_sha256"] != cases]
    notes = [f"{name} is asked other prompts than the others, by its evaluate.json" for name in other]
    return notes + training_notes(list(dict.fromkeys(bundles.values())), items)


def _write(output: Path, report: Mapping[str, Any]) -> None:
    """Write compare.csv and compare.json, each whole or not at all.

    Raises:
        InputError: when the folder cannot be written.
    """
    content = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    for name, text in {TABLE: _table(report["methods"]), REPORT: content}.items():
        try:
            with whole_file(output / name) as path:
                path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise InputError(f"{name}: cannot be written ({error.strerror}).") from error


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line a method; an empty cell is an unknown value."""
    text = io.StringIO(newline="")
    lines = [_line(row) for row in rows]
    writer = csv.DictWriter(text, list(lines[0]))
    writer.writeheader()
    for line in lines:
        writer.writerow(
            {key: f"{cell:.6g}" if isinstance(cell, float) else cell for key, cell in line.items()}
        )
    return text.getvalue()


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {"method": row["name"], "kind": row["kind"], "score": row["score"]}
    for name in (*MEANS, "lesions", "auc"):
        figures = row[name] or {"mean": None, "ci95": None}
        low, high = figures["ci95"] or (None, None)
        line |= {name: figures["mean"], f"{name}_low": low, f"{name}_high": high}
    words, masks = row["words"] or {}, row["false_masks"] or {}
    line["false_positive_rate"] = row["false_positive_rate"]
    line |= {
        "false_masks": masks.get("mean"),
        "words_dice": words.get("dice"),
        "words_spread": words.get("spread"),
    }
    low, high = row["difference_ci95"] or (None, None)
    line |= {"difference": row["difference"], "difference_low": low, "difference_high": high}
    same = ("patients", "p", "p_holm", "mean_rank", "first_rank", "seconds", "peak_bytes", "folder")
    return line | {name: row[name] for name in same}
