"""``monai-ext tune``: a search over values of a bundle's configuration on labelled data; its reports say so.

Each setting is one evaluation (:func:`monai_ext.bundle.runner.run_evaluate`) in a folder of its own, whose name is a hash
of setting, data, bundle and weights, so that no evaluation runs twice.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import monai
import torch

import monai_ext
from monai_ext.bundle import configs, runner
from monai_ext.data.datasets import Folder
from monai_ext.errors import InputError
from monai_ext.files import check_writable, whole_file
from monai_ext.handlers.metrics import SCORES
from monai_ext.io.case_names import input_hash
from monai_ext.studies.tune_report import Entry, Search, compare, ranked, score_of, write_report
from monai_ext.studies.tune_settings import (
    Setting,
    check_axes,
    choose_settings,
    describe_setting,
    name_setting_in_errors,
    overrides,
    plural,
    read_values,
)

RECORD = "setting.json"
"""File that is written last into the folder of an evaluation; its presence means that the evaluation is finished."""


@dataclass(frozen=True)
class EvaluationTask:
    """The cases on which every setting is scored.

    Attributes:
        bundle: its folder.
        data, split, variants, sets, wording, uncertainty, batch_size, limit, seed, device, overlays: of
            :func:`monai_ext.bundle.runner.run_evaluate`. No figure depends on `overlays`, so they are no fact.
    """

    bundle: Path
    data: Folder
    split: str
    variants: tuple[str, ...] = ()
    sets: Sequence[str] | None = None
    wording: str = "canonical"
    uncertainty: bool = False
    batch_size: int | None = None
    limit: int | None = None
    seed: int = 0
    device: str = runner.AUTO
    overlays: str | None = "panels"

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments that run_evaluate and evaluate_overrides share."""
        names = ("variants", "sets", "wording", "uncertainty", "batch_size", "limit", "seed")
        return {name: getattr(self, name) for name in names}

    def facts(self) -> dict[str, Any]:
        """All that a result depends on except its setting, for records, without paths and names of files.

        Raises:
            InputError, WeightsError: when data or weights cannot be read.
        """
        configuration = runner.evaluate_overrides(self.bundle, self.data, self.split, **self.arguments())
        configuration |= runner.device_override(self.device)
        files = configs.evaluation_configs(self.variants)
        get = runner.open_workflow(self.bundle, files, configuration).parser.get_parsed_content
        with runner.unwrapped():
            cases = get("datalist")
            all_cases = cases if self.limit is None else get("datalist#cases")
        modules = {"torch": str(torch.__version__), "monai": monai.__version__}
        versions = {**modules, "monai_ext": monai_ext.__version__, "scores": str(SCORES)}
        digest = hashlib.sha256()
        for file in configs.config_files(self.bundle, files):
            digest.update(file.read_bytes())
        return {
            "bundle": self.bundle.name,
            "version": get("_meta_#version"),
            "variants": configs.variant_fingerprints(self.bundle, self.variants),
            "configuration_sha256": digest.hexdigest(),
            "versions": versions,
            "weights": get("loaded"),
            "device": str(get("device")),
            "split": self.split,
            "wording": self.wording,
            "uncertainty": self.uncertainty,
            "cases": len(cases),
            "cases_of_the_list": len(all_cases),
            "sets": {
                name: sum(one["set"] == name for one in cases) for name in sorted({c["set"] for c in cases})
            },
            "data_sha256": data_hash(cases),
        }

    def evaluate(self, folder: Path, setting: Setting) -> dict[str, Any]:
        """Run the evaluation of a setting into a folder: the content of its metrics.json.

        Raises:
            InputError, WeightsError: what the user can act on.
        """
        return runner.run_evaluate(
            self.bundle,
            self.data,
            self.split,
            folder,
            device=self.device,
            overlays=self.overlays,
            settings=overrides(setting),
            **self.arguments(),
        )


def data_hash(cases: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 of the cases: the content of images and labels, and the prompts and targets of each."""
    digest = hashlib.sha256()
    for case in cases:
        facts = {key: value for key, value in case.items() if key not in ("image", "label")}
        files = [input_hash(case[key]) for key in ("image", "label") if key in case]
        digest.update(json.dumps([facts, files], sort_keys=True).encode())
    return digest.hexdigest()


def run_tune(
    task: EvaluationTask,
    axes: Mapping[str, Sequence[Any]],
    output: Path,
    *,
    metric: str | None = None,
    samples: int | None = None,
    holdout: str | None = None,
    report_line: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Score settings of a bundle on labelled cases and choose the best.

    The bundle's own setting is always scored, and it is the first. ``tune.json`` and ``tune.csv`` list it and all settings
    that this command or earlier ones scored into this folder on the same cases; they and ``best.json`` are rewritten
    after each evaluation.

    Args:
        task: bundle and cases.
        axes: values by id, see :func:`monai_ext.studies.tune_settings.parse_axes`.
        output: folder; evaluations are written into its ``runs``.
        metric: whose mean decides, higher being better: one of ``pooled`` in metrics.json, or "auc" of presence; the
            bundle's key metric if None.
        samples: how many settings to draw, with the seed of `task`; all combinations if None.
        holdout: another list, on all of whose cases the best and the bundle's own setting are scored once.
        report_line: called with lines about the progress.

    Returns:
        the content of tune.json.

    Raises:
        InputError, WeightsError: for what the user can correct; the line names the setting.
    """
    output = output.expanduser().absolute()
    if output.exists() and not output.is_dir():
        raise InputError(f"{output.name}: the output is a folder, but this is a file; choose another name.")
    if holdout == task.split:
        raise InputError(f"--holdout {holdout}: that is the list the choice is made on; give another one.")
    if metric == "hd95":
        raise InputError("--metric hd95: it is undefined for empty masks, so that finding nothing would win.")
    values = read_values(task.bundle, task.variants)
    check_axes(task.bundle, axes, values, task.variants)
    metric = metric or _key_metric(task)
    chosen_on = Evaluations(task, output)
    facts = chosen_on.facts
    held = None if holdout is None else Evaluations(replace(task, split=holdout, limit=None), output)
    check_writable(output / "tune.json")

    settings = choose_settings(axes, values, samples, task.seed)
    todo = [{}, *(one for one in settings if one)]
    search = Search(
        output, facts, metric, axes, values, limit=task.limit, seed=task.seed, requested=len(todo)
    )
    report_line(search.statement)
    report_line(_announcement(search, settings, sum(one in chosen_on for one in todo), held))
    with runner.removed_if_empty(output):
        for search.done, setting in enumerate(todo, 1):
            earlier = setting in chosen_on
            entry = chosen_on.of(setting)
            figure = f"{metric} {score_of(entry.figures, metric):.4f}"
            took = "done before" if earlier else f"{entry.seconds:.1f} s"
            report_line(f"{search.done}/{len(todo)}  {describe_setting(setting)}: {figure} ({took})")
            report = write_report(search, chosen_on.entries.values())
        if held is not None:
            best = ranked(chosen_on.entries.values(), metric)[0]
            kept = {key: held.facts[key] for key in ("split", "cases", "sets", "data_sha256")}
            search.holdout = {**kept, **compare(held.of(best.setting), held.of({}), metric)}
            report = write_report(search, chosen_on.entries.values())
    return report


class Task(Protocol):
    """What is evaluated: all that its result depends on, and how it is run, see :class:`EvaluationTask`."""

    def facts(self) -> dict[str, Any]:
        """All that a result depends on except its setting, as JSON."""

    def evaluate(self, folder: Path, setting: Setting) -> dict[str, Any]:
        """Write metrics.json and cases.csv into a folder; the content of metrics.json."""


class Evaluations:
    """Evaluations of settings on the same cases; each runs once and is kept in ``OUTPUT/runs``.

    Args:
        task: what is evaluated.
        output: folder, as an absolute path.

    Attributes:
        facts: of `task`, see :meth:`EvaluationTask.facts`.
        entries: finished evaluations by the name of their folder.

    Raises:
        InputError, WeightsError: when data or weights cannot be read.
    """

    def __init__(self, task: Task, output: Path) -> None:
        self.task = task
        self.facts = task.facts()
        self.folder = output / "runs"
        self.entries = self._finished()

    def __contains__(self, setting: Setting) -> bool:
        return self._name(setting) in self.entries

    def of(self, setting: Setting) -> Entry:
        """The evaluation of a setting, run now if it is not finished.

        Raises:
            InputError, WeightsError: for what the user can correct; the line names the setting.
        """
        name = self._name(setting)
        if name not in self.entries:
            self.entries[name] = self._run(setting, self.folder / name)
        return self.entries[name]

    def _name(self, setting: Setting) -> str:
        content = json.dumps([self.facts, setting], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def _finished(self) -> dict[str, Entry]:
        entries = {}
        for path in sorted(self.folder.glob(f"*/{RECORD}")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                figures = json.loads((path.parent / "metrics.json").read_text(encoding="utf-8"))
                same = record["facts"] == json.loads(json.dumps(self.facts))
                entry = Entry(path.parent, record["setting"], figures, float(record["seconds"]))
            except (OSError, ValueError, KeyError, TypeError):
                continue  # another file, or a damaged one: the evaluation runs again and replaces it
            if same:
                entries[path.parent.name] = entry
        return entries

    def _run(self, setting: Setting, folder: Path) -> Entry:
        started = time.monotonic()
        with name_setting_in_errors(setting):
            figures = self.task.evaluate(folder, setting)
        seconds = round(time.monotonic() - started, 3)
        write_record(folder, self.facts, setting, seconds)
        return Entry(folder, setting, figures, seconds)


def write_record(folder: Path, facts: Mapping[str, Any], setting: Setting, seconds: float) -> None:
    """Write, last of all, what an evaluation in a folder depended on.

    Raises:
        InputError: when it cannot be written.
    """
    record = {"setting": setting, "seconds": seconds, "facts": facts}
    try:
        with whole_file(folder / RECORD) as path:
            path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder.name}/{RECORD}: cannot be written ({error.strerror}).") from error


def _key_metric(task: EvaluationTask) -> str:
    metrics = configs.read_configs(task.bundle, configs.evaluation_configs(task.variants)).get("key_metric")
    if not isinstance(metrics, dict) or not metrics:
        raise InputError(f"bundle {task.bundle.name}: evaluate.json names no key_metric; give --metric.")
    return next(iter(metrics))


def _announcement(search: Search, settings: Sequence[Setting], done: int, held: Evaluations | None) -> str:
    facts, sizes = search.facts, [len(tried) for tried in search.axes.values()]
    total, own = math.prod(sizes), "" if {} in settings else " and the bundle's own"
    drawn = f"{len(settings)} drawn of " if len(settings) < total else ""
    cases = plural(facts["cases"], "case")
    if facts["cases"] < facts["cases_of_the_list"]:
        cases += f" drawn of {facts['cases_of_the_list']} (seed {search.seed})"
    grid = f" ({' × '.join(map(str, sizes))})" if len(sizes) > 1 else ""
    line = (
        f"{drawn}{plural(total, 'setting')}{grid}{own}: {plural(search.requested, 'evaluation')} of {cases},"
    )
    line += f" by {search.metric}"
    if held is not None:
        on = f"{plural(held.facts['cases'], 'case')} of '{held.facts['split']}'"
        line += f"; then the best and the bundle's own on {on}"
    return line + (f"; {done} of them done before" if done else "")
