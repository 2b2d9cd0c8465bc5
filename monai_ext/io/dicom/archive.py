"""A folder, a file or a zip archive of DICOM files, all as a folder or file to read from."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from monai_ext.errors import InputError
from monai_ext.io.dicom.files import MAX_FILES

MAX_BYTES = 8 << 30
"""Bytes that an archive may unpack to: a study of some 15 000 CT slices."""


@contextmanager
def unpacked(path: Path, max_bytes: int = MAX_BYTES) -> Iterator[Path]:
    """`path` itself, or, if it is a ``.zip``, a temporary folder with its files, removed at the end.

    The files lie flat in numbered folders, in the order of the archive: no name in it can lead elsewhere.

    Raises:
        InputError: the archive is damaged, encrypted, packed by another method than deflate, or unpacks to more than `max_bytes`.
    """
    if path.is_dir() or not path.name.lower().endswith(".zip"):
        yield path
        return
    with TemporaryDirectory(prefix="monai_ext_") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(path.name, archive, Path(folder), max_bytes)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            ValueError,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise InputError(f"{path.name}: a damaged zip archive; pack it again.") from error
        except OSError as error:
            raise InputError(f"{path.name}: cannot be unpacked ({error.strerror}).") from error
        yield Path(folder)


def _unpack(name: str, archive: zipfile.ZipFile, folder: Path, max_bytes: int) -> None:
    members = [m for m in archive.infolist() if not m.is_dir()]
    if any(m.flag_bits & 1 for m in members):
        raise InputError(f"{name}: an encrypted zip archive; unpack it first.")
    if any(m.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for m in members):
        # zipfile inflates a block of the others whole, however large, before it looks at the stated size
        raise InputError(
            f"{name}: a zip archive packed by bzip2 or LZMA; pack it with deflate, or give the folder."
        )
    if sum(m.file_size for m in members) > max_bytes or len(members) > MAX_FILES:
        raise InputError(
            f"{name}: unpacks to more than {max_bytes >> 20} MiB or {MAX_FILES} files; unpack it yourself and give"
            " the folder."
        )
    for number, member in enumerate(members):
        target = folder / f"{number:06d}" / (PurePosixPath(member.filename.replace("\\", "/")).name or "file")
        target.parent.mkdir()
        # zipfile gives no more bytes of a member than the archive states, which may be wrong
        with archive.open(member) as source, target.open("xb") as unpacked_file:
            shutil.copyfileobj(source, unpacked_file)
