"""Errors that a user can act on: one line that says what is wrong, where, and what to do."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import PurePath
from types import TracebackType


def one_line(text: object) -> str:
    """Text from outside (a file name, a prompt) as it may stand in a terminal, a log or a message.

    Whatever cannot be printed (line breaks, a terminal's control characters, marks that turn the direction of
    writing, bytes of a file name that are no text) is shown escaped, as ``\\n`` or ``\\x1b``.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def quoted_name(path: PurePath) -> str:
    """The name of a file or folder where it stands within a message, and not at its beginning before a colon.

    These two are the only ways to name one: names can name patients, and only there are they found and replaced.
    """
    return f"“{path.name}”"


class _OneLine(Exception):
    """An error whose message is one line, whatever it holds: a file name may contain a line break."""

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(message))


class InputError(_OneLine):
    """The input or the way it was asked for cannot be used (exit code 2)."""

    exit_code = 2


class WeightsError(_OneLine):
    """The weights are missing, damaged or of another shape (exit code 3)."""

    exit_code = 3


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        InputError: with the name, the value and the choices.
    """
    if value not in choices:
        raise InputError(f"{name} is {value!r}; choose from {', '.join(choices)}.")


def actionable(error: BaseException) -> InputError | WeightsError | None:
    """The error a user can act on among `error` and what it was raised from, else None.

    MONAI wraps what its transforms and configurations raise in RuntimeErrors.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (InputError, WeightsError)):
            return seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return None


def is_monai_command_line() -> bool:
    """Whether this process is ``python -m monai.bundle``."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return str(getattr(spec, "name", "")).startswith("monai.bundle")


def print_in_one_line() -> None:
    """From now on this process ends, on an error that a user can act on, with its line and exit code; no traceback."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        known = actionable(error)
        if known is None:
            sys.__excepthook__(kind, error, trace)
        else:
            print("error:", known, file=sys.stderr)
            raise SystemExit(known.exit_code)

    sys.excepthook = hook
