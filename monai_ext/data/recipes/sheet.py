"""The cells of a small spreadsheet, without a library for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

from monai_ext.errors import InputError

_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_MOST = 16 << 20
"""Bytes of the largest member that is read; such tables have a few kilobytes."""


def rows_of_sheet(path: Path) -> Iterator[list[str]]:
    """The rows of the first sheet of an ``.xlsx`` file, their cells as text, empty ones left out.

    Raises:
        InputError: when the file is not an ``.xlsx`` table.
    """
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
            strings = []
            if "xl/sharedStrings.xml" in names:
                items = _member(archive, "xl/sharedStrings.xml", path).iter(f"{_NS}si")
                strings = ["".join(text.text or "" for text in item.iter(f"{_NS}t")) for item in items]
            sheet = _member(archive, "xl/worksheets/sheet1.xml", path)
            rows = [[_text(cell, strings) for cell in row] for row in sheet.iter(f"{_NS}row")]
    except (OSError, BadZipFile, KeyError, IndexError, ValueError, ElementTree.ParseError) as error:
        raise InputError(
            f"{path.name}: not a whole .xlsx table ({type(error).__name__}); get it again."
        ) from error
    yield from ([cell for cell in row if cell] for row in rows)


def _member(archive: ZipFile, name: str, path: Path) -> ElementTree.Element:
    if archive.getinfo(name).file_size > _MOST:
        raise InputError(f"{path.name}: {name} is larger than a table of this kind; get it again.")
    return ElementTree.fromstring(archive.read(name))


def _text(cell: ElementTree.Element, strings: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(text.text or "" for text in cell.iter(f"{_NS}t")).strip()
    value = cell.findtext(f"{_NS}v") or ""
    return (strings[int(value)] if cell.get("t") == "s" else value).strip()
