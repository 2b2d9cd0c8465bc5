"""How every command speaks: one line a result, one line an error, an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator

import typer
from rich.console import Console

from monai_ext.errors import actionable, one_line
from monai_ext.logs import suppress_logs

STOPPED = 130  # as shells say it of a program ended by Ctrl-C
CLOSED = 141  # as shells say it of a program whose output nobody reads any more
WIDTH = 160  # columns of a table that goes into a file or a pipe


@contextlib.contextmanager
def reporting(debug: bool) -> Iterator[None]:
    """Turn errors into one line and an exit code; without `debug`, keep the libraries silent."""
    try:
        with contextlib.nullcontext() if debug else suppress_logs():
            yield
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:
        raise typer.Exit(close_output()) from None
    except KeyboardInterrupt:  # Ctrl-C, or SIGTERM in a run over cases
        print_error("stopped; what is done is kept, and the same command goes on from there.")
        raise typer.Exit(STOPPED) from None
    except Exception as error:
        if debug:
            traceback.print_exc()
        known = actionable(error)
        if known is not None:
            print_error(str(known))
            raise typer.Exit(known.exit_code) from None
        description = " ".join(f"{type(error).__name__}: {error}.".split())
        print_error(f"{description} This is a fault of monai_ext; please report what --debug prints.")
        raise typer.Exit(1) from None


def close_output() -> int:
    """Drop what is still to be printed, since nobody reads it any more; the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return CLOSED


def print_error(text: str) -> None:
    """Print an error, on one line whatever is in it."""
    print("error:", one_line(text), file=sys.stderr)


def print_warning(text: str) -> None:
    """Print what a user should look at before going on, on one line whatever is in it."""
    print("warning:", one_line(text), file=sys.stderr)


def print_line(text: str) -> None:
    """Print a line, one whatever is in it."""
    print(one_line(text))


def wide_console() -> Console:
    """For tables: as wide as the terminal, or :data:`WIDTH` columns."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    return console
