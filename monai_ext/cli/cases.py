"""``monai-ext cases``: which file each case of a run is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monai_ext.cli.console import print_line, reporting
from monai_ext.cli.options import Debug


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
            shown = image.name if image == folder else image.relative_to(folder)
            print_line(f"{case_id(input_hash(image))}  {shown}")
