"""``monai-ext tune``: a search over values of a bundle's configuration on labelled data; its reports say so.

Each setting is one evaluation (:func:`monai_ext.bundle.runner.run_evaluate`) in a folder of its own, whose name is a hash
of setting, data, bundle and weights, so that no evaluation runs twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_ext.bundle import configs, runner
from monai_ext.errors import InputError
from monai_ext.files import check_writable
from monai_ext.studies.evaluate import EvaluationTask
from monai_ext.studies.kept_evaluations import Evaluations
from monai_ext.studies.tune_report import Search, compare, ranked, score_of, write_report
from monai_ext.studies.tune_settings import (
    Setting,
    check_axes,
    choose_settings,
    describe_setting,
    plural,
    read_values,
)


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
