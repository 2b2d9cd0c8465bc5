"""What tells one image from another, whatever it is called."""

from __future__ import annotations

import hashlib
from pathlib import Path

from monai_ext.files import file_sha256

Stamp = list[int]
"""Number of files, bytes, and nanoseconds of the last change: what changes with the content, and costs no reading."""


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def stamp(path: Path) -> Stamp:
    """Of a file, or of the files in a folder, such as a DICOM series."""
    found = [file.stat() for file in _files(path)]
    return [len(found), sum(one.st_size for one in found), max((one.st_mtime_ns for one in found), default=0)]


def content_hash(path: Path) -> str:
    """SHA-256 of a file, or of those of the files in a folder, in the order of their names; 64 hexadecimal digits."""
    if not path.is_dir():
        return file_sha256(path)
    return hashlib.sha256("".join(map(file_sha256, _files(path))).encode()).hexdigest()
