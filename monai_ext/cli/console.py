"""How every command speaks: one line a result, one line an error, an exit code."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator

import typer

from monai_ext.bundle import runner
from monai_ext.errors import actionable, one_line

STOPPED = 130  # as shells say it of a program ended by Ctrl-C


@contextlib.contextmanager
def reporting(debug: bool) -> Iterator[None]:
    """Turn errors into one line and an exit code; without `debug`, keep the libraries silent."""
    try:
        with contextlib.nullcontext() if debug else runner.quiet():
            yield
    except (typer.Exit, typer.Abort):
        raise
    except KeyboardInterrupt:  # Ctrl-C, or SIGTERM in a run over cases
        complain("stopped; what is done is kept, and the same command goes on from there.")
        raise typer.Exit(STOPPED) from None
    except Exception as error:
        if debug:
            traceback.print_exc()
        known = actionable(error)
        if known is not None:
            complain(str(known))
            raise typer.Exit(known.exit_code) from None
        told = " ".join(f"{type(error).__name__}: {error}.".split())
        complain(f"{told} This is a fault of monai_ext; please report what --debug prints.")
        raise typer.Exit(1) from None


def complain(text: str) -> None:
    """Print an error, on one line whatever is in it."""
    print("error:", one_line(text), file=sys.stderr)


def say(text: str) -> None:
    """Print a line, one whatever is in it."""
    print(one_line(text))
