"""Fetch public weights to this machine: over HTTPS, where a broken download is resumed, or from a folder.

A file is called ``FILE.partial`` until its hash is verified, and is then renamed. One process at a time fetches an entry;
a second one waits and then uses the file.
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
from monai_ext.files import file_sha256
from monai_ext.weights import store
from monai_ext.weights.registry import Entry, embedded_file, registered

HUB = "https://huggingface.co"
"""Address of ``hub:`` entries; the environment variable HF_ENDPOINT names a mirror."""
CHUNK = 1 << 20
TIMEOUT = 60.0
"""Seconds without a byte from the server after which a connection is given up."""
ATTEMPTS = 3
"""Attempts in a row without a new byte after which a download is given up."""
PAUSE = 2.0
"""Seconds between attempts."""

ReportLine = Callable[[str], None]
Progress = Callable[[int, int | None], None]


class _TransientError(Exception):
    """The next attempt may succeed: the connection broke, or the server failed."""


def url_of(entry: Entry) -> str:
    """The address of an entry's file.

    Raises:
        WeightsError: when it has no address that a program may download from.
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
    report_line: ReportLine = lambda _line: None,
    progress: Progress = lambda _done, _total: None,
) -> Path:
    """Fetch and verify the file of registered weights into ``MONAI_EXT_HOME``, unless it is there already.

    Args:
        name: in the registry.
        folder: take the file from ``folder/NAME/FILE`` or ``folder/FILE`` instead of the network.
        registry: path of another registry.json.
        report_line: called with a line that names file, size and licence before the download begins, and with one when
            another process is fetching the entry.
        progress: called with the number of bytes so far and in all (None if the server does not state it).

    Returns:
        the file.

    Raises:
        WeightsError: when the name is unknown, there is no network or no such file, the file is not the registered or
            recorded one (it is removed), the disk is full, or permission is missing. Bytes that came before a connection
            broke are kept for the next attempt.
    """
    entry = registered(name, registry)
    if entry.source == "embedded":
        return embedded_file(entry, registry)
    target = store.fetched_file(name, entry)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent / ".lock", name, report_line):
            if _is_fetched(name, entry, report_line):
                return target
            partial = target.with_name(f"{entry.file}.partial")
            if folder is None:
                _download(name, entry, partial, report_line, progress)
            else:
                _copy(name, entry, Path(folder).expanduser(), partial, report_line, progress)
            _accept(name, entry, partial, target)
    except OSError as error:
        raise _write_error(name, error) from error
    return target


@contextlib.contextmanager
def _locked(path: Path, name: str, report_line: ReportLine) -> Iterator[None]:
    """Hold the lock of an entry; a second process waits here."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report_line(f"{name}: another process is fetching it; waiting.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _is_fetched(name: str, entry: Entry, report_line: ReportLine) -> bool:
    """Whether the right file is there; a damaged or another file is reported and will be replaced."""
    if not store.fetched_file(name, entry).is_file():
        return False
    try:
        store.verify(name, entry)
    except WeightsError:
        report_line(f"{name}: {entry.file} is there, but damaged or another file; it is fetched again.")
        return False
    return True


def _accept(name: str, entry: Entry, partial: Path, target: Path) -> None:
    """Rename a complete file to its final name if it is the right one, else remove it."""
    found = file_sha256(partial)
    reason = store.refusal(name, entry, found)
    if reason is not None:
        _remove(partial)
        raise WeightsError(
            f"weights {name!r}: {entry.file} was refused and removed: {reason};"
            " fetch it again, or from another place with --from DIR."
        )
    previous = store.read_record(name)
    converted = previous.converted if previous and previous.sha256 == found else ""
    store.write_record(name, store.Record(found, partial.stat().st_size, converted))
    os.replace(partial, target)
    _validator(partial).unlink(missing_ok=True)


def _download(name: str, entry: Entry, partial: Path, report_line: ReportLine, progress: Progress) -> None:
    url = url_of(entry)
    host = urllib.parse.urlsplit(url).hostname
    left, best, announced = ATTEMPTS, _size(partial), False

    def announce(line: str) -> None:
        nonlocal announced
        if not announced:
            report_line(line)
        announced = True

    while True:
        try:
            _transfer(name, entry, url, partial, announce, progress)
            return
        except _TransientError as error:
            left = ATTEMPTS if _size(partial) > best else left - 1
            best = max(best, _size(partial))
            if left == 0:
                kept = (
                    f"; {format_bytes(_size(partial))} are kept, the same command goes on from there"
                    if best
                    else ""
                )
                raise WeightsError(
                    f"weights {name!r}: {host}: {error}{kept}; without a network, fetch --from DIR."
                ) from error
            time.sleep(PAUSE)


def _transfer(
    name: str, entry: Entry, url: str, partial: Path, announce: ReportLine, progress: Progress
) -> None:
    """One request: for the rest of the file if the bytes so far certainly belong to this file, else for all of it."""
    have = _size(partial)
    headers = {"User-Agent": f"monai_ext/{monai_ext.__version__}", "Accept-Encoding": "identity"}
    validator = _validator(partial).read_text() if _validator(partial).is_file() else ""
    if have and (validator or entry.sha256):  # else only the hash would reveal a mixture of two versions
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{have}":
            return  # the file was complete
        if error.code == 416:
            _remove(partial)
        if error.code in (408, 416, 429) or error.code >= 500:
            raise _TransientError(f"the server answers {error.code} {error.reason}") from error
        raise WeightsError(
            f"weights {name!r}: {urllib.parse.urlsplit(url).hostname} answers {error.code} {error.reason} for"
            f" {entry.file}; it may have moved: get it by other means and fetch --from DIR."
        ) from error
    except (OSError, HTTPException) as error:
        raise _TransientError(_reason(error)) from error
    with response:
        start = _start(response, have, partial)
        length = response.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        _check_offer(name, entry, url, response, total)
        announce(describe(name, entry, total))
        _check_space(name, partial, total, start)
        _write_validator(partial, response)
        with partial.open("ab" if start else "wb", buffering=0) as file:
            done = start
            while chunk := _read_chunk(response):
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
            os.fsync(file.fileno())
    if total is not None and done != total:
        raise _TransientError(f"the connection was lost after {format_bytes(done)} of {format_bytes(total)}")


def _start(response: HTTPResponse, have: int, partial: Path) -> int:
    """The byte of the file at which the response begins: 0 where the server ignores Range or has a newer version."""
    if response.status != 206:
        return 0
    if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        _remove(partial)
        raise _TransientError("the server sent another range than the requested one")
    return have


def _check_offer(name: str, entry: Entry, url: str, response: HTTPResponse, total: int | None) -> None:
    """Refuse a response that cannot be the file, before a byte of it is written."""
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


def _copy(
    name: str, entry: Entry, folder: Path, partial: Path, report_line: ReportLine, progress: Progress
) -> None:
    """Copy the file of an entry from a folder, with the same lines and progress as a download."""
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
        report_line(describe(name, entry, total))
        _check_space(name, partial, total, 0)
        while chunk := source.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            progress(done, total)
        file.flush()
        os.fsync(file.fileno())


def describe(name: str, entry: Entry, total: int | None = None) -> str:
    """A line with file, size and licence of an entry; `total`, if given, replaces the registered size."""
    size = total or entry.size
    return f"{name}: {entry.file}, {format_bytes(size) if size else 'size unknown'}, licence {entry.licence}"


def _read_chunk(response: HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK)
    except (OSError, HTTPException) as error:
        raise _TransientError(_reason(error)) from error


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    if isinstance(inner, TimeoutError) or isinstance(error, TimeoutError):
        return f"no answer for {TIMEOUT:g} s"
    return f"no connection ({getattr(inner, 'strerror', None) or inner or type(inner).__name__})"


def _check_space(name: str, partial: Path, total: int | None, present: int) -> None:
    free = shutil.disk_usage(partial.parent).free
    if total is not None and total - present > free:
        raise WeightsError(
            f"weights {name!r}: {format_bytes(total - present)} are needed and {format_bytes(free)} are free;"
            f" free space, or set {store.HOME} to a folder on another disk."
        )


def _write_error(name: str, error: OSError) -> WeightsError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = (
        "free space; the same command goes on from there"
        if full
        else f"set {store.HOME} to a folder of yours"
    )
    return WeightsError(
        f"weights {name!r}: cannot be written to {store.HOME} ({error.strerror or error}); {advice}."
    )


def _validator(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.etag")


def _write_validator(partial: Path, response: HTTPResponse) -> None:
    """Keep the tag of this version of the file, for If-Range, which allows no weak tags."""
    tag = response.headers.get("ETag", "")
    tag = response.headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
    _validator(partial).write_text(tag)


def _remove(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _validator(partial).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def format_bytes(size: int) -> str:
    """A number of bytes in decimal units, as file managers and publishers state it: "2.4 MB"."""
    unit, name = (1e9, "GB") if size >= 1e9 else (1e6, "MB") if size >= 1e6 else (1e3, "kB")
    return f"{size / unit:.{2 if name == 'GB' else 1}f} {name}"
