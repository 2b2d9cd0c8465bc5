"""Files that appear whole or not at all, and names that every file system takes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

from monai_ext.errors import InputError

LONGEST_NAME = 255
"""Bytes of a file's or folder's name on the common file systems."""
KEPT = 55
"""Characters at the end of a name, its extension among them, that its temporary name keeps: at most 240 bytes."""
FORGOTTEN = 7 * 86400
"""Seconds without a change after which another machine's temporary file counts as left behind: none is written so long."""


@contextmanager
def whole_file(path: str | Path, synced: bool = False) -> Iterator[Path]:
    """A name beside `path` to write to, renamed to `path` when all went well, removed otherwise.

    The folder of `path` is made if it does not exist. What processes that were killed left in it is removed.

    Args:
        path: of the file.
        synced: the content is on the disk before the file has its name, so that a loss of power leaves it whole, too.
    """
    temporary = _temporary(Path(path))
    try:
        yield temporary
        if synced:
            _sync(temporary)
        os.replace(temporary, path)
        if synced:
            _sync(Path(path).parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """A folder beside `path` to fill, renamed to `path`, which is new or empty, when all went well, else removed.

    The parent of `path` is made if it does not exist. What processes that were killed left in it is removed.
    """
    temporary = _temporary(Path(path))
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that had the same number
    temporary.mkdir()
    try:
        yield temporary
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; Windows has this for files only."""
    if sys.platform == "win32" and path.is_dir():
        return
    number = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def check_empty(folder: Path) -> None:
    """Refuse a folder to be made that is there and holds something, or is none.

    Raises:
        InputError: naming the folder.
    """
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder.name}: not empty, and nothing is overwritten; choose a new folder.")


def check_new_folder(folder: Path, source: Path) -> None:
    """Refuse a folder to be made from `source` (both absolute) that is not empty, or lies in it.

    Raises:
        InputError: naming the folder and the reason.
    """
    check_empty(folder)
    if source == folder or source in folder.parents:
        raise InputError(
            f"{folder.name}: lies inside the source {source.name}; choose a folder outside of it."
        )


def _temporary(path: Path) -> Path:
    """The temporary name of this process for `path`, whose folder is made and tidied."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # a folder that cannot be listed may still be written to
        _remove_leftovers(path)
    return path.with_name(f".{os.getpid()}-{_machine()}-{path.name[-KEPT:]}")


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files and folders that dead processes left beside `path`.

    Whether a process is alive is known of this machine alone. Those of others, which may share the disk, are removed a
    week after their last change; so are all on Windows, which tells nothing of a process without harm to it. A name
    without a machine, of earlier versions, is looked at only where it is that of `path` itself.
    """
    own = re.compile(rf"\.(\d{{1,10}})-(?:([0-9a-f]{{8}})-.+|{re.escape(path.name[-KEPT:])})", re.DOTALL)
    with os.scandir(path.parent) as entries:
        found = [(entry, match) for entry in entries if (match := own.fullmatch(entry.name))]
    for entry, match in found:
        here = match[2] in (None, _machine()) and sys.platform != "win32"
        with contextlib.suppress(OSError):  # another user's, or removed meanwhile
            dead = not _is_alive(int(match[1])) if here else _age(entry) > FORGOTTEN
            if dead and entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            elif dead:
                os.unlink(entry.path)


@cache
def _machine() -> str:
    """Eight digits that tell this machine, or container, from others that write to the same disk."""
    processes = Path("/proc/self/ns/pid")  # containers of one host may share its name, but not its processes
    numbers = os.readlink(processes) if processes.is_symlink() else ""
    return hashlib.sha256(f"{socket.gethostname()} {numbers}".encode()).hexdigest()[:8]


def _age(entry: os.DirEntry[str]) -> float:
    """Seconds since the last change."""
    return time.time() - entry.stat(follow_symlinks=False).st_mtime


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


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
        with NamedTemporaryFile(dir=nearest, prefix=f".{os.getpid()}-{_machine()}-") as file:
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


def file_sha256(path: Path) -> str:
    """SHA-256 of a file of any size, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
