"""A CSV or Excel table with a row for each image: paths of image and mask, patient, list, facts."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.data.datasets import FACTS
from monai_ext.data.making.found import Found, Mask, Source, refuse_missing
from monai_ext.data.making.names import LISTS
from monai_ext.data.recipes.sheet import rows_of_sheet
from monai_ext.errors import InputError

KIND = "a table of paths"
TABLES = (".csv", ".tsv", ".xlsx")
COLUMNS = {
    "image": ("image", "img", "image_path", "image_file", "scan"),
    "mask": ("mask", "label", "seg", "segmentation", "mask_path", "mask_file", "label_path", "label_file"),
    "group": ("group", "patient", "patient_id", "patientid", "subject", "subject_id"),
    "split": ("split", "list", "subset"),
    "id": ("id", "case", "case_id"),
}
"""Headings of the columns, in small letters, by what they hold."""
STATED = tuple(fact for fact in FACTS if fact != "empty_mask")
"""Facts that a column may hold; whether a mask is empty is seen from it."""


def find_in_sheet(file: Path) -> Source:
    """The rows with an image and a mask; paths are relative to the table's folder, several stand with ``;`` between.

    A column ``mask`` or ``label`` holds label maps; one such as ``mask_liver`` holds masks of what it names.

    Raises:
        InputError: when the table cannot be read, lacks a column, or names files that are not there or unknown lists.
    """
    heading, *rows = [row for row in _rows(file) if any(row)] or [[]]
    columns = [_column(name) for name in heading]
    kinds = [kind for kind, _ in columns]
    if "image" not in kinds or "mask" not in kinds:
        raise InputError(
            f"{file.name}: the first row names no column “{'mask' if 'image' in kinds else 'image'}”; it holds"
            f" {', '.join(heading[:8]) or 'nothing'}."
        )
    cases: list[Found] = []
    without: list[Found] = []
    for number, row in enumerate(rows, 2):
        case = _case(file, number, dict(zip(range(len(columns)), row)), columns)
        (cases if case.masks else without).append(case)
    refuse_missing(file, cases)
    ignored = [name for name, (kind, _) in zip(heading, columns) if not kind and name]
    notes = [f"columns that are not used: {', '.join(ignored)}"] if ignored else []
    return Source(KIND, cases, {"row without a mask": [case.name for case in without]}, notes=notes)


def _rows(file: Path) -> Iterator[list[str]]:
    if file.suffix.lower() == ".xlsx":
        yield from rows_of_sheet(file, empty=True)
        return
    try:
        text = file.read_text(encoding="utf-8-sig")
        delimiter = max(",\t;", key=text.partition("\n")[0].count)
        for row in csv.reader(text.splitlines(), delimiter=delimiter):
            yield [cell.strip() for cell in row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file.name}: no table in UTF-8 text ({error}); save it again.") from error


def _column(name: str) -> tuple[str, str]:
    """What a column holds, and of a mask or a fact which."""
    word = re.sub(r"[\s\-]+", "_", name.strip().casefold())
    if kind := next((kind for kind, names in COLUMNS.items() if word in names), ""):
        return kind, ""
    if target := re.fullmatch(r"(?:mask|label|seg)[_:](.+)", word):
        return "mask", target[1].replace("_", " ")
    if re.fullmatch(r"image_?\w+", word):
        return "image", ""
    return ("fact", word) if word in STATED else ("", "")


def _case(file: Path, number: int, row: Mapping[int, str], columns: Sequence[tuple[str, str]]) -> Found:
    found: dict[str, Any] = {"group": "", "split": "", "id": ""}
    images: list[Path] = []
    masks: list[Mask] = []
    facts: dict[str, str] = {}
    for place, (kind, which) in enumerate(columns):
        cell = row.get(place, "")
        paths = [file.parent / part.strip() for part in cell.replace("\\", "/").split(";") if part.strip()]
        if kind == "image":
            images += paths
        elif kind == "mask":
            masks += [Mask(path, which) for path in paths]
        elif kind == "fact":
            facts |= {which: cell} if cell else {}
        elif kind:
            found[kind] = cell
    if not images:
        raise InputError(f"{file.name}: row {number} names no image.")
    if found["split"] and found["split"].casefold() not in LISTS:
        raise InputError(
            f"{file.name}: row {number} states the list {found['split']!r}; training, validation and test are known."
        )
    found["split"] = LISTS.get(found["split"].casefold(), "")
    name = os.path.relpath(images[0], file.parent)
    return Found(Path(name).as_posix(), tuple(images), tuple(masks), facts=facts, **found)
