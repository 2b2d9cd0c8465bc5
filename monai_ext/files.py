"""Files that appear whole or not at all, and names that every file system takes."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from monai_ext.errors import InputError

LONGEST_NAME = 255
"""Bytes of a file's or folder's name on the common file systems."""
KEPT = 60
"""Characters at the end of a name, its extension among them, that its temporary name keeps: at most 240 bytes."""


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A name beside `path` to write to, renamed to `path` when all went well, removed otherwise.

    The folder of `path` is made if it does not exist.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{path.name[-KEPT:]}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """A folder beside `path` to fill, renamed to `path`, which is new or empty, when all went well, else removed.

    The parent of `path` is made if it does not exist.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{cut_name(path.name, LONGEST_NAME - KEPT)}-"
    with TemporaryDirectory(prefix=prefix, dir=path.parent) as temporary:
        # a folder inside, since the temporary one is closed to other users
        whole = Path(temporary) / path.name
        whole.mkdir()
        yield whole
        whole.replace(path)


def check_writable(path: str | Path) -> None:
    """Refuse a file that could not be written, before the work whose result it is to hold.

    Permissions are not read (they mean nothing to some users and file systems): a temporary file is made in its
    folder, or in the nearest one that exists, and removed again.

    Raises:
        InputError: naming the file and the reason.
    """
    path = Path(path).absolute()
    try:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(path.stat().st_mode):
                raise IsADirectoryError(0, "a folder has that name")
        nearest = next(folder for folder in path.parents if os.path.lexists(folder))
        with NamedTemporaryFile(dir=nearest, prefix=".monai_ext-") as file:
            file.write(b"\0")
    except OSError as error:
        raise InputError(
            f"{path.parent.name}/{path.name}: cannot be written ({error.strerror}); choose another path."
        ) from error


def cut_name(name: str, most: int = LONGEST_NAME) -> str:
    """`name`, or as many of its first characters as `most` bytes hold."""
    while len(os.fsencode(name)) > most:
        name = name[:-1]
    return name
