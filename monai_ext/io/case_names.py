"""What a case is called in folders, records and messages: by its content, since names of files can name patients."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from monai_ext.errors import InputError, one_line
from monai_ext.io.datalists import is_folder
from monai_ext.io.dicom.files import walk_files
from monai_ext.io.dicom.series import image_files
from monai_ext.io.read_itk import voxel_file

HASH, FILE = "hash", "file"
NAMES = (HASH, FILE)
"""Cases are called by their content, or as their file or folder."""


def case_id(digest: str) -> str:
    """The id of a case by its content: ``case-`` and the first 12 digits of :func:`input_hash`.

    Of a single file this is what ``sha256sum FILE`` begins with.
    """
    return f"case-{digest[:12]}"


def input_hash(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal; of a folder, of its DICOM images in the order of their names.

    The file beside a header (.mhd, .nrrd) that holds its voxels is hashed too.

    Raises:
        InputError: when a file cannot be opened.
    """
    path = Path(path)
    digest = hashlib.sha256()
    try:
        for file in _input_files(path):
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    except OSError as error:
        raise InputError(f"{path.name}: cannot be opened ({error.strerror}).") from error
    return digest.hexdigest()


def _input_files(path: Path) -> list[Path]:
    if is_folder(path):
        return [file for file, _ in image_files(path, deep=True)]
    return list(dict.fromkeys((path, voxel_file(path))))


def without_names(reason: str, path: Path, case: str) -> str:
    """The message `reason` about the input at `path`, without the names of its file or folder and of those in it.

    `path` becomes `case`, and a file in it "file 12", by its number in the order of the names. A message names a file
    at its beginning, before a colon, or by :func:`monai_ext.errors.quoted_name`; other words are left, also where they
    are the name of a file.
    """
    names = {name: f"file {number}" for number, name in enumerate(sorted(set(_names_in(path))), 1)}
    names[path.name] = case
    shown = {one_line(name): by for name, by in names.items()}  # as the message holds them
    first = max((name for name in shown if reason.startswith(f"{name}: ")), key=len, default=None)
    message = reason if first is None else shown[first] + reason[len(first) :]
    for name, by in shown.items():
        message = message.replace(f"“{name}”", by)
    return message if message.startswith(f"{case}: ") else f"{case}: {message}"


def _names_in(path: Path) -> Iterator[str]:
    """Names of files and folders in a folder, or of members of a zip archive."""
    if path.is_dir():
        for _, folders, files in walk_files(path):
            yield from (*folders, *files)
    elif path.name.lower().endswith(".zip") and path.is_file():
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.namelist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
            return  # damaged: then no message names a member
        for member in members:
            yield from PurePosixPath(member.replace("\\", "/")).parts
