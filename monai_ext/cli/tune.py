"""``monai-ext tune``: the command and what it prints. Importing this imports neither torch nor MONAI."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from monai_ext.bundle import runner
from monai_ext.bundle.check import find_trusted_bundle
from monai_ext.cli.console import print_line, reporting, wide_console
from monai_ext.cli.options import (
    BatchSize,
    Bundle,
    Data,
    Debug,
    Device,
    Output,
    Quiet,
    Sets,
    Trust,
    Variant,
    set_names,
)
from monai_ext.errors import InputError

SHOWN = 10
"""Settings in the table; all are in tune.csv."""
COLUMNS = {
    "dice": "Dice",
    "iou": "IoU",
    "auc": "presence AUC",
    "false_positive_rate": "masks of absent things",
}


def tune(
    bundle: Bundle,
    data: Data,
    split: Annotated[str, typer.Option(help="A list of dataset.json whose labels choose.")],
    output: Output,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=V1,V2,...",
            help="An id of inference.json and values to try; may be repeated.",
        ),
    ] = None,
    variant: Variant = None,
    trust: Trust = False,
    metric: Annotated[
        str | None, typer.Option(help="What decides: dice, iou, nsd or auc (of presence); the bundle's own.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Draw so many of the combinations; all otherwise.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Draw so many cases, the same for all settings; all otherwise.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of both draws.")] = 0,
    holdout: Annotated[
        str | None, typer.Option(help="Another list, to score the best and the bundle's own setting on once.")
    ] = None,
    sets: Sets = None,
    wording: Annotated[
        str,
        typer.Option(
            help="The prompts: canonical, one per target; heldout, paraphrases kept out of training; or prompt levels,"
            " medclipsam_p0 to p9."
        ),
    ] = "canonical",
    device: Device = runner.AUTO,
    batch_size: BatchSize = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Search values of a bundle's configuration on labelled images; what is chosen so is not zero-shot.

    Each combination is one evaluation; those done before with the same data and weights are not run again. Writes
    report.html, tune.json, tune.csv and best.json, an overlay of inference.json.
    """
    with reporting(debug):
        from monai_ext.studies.tune_settings import parse_axes

        if wording == "nonsense":
            raise InputError("wording is 'nonsense', which names no target to be better at; choose another.")

        axes = parse_axes(values or [])
        folder = find_trusted_bundle(bundle, variant or (), trust)
        from monai_ext.reports.tune import write_report
        from monai_ext.studies.evaluate import EvaluationTask
        from monai_ext.studies.tune import run_tune

        task = EvaluationTask(
            bundle=folder,
            data=data,
            split=split,
            variants=tuple(variant or ()),
            sets=set_names(sets),
            wording=wording,
            batch_size=batch_size,
            limit=limit,
            seed=seed,
            device=device,
        )
        report = run_tune(
            task,
            axes,
            output,
            metric=metric,
            samples=samples,
            holdout=holdout,
            report_line=lambda line: None if quiet else print_line(line),
        )
        write_report(output)
    if not quiet:
        _print_report(report, output)


def _print_report(report: Mapping[str, Any], output: Path) -> None:
    from monai_ext.studies.tune_settings import format_value, plural

    metric, best = report["metric"], report["best"]
    columns = {name: title for name, title in COLUMNS.items() if name in best["metrics"] and name != metric}
    table = Table(*best["setting"], COLUMNS.get(metric, metric), "gain", *columns.values(), "")
    rows = report["settings"][:SHOWN]
    rows += [report["default"]] if report["default"] not in rows else []
    for row in rows:
        cells = [format_value(row["setting"][key]) for key in best["setting"]]
        cells += [_figure(row["score"]), f"{row['gain']:+.3f}"]
        cells += [_figure(row["metrics"].get(name)) for name in columns]
        table.add_row(*map(Text, [*cells, "the bundle's own" if row["default"] else ""]))
    wide_console().print(table)
    line = f"best of {len(report['settings'])}: {metric} {best['score']:.3f}, the bundle's own"
    print(line if best["default"] else f"{line} {report['default']['score']:.3f}; difference {_gain(best)}")
    if held := report["holdout"]:
        line = f"on {plural(held['cases'], 'case')} of '{held['split']}', which had no say: {metric}"
        line += f" {_figure(held['best'][metric])}, the bundle's own"
        own = f"{line} {_figure(held['default'][metric])}; difference {_gain(held)}"
        print_line(line if best["default"] else own)
    for note in report["notes"]:
        print_line(f"note: {note}")
    print_line(f"{report['statement']}")
    print_line(
        f"figures → {output / 'tune.json'}, {output / 'tune.csv'}; overlay of inference.json → {output / 'best.json'}"
    )
    print_line(f"report → {output / 'report.html'}")


def _gain(row: Mapping[str, Any]) -> str:
    interval = row["gain_ci95"]
    span = f" (95 % interval over patients {interval[0]:+.3f} to {interval[1]:+.3f})" if interval else ""
    return f"{row['gain']:+.3f}{span}"


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
