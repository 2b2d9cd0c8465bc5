"""``monai-ext compare``: the command and what it prints. Importing this imports neither torch nor MONAI."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from monai_ext.bundle import runner
from monai_ext.cli.console import print_line, reporting, wide_console
from monai_ext.cli.options import BatchSize, Data, Debug, Device, Output, Quiet, Sets, Trust, set_names


def compare(
    methods: Annotated[
        list[str],
        typer.Argument(
            metavar="BUNDLE[:VARIANT]|NAME=DIR ...",
            help="Bundles, with variants; and folders of masks from elsewhere, called after cases and targets.",
        ),
    ],
    data: Data,
    split: Annotated[str, typer.Option(help="A list of dataset.json, such as validation.")],
    output: Output,
    sets: Sets = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Also by subgroups: a fact of the items, such as pathology, site or sex; may be repeated."
        ),
    ] = None,
    paraphrases: Annotated[
        bool, typer.Option(help="Also ask in other words, which takes most of the time.")
    ] = True,
    floors: Annotated[
        bool, typer.Option(help="Also the mean training mask and Otsu's threshold, as floors.")
    ] = True,
    memory: Annotated[
        bool, typer.Option("--memory", help="Also measure memory, in a process of its own for each bundle.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Draw so many cases; all otherwise.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    trust: Trust = False,
    device: Device = runner.AUTO,
    batch_size: BatchSize = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compare methods on labelled images: one table, paired tests, and a sentence that says which to take.

    Each method is evaluated once; evaluations done before with the same data and weights are not run again. Writes
    compare.json, compare.csv, and metrics.json and cases.csv of each method.
    """
    with reporting(debug):
        from monai_ext.studies.compare import run_compare
        from monai_ext.studies.compare_methods import Question

        question = Question(data, split, set_names(sets), limit, seed, device, batch_size)
        report = run_compare(
            methods,
            question,
            output,
            by=by or (),
            paraphrases=paraphrases,
            floors=floors,
            memory=memory,
            trust=trust,
            say=lambda line: None if quiet else print_line(line),
        )
    if not quiet:
        _print_report(report, output)


def _print_report(report: Mapping[str, Any], output: Path) -> None:
    _print_methods(report)
    for fact, groups in report["subgroups"].items():
        _print_groups(fact, groups)
    for note in report["notes"]:
        print_line(f"note: {note}")
    print_line(f"{report['statement']}.")
    print_line(
        f"figures → {output / 'compare.json'}, {output / 'compare.csv'}; each method → {output / 'runs'}"
    )


def _print_methods(report: Mapping[str, Any]) -> None:
    rows = report["methods"]
    cells = [_cells(row) for row in rows]
    shown = [title for title in cells[0] if any(line[title] for line in cells)]
    table = Table(*shown)
    for line in cells:
        table.add_row(*(Text(line[title]) for title in shown))
    wide_console().print(table)


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    words, masks, peak = row["words"], row["false_masks"], row["peak_bytes"]
    return {
        "method": row["name"],
        "Dice": _interval(row["dice"]),
        "IoU": _mean(row["iou"]),
        "NSD": _mean(row["nsd"]),
        "HD95": _distance(row["hd95"]),
        "F1 by lesion": _interval(row["lesions"]) if row["lesions"] else "",
        "presence AUC": _mean(row["auc"]),
        "false masks": _figure(row["false_positive_rate"]),
        "of own targets": f"{_figure(masks['mean'])} of {masks['n']}" if masks else "",
        "other words": f"±{words['spread']:.3f}" if words else "",
        "rank": f"{row['mean_rank']:.2f}",
        "P(first)": _figure(row["first_rank"]),
        "p (Holm)": "best" if row["p_holm"] is None else _p(row["p_holm"]),
        "s a case": "" if row["seconds"] is None else f"{row['seconds']:.2f}",
        "memory": f"{peak / 1e9:.2f} GB" if peak else "",
    }


def _print_groups(fact: str, groups: Mapping[str, Mapping[str, Any]]) -> None:
    names = list(next(iter(groups.values())))
    table = Table(*map(escape, [fact, *names]), "images and targets")
    for value, figures in groups.items():
        most = max(figure["n"] for figure in figures.values())
        table.add_row(*map(Text, [value, *(_interval(figures[name]) for name in names), str(most)]))
    wide_console().print(table)


def _interval(figures: Mapping[str, Any]) -> str:
    interval = figures["ci95"]
    span = f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
    return f"{_figure(figures['mean'])}{span}"


def _mean(figures: Mapping[str, Any] | None) -> str:
    return "" if figures is None else _figure(figures["mean"])


def _distance(figures: Mapping[str, Any] | None) -> str:
    if figures is None or figures["mean"] is None:
        return ""
    empty = f", {figures['undefined']} empty" if figures["undefined"] else ""
    return f"{figures['mean']:.1f} {figures['unit']}{empty}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.2g}"
