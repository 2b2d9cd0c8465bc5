"""The store of fetched weights: their files, what was recorded of them, and their verification.

``MONAI_EXT_HOME/weights/NAME/`` holds the public file unchanged, ``lock.json`` with its hash, and, where the file needs
a conversion, the safetensors made from it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from monai_ext.errors import WeightsError
from monai_ext.files import file_sha256, whole_file
from monai_ext.resources import HOME as HOME
from monai_ext.resources import home as home
from monai_ext.weights.registry import Entry

LOCK = "lock.json"
FULL = 64
"""Hexadecimal digits of a whole SHA-256."""


@dataclass(frozen=True)
class Record:
    """The content of ``lock.json``.

    Attributes:
        sha256: of the public file when it was fetched, 64 hexadecimal digits.
        size: of the public file, in bytes.
        converted: SHA-256 of the safetensors made from it, or "".
    """

    sha256: str
    size: int
    converted: str = ""


def fetched_file(name: str, entry: Entry) -> Path:
    """The public file of an entry, which exists once it is fetched."""
    return home() / "weights" / name / entry.file


def converted_file(name: str) -> Path:
    """The safetensors file made from a public file, which exists once it is converted."""
    return home() / "weights" / name / f"{name}.safetensors"


def read_record(name: str) -> Record | None:
    """The record of fetched weights, None if there is none.

    Raises:
        WeightsError: when the lock file exists and cannot be read.
    """
    path = home() / "weights" / name / LOCK
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(
            f"weights {name!r}: weights/{name}/{LOCK} in {HOME} cannot be read ({error}); delete it and fetch again."
        ) from error


def write_record(name: str, record: Record) -> None:
    """Write ``lock.json``, whole or not at all."""
    with whole_file(home() / "weights" / name / LOCK) as path:
        path.write_text(json.dumps(asdict(record), indent=4) + "\n", encoding="utf-8")


def refusal(name: str, entry: Entry, found: str) -> str | None:
    """Why a file with the hash `found` is not the entry's, None if it may be.

    The registry's hash decides; where it is missing or incomplete, so does the hash recorded at the first fetch.
    """
    if entry.sha256 and not found.startswith(entry.sha256):
        return f"it has hash {found[:12]}…, {entry.sha256[:12]}… is registered"
    record = None if len(entry.sha256 or "") == FULL else read_record(name)
    if record is not None and record.sha256 != found:
        return f"it has hash {found[:12]}…, {record.sha256[:12]}… was recorded in {LOCK} when it was first fetched"
    return None


def verify(name: str, entry: Entry) -> Record:
    """Compare a fetched file with the registry and with its record; returns the record.

    Raises:
        WeightsError: when the file is missing, unreadable or another one.
    """
    path = fetched_file(name, entry)
    try:
        found = file_sha256(path)
    except FileNotFoundError:
        raise WeightsError(
            f"weights {name!r} are not on this machine; run: monai-ext weights fetch {name}"
        ) from None
    except OSError as error:
        raise WeightsError(f"weights {name!r}: {entry.file} cannot be read ({error.strerror}).") from error
    reason = refusal(name, entry, found)
    if reason is not None:
        raise WeightsError(
            f"weights {name!r}: {entry.file} is damaged or another file: {reason};"
            f" run: monai-ext weights fetch {name}"
        )
    record = read_record(name)
    if len(entry.sha256 or "") == FULL and (record is None or record.sha256 != found):
        return Record(found, path.stat().st_size)  # put there by hand, or the registry names a newer file
    if record is None:
        raise WeightsError(
            f"weights {name!r}: {entry.file} was not put there by a fetch (no {LOCK} beside it);"
            f" run: monai-ext weights fetch {name} --from DIR"
        )
    return record
