"""``monai-ext dataset``: make data sets from published ones, and look at them before work starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monai_ext.cli.console import print_error, reporting
from monai_ext.cli.options import Debug, Quiet, Sets
from monai_ext.errors import InputError

dataset_app = typer.Typer(help="Make data sets, and look at them before work starts.", no_args_is_help=True)


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
        dataset_prepare.print_prepared(name, done, folder)


@dataset_app.command("make")
def make(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SRC", help="Folder, table (.csv, .xlsx) or list (.json); nothing in it changes."
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="New folder for the data set.")],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="VALUE=WORDS",
            help='What a label value, a colour or a mask\'s name is: 1="breast tumour"; background for what is none;'
            " may be repeated.",
        ),
    ] = None,
    modality: Annotated[
        str,
        typer.Option(
            help="X-ray, ultrasound, endoscopy, dermoscopy, CT, MRI, fundus, microscopy or photo; DICOM states it."
        ),
    ] = "",
    group: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX", help="Its first group, searched in an image's path in SRC, is the patient."
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Shares of training, validation and test, where SRC has no lists.")
    ] = "70/15/15",
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    link: Annotated[bool, typer.Option("--link", help="Link to the images instead of copying them.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make a data set with a dataset.json from images and masks, nnU-Net's folders, DICOM, or a table of paths."""
    with reporting(debug):
        from monai_ext.cli import dataset_make
        from monai_ext.data.making import Wishes, read_target_options

        wishes = Wishes(read_target_options(target or ()), modality, group, split, seed)
        try:
            dataset_make.run_make(source, folder, wishes, link, dry_run, quiet)
        except KeyboardInterrupt:  # unlike a run over cases, nothing is kept to go on from
            raise typer.Abort from None


@dataset_app.command("check")
def check(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR ...", help="A data set with a dataset.json, or a folder of several; or more."
        ),
    ],
    sets: Sets = None,
    sheet: Annotated[Path | None, typer.Option(help="PNG file for a picture of examples.")] = None,
    figures: Annotated[Path | None, typer.Option("--json", help="JSON file for what was found.")] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Open every file; say all that is wrong, one line each, and what the sets hold."""
    with reporting(debug):
        from monai_ext.cli import dataset_check

        found = dataset_check.run_check(folders, sets, sheet, figures)
        if not quiet:
            dataset_check.print_check(found)
            dataset_check.print_warnings(found)
    for problem in found.problems:
        print_error(problem)
    with reporting(debug):
        if figures is not None:
            dataset_check.write_figures(figures, found)
        if sheet is not None:
            dataset_check.write_sheet(sheet, found)
    if found.problems:
        raise typer.Exit(InputError.exit_code)
