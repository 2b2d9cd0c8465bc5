"""The command line. It checks what was asked, lets a bundle's configuration run, and prints what came out.

``--help``, ``bundles`` and ``bundles check`` import neither torch nor MONAI.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import monai_ext
from monai_ext.cli.bundles import bundles_app
from monai_ext.cli.cases import cases
from monai_ext.cli.compare import compare
from monai_ext.cli.console import STOPPED, close_output, print_error
from monai_ext.cli.dataset import dataset_app
from monai_ext.cli.doctor import doctor
from monai_ext.cli.evaluate import evaluate
from monai_ext.cli.label import label
from monai_ext.cli.segment import segment
from monai_ext.cli.train import train
from monai_ext.cli.tune import tune
from monai_ext.cli.weights import weights_app
from monai_ext.errors import InputError

app = typer.Typer(
    help="Segment medical images from text. Research use; not a medical device.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (segment, cases, evaluate, compare, train, tune, label, doctor):
    app.command()(command)
for name, group in (("bundles", bundles_app), ("dataset", dataset_app), ("weights", weights_app)):
    app.add_typer(group, name=name)


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


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 fine, 2 bad input or usage, 3 weights, 1 our fault, 130 stopped, 141 the output was closed.
    """
    try:
        code = app(list(sys.argv[1:] if argv is None else argv), standalone_mode=False) or 0
        sys.stdout.flush()
        return code
    except typer.Abort:
        print_error("stopped.")
        return STOPPED
    except BrokenPipeError:
        return close_output()
    except Exception as error:
        if not hasattr(error, "format_message"):  # what typer raises for wrong usage has it
            raise
        if type(error).__name__ != "NoArgsIsHelpError":
            print_error(f"{' '.join(error.format_message().split()).rstrip('.')}; see --help.")
        return InputError.exit_code


if __name__ == "__main__":
    sys.exit(main())
