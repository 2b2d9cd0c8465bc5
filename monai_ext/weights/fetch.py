"""Bring public weights onto this machine: over HTTPS, going on where an earlier try stopped, or from a folder.

A file lies beside its place as ``FILE.partial`` until its hash is right, and is renamed then. One process fetches
an entry at a time; a second one waits and finds it done.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

import monai_ext
from monai_ext.errors import WeightsError
from monai_ext.weights import store
from monai_ext.weights.registry import Entry, embedded_file, registered

HUB = "https://huggingface.co"
"""Where ``hub:`` entries are; the environment variable HF_ENDPOINT names a mirror."""
CHUNK = 1 << 20
TIMEOUT = 60.0
"""Seconds without a byte from the server."""
ATTEMPTS = 3
"""Tries in a row that bring nothing new."""
PAUSE = 2.0
"""Seconds between them."""

Tell = Callable[[str], None]
Progress = Callable[[int, int | None], None]


class _LostError(Exception):
    """What may go better at the next try: the connection broke, or the server was not well."""


def url_of(entry: Entry) -> str:
    """The address of an entry's file.

    Raises:
        WeightsError: when it has none that a program may download from.
    """
    kind, _, rest = entry.source.partition(":")
    if kind == "hub":
        repository, _, revision = rest.partition("@")
        hub = (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
        if not hub.startswith(("https://", "http://")):
            raise WeightsError(
                "HF_ENDPOINT has to begin with https:// or http://; set it to a mirror, or unset it."
            )
        return f"{hub}/{repository}/resolve/{revision}/{entry.file}"
    if kind == "page":
        raise WeightsError(
            f"{entry.file} has to be downloaded in a browser from {rest}; then name its folder with --from DIR."
        )
    return entry.source


def fetch(
    name: str,
    folder: str | Path | None = None,
    registry: str | Path | None = None,
    tell: Tell = lambda _line: None,
    progress: Progress = lambda _done, _total: None,
) -> Path:
    """Bring the file of registered weights to ``MONAI_EXT_HOME``, verified; nothing is done if it is there.

    Args:
        name: in the registry.
        folder: take it from ``folder/NAME/FILE`` or ``folder/FILE`` instead of the network.
        registry: path of another registry.json.
        tell: called with a line naming file, size and licence before the download begins, and when it waits.
        progress: called with the bytes there are, and how many it will be (None: the server does not say).

    Returns:
        the file.

    Raises:
        WeightsError: unknown name, no network, no such file, another file than registered or recorded (it is
            removed), disk full, or no permission; what came before the connection broke is kept for the next try.
    """
    entry = registered(name, registry)
    if entry.source == "embedded":
        return embedded_file(entry, registry)
    target = store.fetched_file(name, entry)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent / ".lock", name, tell):
            if _is_there(name, entry, tell):
                return target
            partial = target.with_name(f"{entry.file}.partial")
            if folder is None:
                _download(name, entry, partial, tell, progress)
            else:
                _copy(name, entry, Path(folder).expanduser(), partial, tell, progress)
            _keep(name, entry, partial, target)
    except OSError as error:
        raise _unwritable(name, error) from error
    return target


@contextlib.contextmanager
def _alone(path: Path, name: str, tell: Tell) -> Iterator[None]:
    """Hold the lock of an entry; a second process waits here."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell(f"{name}: another process is fetching it; waiting.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _is_there(name: str, entry: Entry, tell: Tell) -> bool:
    """Whether the file is there and right; one that is not is told of and will be replaced."""
    if not store.fetched_file(name, entry).is_file():
        return False
    try:
        store.verify(name, entry)
    except WeightsError:
        tell(f"{name}: {entry.file} is there, but damaged or another file; it is fetched again.")
        return False
    return True


def _keep(name: str, entry: Entry, partial: Path, target: Path) -> None:
    """Give a file that is whole its name if it is the right one, else remove it."""
    found = store.file_sha256(partial)
    reason = store.refusal(name, entry, found)
    if reason is not None:
        _remove(partial)
        raise WeightsError(
            f"weights {name!r}: {entry.file} was refused and removed: {reason};"
            " fetch it again, or from another place with --from DIR."
        )
    before = store.read_record(name)
    made = before.converted if before and before.sha256 == found else ""
    store.write_record(name, store.Record(found, partial.stat().st_size, made))
    os.replace(partial, target)
    _validator(partial).unlink(missing_ok=True)


def _download(name: str, entry: Entry, partial: Path, tell: Tell, progress: Progress) -> None:
    url = url_of(entry)
    host = urllib.parse.urlsplit(url).hostname
    left, best, told = ATTEMPTS, _size(partial), False

    def announce(line: str) -> None:
        nonlocal told
        if not told:
            tell(line)
        told = True

    while True:
        try:
            _transfer(name, entry, url, partial, announce, progress)
            return
        except _LostError as error:
            left = ATTEMPTS if _size(partial) > best else left - 1
            best = max(best, _size(partial))
            if left == 0:
                kept = (
                    f"; {amount(_size(partial))} are kept, the same command goes on from there"
                    if best
                    else ""
                )
                raise WeightsError(
                    f"weights {name!r}: {host}: {error}{kept}; without a network, fetch --from DIR."
                ) from error
            time.sleep(PAUSE)


def _transfer(name: str, entry: Entry, url: str, partial: Path, announce: Tell, progress: Progress) -> None:
    """One request: the rest of the file if a part is there that surely is of this file, else all of it."""
    have = _size(partial)
    headers = {"User-Agent": f"monai_ext/{monai_ext.__version__}", "Accept-Encoding": "identity"}
    validator = _validator(partial).read_text() if _validator(partial).is_file() else ""
    if have and (validator or entry.sha256):  # parts of two versions would be told by the hash only
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{have}":
            return  # all of it was there
        if error.code == 416:
            _remove(partial)
        if error.code in (408, 416, 429) or error.code >= 500:
            raise _LostError(f"the server answers {error.code} {error.reason}") from error
        raise WeightsError(
            f"weights {name!r}: {urllib.parse.urlsplit(url).hostname} answers {error.code} {error.reason} for"
            f" {entry.file}; it may have moved: get it by other means and fetch --from DIR."
        ) from error
    except (OSError, HTTPException) as error:
        raise _LostError(_reason(error)) from error
    with response:
        start = _start(response, have, partial)
        length = response.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        _check_offer(name, entry, url, response, total)
        announce(describe(name, entry, total))
        _room(name, partial, total, start)
        _note_validator(partial, response)
        with partial.open("ab" if start else "wb", buffering=0) as file:
            done = start
            while chunk := _next(response):
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
            os.fsync(file.fileno())
    if total is not None and done != total:
        raise _LostError(f"the connection was lost after {amount(done)} of {amount(total)}")


def _start(response: HTTPResponse, have: int, partial: Path) -> int:
    """Where the answer begins in the file: 0 when the server ignores Range, or holds another version by now."""
    if response.status != 206:
        return 0
    if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        _remove(partial)
        raise _LostError("the server sent another part than it was asked for")
    return have


def _check_offer(name: str, entry: Entry, url: str, response: HTTPResponse, total: int | None) -> None:
    """Refuse, before a byte is written, what cannot be the file."""
    if url.startswith("https:") and not response.geturl().startswith("https:"):
        raise WeightsError(
            f"weights {name!r}: the server sends on to an address without encryption; fetch --from DIR."
        )
    if response.headers.get_content_type() == "text/html":
        raise WeightsError(
            f"weights {name!r}: the server sent a web page instead of {entry.file};"
            " download it in a browser and fetch --from DIR."
        )
    if entry.size and total is not None and total != entry.size:
        raise WeightsError(
            f"weights {name!r}: the server offers {total} bytes of {entry.file}, {entry.size} are registered;"
            " get it by other means and fetch --from DIR."
        )


def _copy(name: str, entry: Entry, folder: Path, partial: Path, tell: Tell, progress: Progress) -> None:
    """Copy the file of an entry from a folder, as far as possible as it would be downloaded."""
    origin = next((p for p in (folder / name / entry.file, folder / entry.file) if p.is_file()), None)
    if origin is None:
        raise WeightsError(
            f"weights {name!r}: neither {name}/{entry.file} nor {entry.file} is in the folder {folder.name!r};"
            " put it there, or name another folder with --from DIR."
        )
    _remove(partial)
    try:
        source: BinaryIO = origin.open("rb")
    except OSError as error:
        raise WeightsError(f"weights {name!r}: {entry.file} cannot be read ({error.strerror}).") from error
    with source, partial.open("wb") as file:
        total, done = origin.stat().st_size, 0
        tell(describe(name, entry, total))
        _room(name, partial, total, 0)
        while chunk := source.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            progress(done, total)
        file.flush()
        os.fsync(file.fileno())


def describe(name: str, entry: Entry, total: int | None = None) -> str:
    """A line with file, size and licence of an entry; `total` goes before the size it is registered with."""
    size = total or entry.size
    return f"{name}: {entry.file}, {amount(size) if size else 'size unknown'}, licence {entry.licence}"


def _next(response: HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK)
    except (OSError, HTTPException) as error:
        raise _LostError(_reason(error)) from error


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    if isinstance(inner, TimeoutError) or isinstance(error, TimeoutError):
        return f"no answer for {TIMEOUT:g} s"
    return f"no connection ({getattr(inner, 'strerror', None) or inner or type(inner).__name__})"


def _room(name: str, partial: Path, total: int | None, there: int) -> None:
    free = shutil.disk_usage(partial.parent).free
    if total is not None and total - there > free:
        raise WeightsError(
            f"weights {name!r}: {amount(total - there)} are needed and {amount(free)} are free;"
            f" free space, or set {store.HOME} to a folder on another disk."
        )


def _unwritable(name: str, error: OSError) -> WeightsError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    do = (
        "free space; the same command goes on from there"
        if full
        else f"set {store.HOME} to a folder of yours"
    )
    return WeightsError(
        f"weights {name!r}: cannot be written to {store.HOME} ({error.strerror or error}); {do}."
    )


def _validator(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.etag")


def _note_validator(partial: Path, response: HTTPResponse) -> None:
    """Keep what tells one version of the file from another, for If-Range; weak tags may not be used there."""
    tag = response.headers.get("ETag", "")
    tag = response.headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
    _validator(partial).write_text(tag)


def _remove(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _validator(partial).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def amount(size: int) -> str:
    """Bytes as a person reads them, in decimal units as file managers and publishers tell them."""
    unit, name = (1e9, "GB") if size >= 1e9 else (1e6, "MB") if size >= 1e6 else (1e3, "kB")
    return f"{size / unit:.{2 if name == 'GB' else 1}f} {name}"
