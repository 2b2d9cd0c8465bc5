"""Which kind of source a folder or file is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from monai_ext.data.datasets import DESCRIPTION
from monai_ext.data.making.case_folders import find_case_folders
from monai_ext.data.making.decathlon import find_decathlon
from monai_ext.data.making.dicom import find_dicom, has_annotations
from monai_ext.data.making.found import Source
from monai_ext.data.making.matched import find_matched
from monai_ext.data.making.names import folder_list
from monai_ext.data.making.nnunet import find_nnunet
from monai_ext.data.making.sheet import TABLES, find_in_sheet
from monai_ext.errors import InputError, quoted_name
from monai_ext.io.datalists import is_folder

HELP = (
    "a mask has the name of its image, in a folder called masks, labels, annotations or gt, or with mask, seg, label"
    " or gt before or behind its name; docs/datasets.md shows what is understood"
)


def find_source(path: str | Path) -> Source:
    """The cases of a source: a table, a Decathlon list, nnU-Net's folders, DICOM, or folders of images and masks.

    Nothing but names, tables and DICOM headers is read.

    Raises:
        InputError: when it is missing or of none of these kinds, or holds no image with a mask.
    """
    path = Path(path).expanduser()
    source = _folder(path) if is_folder(path) else _file(path)
    if not source.cases:
        files = [f"{len(names)} × {what}" for what, names in source.unmatched.items() if names]
        held = f" ({', '.join(files)})" if files else ""
        raise InputError(f"{path.name}: no image with a mask in it{held}: {HELP}.")
    return source


def _file(path: Path) -> Source:
    suffix = path.suffix.lower()
    if suffix in TABLES:
        return find_in_sheet(path)
    if suffix == ".json":
        return find_decathlon(path)
    raise InputError(f"{path.name}: give a folder, a table ({', '.join(TABLES)}), or a list (.json).")


def _folder(path: Path) -> Source:
    table = path / DESCRIPTION
    if table.is_file() and _lists_items(table):
        return find_decathlon(table)
    if (path / "imagesTr").is_dir() and (path / "labelsTr").is_dir():
        return find_nnunet(path)
    if (archive := has_annotations(path)) is not None:
        return find_dicom(archive, path)
    return _with_lists(max(find_matched(path), find_case_folders(path), key=lambda source: len(source.cases)))


def _with_lists(source: Source) -> Source:
    """The source with its cases in the lists that their folders are called after, if all of them are."""
    lists = [folder_list(Path(case.name)) for case in source.cases]
    if len({*lists} - {""}) < 2:
        return source
    if not all(lists):
        note = f"folders such as train and test are not taken as lists, since {lists.count('')} case(s) lie outside of them"
        return replace(source, notes=[*source.notes, note])
    cases = [replace(case, split=name) for case, name in zip(source.cases, lists)]
    return replace(source, cases=cases, notes=[*source.notes, "the lists are those of the folders"])


def _lists_items(table: Path) -> bool:
    try:
        found = json.loads(table.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{quoted_name(table)} cannot be read as JSON ({error}).") from error
    return isinstance(found, dict) and isinstance(found.get("training"), list)
