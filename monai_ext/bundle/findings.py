"""What a check of a foreign bundle finds, one line each."""

from __future__ import annotations

from dataclasses import dataclass

from monai_ext.errors import one_line

LONGEST = 60
"""Characters of a quoted value."""


@dataclass(frozen=True, order=True)
class Finding:
    """A thing in a bundle that keeps it from being run.

    Attributes:
        file: its path in the bundle.
        id: of the entry, such as ``train#handlers#2#_target_``; "" where the file as a whole is meant.
        fault: what is wrong, a sentence without its end.
        remedy: what to do, likewise.
    """

    file: str
    id: str
    fault: str
    remedy: str

    def __str__(self) -> str:
        return one_line(f"{self.file}{', ' if self.id else ''}{self.id}: {self.fault}; {self.remedy}.")


def quoted(value: object) -> str:
    """A value as a message shows it: its start, if it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
