"""``monai-ext weights``: which weights there are, and bringing public ones onto this machine.

Importing this, ``list`` and ``fetch`` of files that need no conversion import neither torch nor MONAI.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from monai_ext.cli.console import print_line, reporting
from monai_ext.cli.options import Debug, Quiet
from monai_ext.errors import WeightsError
from monai_ext.weights import store
from monai_ext.weights.groups import GROUPS, describe_group
from monai_ext.weights.load import weights_file
from monai_ext.weights.registry import CONVERTED, Entry, read_registry, registered

weights_app = typer.Typer(
    help="List weights, and fetch or verify public ones. Exit code 3 when they cannot be had.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name of monai-ext weights list.")]


@weights_app.callback()
def weights() -> None:
    """List weights, and fetch or verify public ones."""


@weights_app.command("list")
def list_weights(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with sources and hashes.")] = False,
    debug: Debug = False,
) -> None:
    """List the weights that there are, whether they are on this machine, their size and licence."""
    with reporting(debug):
        entries = read_registry()
        locations = {name: _location(name, entry) for name, entry in entries.items()}
        if as_json:
            content = {name: {"where": locations[name], **vars(entry)} for name, entry in entries.items()}
            print(json.dumps(content, indent=4, ensure_ascii=False))
            return
    table = Table("name", "where", "size", "licence", "what it is")
    for name, entry in entries.items():
        size = f"{entry.size / 1e6:.1f} MB" if entry.size else ""
        table.add_row(name, locations[name], size, entry.licence, entry.note)
    table.caption = "; ".join(f"{group}: {', '.join(names)}" for group, names in GROUPS.items())
    Console().print(table)


@weights_app.command()
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help=f"A name of monai-ext weights list, or of a group: {', '.join(GROUPS)}."
        ),
    ],
    folder: Annotated[
        Path | None, typer.Option("--from", help="Take the file from this folder, not from the network.")
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Download public weights, verify them, and convert them if they hold more than tensors.

    Of a group all files are listed, with size and licence, before the first is downloaded.
    A download that was broken off goes on where it stopped. MONAI_EXT_HOME names the folder for them,
    HF_ENDPOINT a mirror of the Hugging Face hub.
    """
    with reporting(debug):
        if name not in GROUPS:
            _fetch(name, folder, quiet)
            return
        for line in [] if quiet else describe_group(name):
            print_line(line)
        lost = []
        for one in GROUPS[name]:
            try:
                _fetch(one, folder, quiet)
            except WeightsError as error:
                lost.append(f"{one}: {error}")
        if lost:
            raise WeightsError(f"{len(lost)} of {len(GROUPS[name])} could not be had: {' '.join(lost)}")


def _fetch(name: str, folder: Path | None, quiet: bool) -> None:
    """Fetch one entry, and convert it if its loader wants that."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from monai_ext.weights.fetch import fetch as fetch_weights

    entry = registered(name)
    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(name, total=None, visible=False)
        fetch_weights(
            name,
            folder,
            report_line=lambda line: None if quiet else print_line(line),
            progress=lambda done, total: bar.update(task, completed=done, total=total, visible=True),
        )
    if entry.loader in CONVERTED and entry.source != "embedded" and not quiet:
        print_line(f"{name}: the tensors are taken out of {entry.file}; nothing in it is run")
    weights_file(name)
    if not quiet:
        print_line(f"{name}: ready, SHA-256 {_sha256(name, entry)}")


@weights_app.command()
def verify(name: Name, debug: Debug = False) -> None:
    """Compare the files of weights with the registry, or with what was recorded when they were fetched."""
    with reporting(debug):
        entry = registered(name)
        if entry.source != "embedded":
            store.verify(name, entry)
        weights_file(name)
        print_line(f"{name}: {entry.file} is as it should be, SHA-256 {_sha256(name, entry)}")


@weights_app.command()
def path(name: Name, debug: Debug = False) -> None:
    """Print the path of the file that is loaded, verified."""
    with reporting(debug):
        print(weights_file(name))


def _sha256(name: str, entry: Entry) -> str | None:
    record = None if entry.source == "embedded" else store.read_record(name)
    return entry.sha256 if record is None else record.sha256


def _location(name: str, entry: Entry) -> str:
    if entry.source == "embedded":
        return "in the package"
    return "fetched" if store.fetched_file(name, entry).is_file() else "not fetched"
