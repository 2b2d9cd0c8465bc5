"""``monai-ext bundles``: list the bundles, check one from elsewhere, export one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from monai_ext.bundle import catalog
from monai_ext.bundle.check import Profile, check_bundle
from monai_ext.cli.console import print_error, print_line, reporting
from monai_ext.cli.options import Debug, Quiet, Trust
from monai_ext.errors import InputError

bundles_app = typer.Typer(help="List the bundles, check or export one.", invoke_without_command=True)


@bundles_app.callback()
def bundles(context: typer.Context, debug: Debug = False) -> None:
    """List the bundles, check or export one."""
    if context.invoked_subcommand is not None:
        return
    with reporting(debug):
        found = [catalog.describe(folder) for folder in catalog.bundle_folders().values()]
    table = Table("name", "what it does", "version", "weights", "licence of the weights")
    for one in found:
        table.add_row(one.name, one.task, one.version, one.weights, one.licence)
    Console().print(table)


@bundles_app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a bundle from elsewhere.")],
    profile: Annotated[
        Profile, typer.Option(help="strict lets almost no calls into $ expressions, and asks for SHA-256.")
    ] = "default",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Read a bundle without running it; list all that could run code, load pickles or reach outside, and exit 2."""
    with reporting(debug):
        checked = check_bundle(folder, profile)
    for finding in checked.findings:
        print_error(str(finding))
    if checked.findings:
        raise typer.Exit(InputError.exit_code)
    if not quiet:
        print_line(
            f"{folder.name}: nothing found in {checked.files} configurations, {checked.targets} targets and"
            f" {checked.expressions} expressions."
        )


@bundles_app.command("export")
def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a bundle.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for it.")],
    trust: Trust = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a complete bundle, weights included, for MONAI Label, MONAI Deploy and retraining."""
    with reporting(debug):
        from monai_ext.bundle.export import export as export_bundle

        export_bundle(name, folder, trust)
    if not quiet:
        print_line(f"{name} → {folder}")
