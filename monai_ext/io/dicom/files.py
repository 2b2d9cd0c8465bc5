"""Find DICOM files, by what they hold and not by what they are called."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from monai_ext.errors import InputError

SUFFIXES = (".dcm", ".dicom")
"""Files so named are meant as DICOM, whatever they hold."""
LIKELY = re.compile(r"|\.dcm|\.dicom|\.ima|\.\d+", re.IGNORECASE)
"""Extensions of DICOM files; a UID as a name ends in a number."""
MAX_FILES = 100_000
"""DICOM files of the largest study that is read."""
EARLY = tuple(
    bytes((group, 0, element, 0))
    for group, element in ((2, 0), (2, 1), (8, 0), (8, 1), (8, 5), (8, 8), (8, 0x12), (8, 0x16), (8, 0x18))
)
"""How files without a preamble begin: group 2 or 8, little endian."""


def dicom_files(folder: Path, deep: bool = True) -> Iterator[Path]:
    """DICOM files in `folder`, and with `deep` in its sub-folders, by name; links that lead in circles end.

    Files named .dcm are given whatever they hold, also if they cannot be opened: a slice must not go missing
    unnoticed.

    Raises:
        InputError: a folder cannot be opened.
    """

    def refuse(error: OSError) -> None:
        raise InputError(
            f"{Path(error.filename).name}: cannot be opened ({error.strerror}); check its permissions."
        ) from error

    for parent, _, files in walk_files(folder, deep, refuse):
        for name in files:
            file = Path(parent, name)
            try:
                found = is_dicom(file) or (file.suffix.lower() in SUFFIXES and file.is_file())
            except OSError:
                # reading it reports why; a file named as another format is passed over
                found = bool(LIKELY.fullmatch(file.suffix))
            if found:
                yield file


def walk_files(
    folder: Path, deep: bool = True, onerror: Callable[[OSError], None] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """As os.walk, by name, without what begins with a dot; follows links, but enters no folder twice."""
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=onerror):
        real = os.path.realpath(parent)
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if deep and real not in seen else []
        if real not in seen:
            seen.add(real)
            yield parent, folders, sorted(f for f in files if not f.startswith("."))


def is_dicom(file: Path) -> bool:
    """Whether a file begins as DICOM does: "DICM" after 128 bytes, or without that preamble an early tag."""
    if not file.is_file():  # a pipe would never end
        return False
    with file.open("rb") as stream:
        head = stream.read(132)
    return head[128:] == b"DICM" or (len(head) == 132 and head.startswith(EARLY))
