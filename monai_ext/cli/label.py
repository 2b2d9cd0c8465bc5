"""``monai-ext label``: serve a bundle in MONAI Label, to label with it and to retrain it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from monai_ext.cli.console import print_line, reporting
from monai_ext.cli.options import Bundle, Debug, Quiet, Trust

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def label(
    bundle: Bundle,
    studies: Annotated[str, typer.Option(help="Folder of images, or address of a DICOMweb server.")],
    app: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="APP", help="Folder of the application; made if not there."),
    ],
    labels: Annotated[
        str | None,
        typer.Option(metavar="WORDS;WORDS", help="What is segmented here: the values 1, 2, … of labels."),
    ] = None,
    modality: Annotated[
        str | None, typer.Option(help="Of the images, to train with: X-ray, ultrasound, …; DICOM states it.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Its first group, searched in an image's name, is the patient."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8000,
    trust: Trust = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Serve a bundle in MONAI Label; retrain it there from the labels that are saved."""
    with reporting(debug):
        from monai_ext.apps.label.start import make_app, server_command

        folder = app.expanduser().absolute()
        conf = {"labels": labels, "modality": modality, "group": group}
        command = server_command(folder, studies, host, port, conf)
        made = make_app(bundle, folder, trust)
    if not quiet:
        print_line(f"{made.name} in {app}, at http://{host}:{port}; Ctrl-C stops it")
        if host not in LOOPBACK:
            print_line(
                "note: MONAI Label asks nobody who they are; whoever reaches this address can read and change."
            )
    os.execv(command[0], command)
