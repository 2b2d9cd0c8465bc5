"""Arguments and options that several commands take, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monai_ext.errors import InputError

Bundle = Annotated[str, typer.Argument(metavar="BUNDLE", help="Name of a bundle, or folder of one.")]
Variant = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        help="Configuration laid over the bundle's inference.json: a name in its configs, or a JSON file such as"
        " tune's best.json; may be repeated.",
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Run a bundle or variant from elsewhere as it is, with all the code it names; else"
        " monai-ext bundles check decides.",
    ),
]
Data = Annotated[
    list[Path], typer.Option(help="A data set with a dataset.json, or a folder of several; may be repeated.")
]
Sets = Annotated[str | None, typer.Option(help="Which of several sets, separated by commas.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Folder for what is written.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda:0.")]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Slices of a volume per encoder call: memory, not results.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing on success.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print log lines, and a traceback on failure.")]


def set_names(listed: str | None) -> list[str] | None:
    """Names of data sets, given separated by commas; None for all.

    Raises:
        InputError: when there is no name between the commas.
    """
    names = None if listed is None else [name.strip() for name in listed.split(",") if name.strip()]
    if names == []:
        raise InputError("--sets names no set; leave it out for all.")
    return names
