"""The command line. It checks what was asked, lets a bundle's configuration run, and says what came out.

``--help`` and ``bundles`` import neither torch nor MONAI.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

import monai_ext
from monai_ext.bundle import catalog, runner
from monai_ext.cli.console import STOPPED, complain, reporting, say
from monai_ext.cli.results import print_figures, print_results
from monai_ext.cli.tune import Variant, chosen_sets, tune
from monai_ext.cli.weights import weights_app
from monai_ext.errors import InputError

app = typer.Typer(
    help="Segment medical images from text. Research use; not a medical device.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
bundles_app = typer.Typer(help="List the bundles, or export one.", invoke_without_command=True)
app.add_typer(bundles_app, name="bundles")
dataset_app = typer.Typer(help="Make data sets, and look at them before work starts.", no_args_is_help=True)
app.add_typer(dataset_app, name="dataset")
app.add_typer(weights_app, name="weights")
app.command()(tune)

Output = Annotated[Path, typer.Option("-o", "--output", help="Folder for what is written.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda:0.")]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Slices of a volume per encoder call: memory, not results.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing on success.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print log lines, and a traceback on failure.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(monai_ext.__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Segment medical images from text. Research use; not a medical device."""


@app.command()
def segment(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="Picture, NIfTI, MHA or NRRD file, DICOM folder or .zip, or folder of these.",
        ),
    ],
    output: Output,
    prompt: Annotated[
        list[str] | None, typer.Option("-p", "--prompt", help="What to segment, in words; may be repeated.")
    ] = None,
    bundle: Annotated[str, typer.Option(help="Name of a bundle, or folder of an exported one.")] = "vlsm",
    variant: Variant = None,
    device: Device = runner.AUTO,
    batch_size: BatchSize = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Probability above which a pixel is in the mask.")
    ] = None,
    modality: Annotated[
        Literal["auto", "CT", "MR"], typer.Option(case_sensitive=False, help="Of volumes: auto, CT or MR.")
    ] = "auto",
    series: Annotated[
        str, typer.Option(help="Which of several DICOM series: its number, or the start of its UID.")
    ] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Also draw the masks on the image.")] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Also draw how each result came about: saliency, coarse mask, boxes."),
    ] = False,
    output_format: Annotated[
        Literal["auto", "nifti"],
        typer.Option(
            "--format", help="Of masks: auto, as the input (DICOM: a DICOM SEG), or nifti for all volumes."
        ),
    ] = "auto",
    report: Annotated[Path | None, typer.Option(help="A second place for OUT/report.json.")] = None,
    resume: Annotated[
        bool, typer.Option(help="Pass over cases that an earlier run finished with the same settings.")
    ] = True,
    names: Annotated[
        Literal["hash", "file"] | None,
        typer.Option(
            help="What cases are called: hash, by their content (of the bundle: hash), or file, as their files,"
            " whose names then stand in folders and records."
        ),
    ] = None,
    part: Annotated[int, typer.Option(min=1, help="Do only this part of the cases, for job arrays.")] = 1,
    parts: Annotated[int, typer.Option(min=1, help="Number of parts.")] = 1,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Segment what the prompts name; writes masks and report.json."""
    with reporting(debug):
        result = runner.run_segment(
            catalog.find_bundle(bundle),
            source,
            prompt or [],
            output,
            variants=variant or (),
            device=device,
            batch_size=batch_size,
            threshold=threshold,
            modality=modality,
            series=series,
            preview=preview,
            explain=explain,
            output_format=output_format,
            report=report,
            resume=resume,
            names=names,
            part=part,
            parts=parts,
            progress=False if quiet else None,
        )
    if not quiet:
        from monai_ext.io.datalists import report_name

        print_results(result, output, report_name(part, parts), preview, explain)
    for failed in result["failed"]:
        complain(f"{failed['case']} left out: {failed['reason'].removeprefix(failed['case'] + ': ')}")
    if result["failed"]:
        raise typer.Exit(InputError.exit_code)


@app.command()
def cases(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="What segment was given: a file, or a folder.")
    ],
    debug: Debug = False,
) -> None:
    """Tell which file or folder stands behind each case-… of a run; nothing is written."""
    with reporting(debug):
        from monai_ext.io.case_names import case_id, input_hash
        from monai_ext.io.datalists import list_cases

        folder = source.expanduser()
        for item in list_cases(folder):
            image = Path(item["image"])
            say(
                f"{case_id(input_hash(image))}  {image.name if image == folder else image.relative_to(folder)}"
            )


@app.command()
def evaluate(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Name of a bundle, or folder of one.")],
    data: Annotated[Path, typer.Option(help="A data set with a dataset.json, or a folder of several.")],
    split: Annotated[str, typer.Option(help="A list of dataset.json, such as validation.")],
    output: Output,
    variant: Variant = None,
    sets: Annotated[str | None, typer.Option(help="Which of several sets, separated by commas.")] = None,
    wording: Annotated[
        str,
        typer.Option(
            help="The prompts: canonical, one per target; heldout, paraphrases kept out of training; nonsense; or"
            " prompt levels, medclipsam_p0 to p9 (odd ones name the true subtype: an oracle), several joined by +."
        ),
    ] = "canonical",
    overlays: Annotated[
        Literal["some", "all"],
        typer.Option(help="Pictures: of the worst, median and best case of each target, or of all cases."),
    ] = "some",
    device: Device = runner.AUTO,
    batch_size: BatchSize = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score a bundle on labelled images; writes metrics.json, cases.csv and pictures of some cases."""
    with reporting(debug):
        figures = runner.run_evaluate(
            catalog.find_bundle(bundle),
            data,
            split,
            output,
            variants=variant or (),
            sets=chosen_sets(sets),
            wording=wording,
            overlays=overlays,
            device=device,
            batch_size=batch_size,
        )
    if not quiet:
        print_figures(figures, output)


@bundles_app.callback()
def bundles(context: typer.Context, debug: Debug = False) -> None:
    """List the bundles, or export one."""
    if context.invoked_subcommand is not None:
        return
    with reporting(debug):
        found = [catalog.describe(folder) for folder in catalog.bundle_folders().values()]
    table = Table("name", "what it does", "version", "weights", "licence of the weights")
    for one in found:
        table.add_row(one.name, one.task, one.version, one.weights, one.licence)
    Console().print(table)


@bundles_app.command("export")
def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a bundle.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for it.")],
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a complete bundle, weights included, for MONAI Label, MONAI Deploy and retraining."""
    with reporting(debug):
        from monai_ext.bundle.export import export as export_bundle

        export_bundle(name, folder)
    if not quiet:
        say(f"{name} → {folder}")


@dataset_app.callback()
def dataset() -> None:
    """Make data sets, and look at them before work starts."""


@dataset_app.command("prepare")
def prepare(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A recipe, see --list.")] = None,
    source: Annotated[
        Path | None,
        typer.Argument(metavar="SRC", help="Folder with the unpacked release; nothing in it changes."),
    ] = None,
    folder: Annotated[Path | None, typer.Argument(metavar="OUT", help="New folder for the data set.")] = None,
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Also take less than the whole release; lists shrink in proportion."),
    ] = False,
    listing: Annotated[
        bool, typer.Option("--list", help="Name the recipes, where to get each set, and its licence.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make a data set with a dataset.json from a published one; patients stay in one list."""
    with reporting(debug):
        from monai_ext.cli import dataset_prepare

        if listing:
            dataset_prepare.print_recipes()
            return
        if name is None or source is None or folder is None:
            raise InputError("give NAME SRC OUT, or --list to see the names.")
        try:
            done = dataset_prepare.run_prepare(name, source, folder, seed, partial)
        except KeyboardInterrupt:  # unlike a run over cases, nothing is kept to go on from
            raise typer.Abort from None
    if not quiet:
        dataset_prepare.tell(name, done, folder)


@dataset_app.command("check")
def check(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A data set with a dataset.json, or a folder of several.")
    ],
    sets: Annotated[str | None, typer.Option(help="Which of several sets, separated by commas.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="PNG file for a picture of examples.")] = None,
    figures: Annotated[Path | None, typer.Option("--json", help="JSON file for what was found.")] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Open every file; say all that is wrong, one line each, and what the sets hold."""
    with reporting(debug):
        from monai_ext.cli import dataset_check

        found = dataset_check.run_check(folder, sets, sheet, figures)
        if not quiet:
            dataset_check.tell(found)
    for problem in found.problems:
        complain(problem)
    with reporting(debug):
        if figures is not None:
            dataset_check.write_figures(figures, found)
        if sheet is not None:
            dataset_check.write_sheet(sheet, found)
    if found.problems:
        raise typer.Exit(InputError.exit_code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 fine, 2 bad input or usage, 3 weights, 1 our fault, 130 stopped.
    """
    try:
        return app(list(sys.argv[1:] if argv is None else argv), standalone_mode=False) or 0
    except typer.Abort:
        complain("stopped.")
        return STOPPED
    except Exception as error:
        if not hasattr(error, "format_message"):  # what typer raises for wrong usage has it
            raise
        if type(error).__name__ != "NoArgsIsHelpError":
            complain(f"{' '.join(error.format_message().split()).rstrip('.')}; see --help.")
        return InputError.exit_code


if __name__ == "__main__":
    sys.exit(main())
