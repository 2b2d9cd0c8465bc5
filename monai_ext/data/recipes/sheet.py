"""The cells of a small spreadsheet, without a library for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

from monai_ext.errors import InputError

_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_MOST = 16 << 20
"""Bytes of the largest member that is read; such tables have a few kilobytes."""


def rows_of_sheet(path: Path, empty: bool = False) -> Iterator[list[str]]:
    """The rows of the first sheet of an ``.xlsx`` file, their cells as text.

    Args:
        empty: keep empty cells, "", so that each stands in its column; else they are left out.

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
            rows = [_cells(row, strings) for row in sheet.iter(f"{_NS}row")]
    except (OSError, BadZipFile, KeyError, IndexError, ValueError, ElementTree.ParseError) as error:
        raise InputError(
            f"{path.name}: not a whole .xlsx table ({type(error).__name__}); get it again."
        ) from error
    yield from rows if empty else ([cell for cell in row if cell] for row in rows)


def _member(archive: ZipFile, name: str, path: Path) -> ElementTree.Element:
    if archive.getinfo(name).file_size > _MOST:
        raise InputError(f"{path.name}: {name} is larger than a table of this kind; get it again.")
    return ElementTree.fromstring(archive.read(name))


def _cells(row: ElementTree.Element, strings: list[str]) -> list[str]:
    """The cells up to the last one that the file has; it leaves out those that are empty."""
    cells: list[str] = []
    for cell in row:
        column = re.match("[A-Z]{1,3}", cell.get("r", ""))
        cells += [""] * (_number(column[0]) - 1 - len(cells) if column else 0)
        cells.append(_text(cell, strings))
    return cells


def _number(column: str) -> int:
    """Of a column by its letters: A is 1, AA 27."""
    number = 0
    for letter in column:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def _text(cell: ElementTree.Element, strings: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(text.text or "" for text in cell.iter(f"{_NS}t")).strip()
    value = cell.findtext(f"{_NS}v") or ""
    return (strings[int(value)] if cell.get("t") == "s" else value).strip()
