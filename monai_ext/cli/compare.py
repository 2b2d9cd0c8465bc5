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
from monai_ext.studies.compare_table import method_cells, with_interval


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
    report.html, compare.json, compare.csv, and metrics.json and cases.csv of each method.
    """
    with reporting(debug):
        from monai_ext.reports.compare import write_report
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
        write_report(output)
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
    print_line(f"report → {output / 'report.html'}")


def _print_methods(report: Mapping[str, Any]) -> None:
    rows = report["methods"]
    cells = [method_cells(row) for row in rows]
    shown = [title for title in cells[0] if any(line[title] for line in cells)]
    table = Table(*shown)
    for line in cells:
        table.add_row(*(Text(line[title]) for title in shown))
    wide_console().print(table)


def _print_groups(fact: str, groups: Mapping[str, Mapping[str, Any]]) -> None:
    names = list(next(iter(groups.values())))
    table = Table(*map(escape, [fact, *names]), "images and targets")
    for value, figures in groups.items():
        most = max(figure["n"] for figure in figures.values())
        table.add_row(*map(Text, [value, *(with_interval(figures[name]) for name in names), str(most)]))
    wide_console().print(table)
