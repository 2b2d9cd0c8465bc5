"""nnU-Net's folders: imagesTr and labelsTr, imagesTs and labelsTs, and the names of its ``dataset.json``."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.data.datasets import DESCRIPTION
from monai_ext.data.making.found import Found, Mask, Source, image_paths
from monai_ext.errors import InputError
from monai_ext.io.datalists import stem

KIND = "nnU-Net's imagesTr and labelsTr"
LISTS = {"Tr": "", "Ts": "test"}
"""Split of each pair of folders; the first is split further."""


def find_nnunet(source: Path) -> Source:
    """The cases of both pairs of folders; channels ``_0000``, ``_0001``, … are sequences.

    Raises:
        InputError: when ``dataset.json`` is not nnU-Net's.
    """
    table = read_table(source / DESCRIPTION) if (source / DESCRIPTION).is_file() else {}
    cases, alone, without = [], [], []
    for end, split in LISTS.items():
        images = _by_case(source / f"images{end}")
        for label in _files(source / f"labels{end}"):
            name = f"labels{end}/{label.name}"
            if stem(label.name) in images:
                channels = images.pop(stem(label.name))
                image = f"images{end}/{channels[0].name}"
                cases.append(Found(image, tuple(channels), (Mask(label),), split=split, id=stem(label.name)))
            else:
                alone.append(name)
        without += [f"images{end}/{files[0].name}" for files in images.values()]
    return Source(
        KIND,
        cases,
        {"image without a mask": without, "mask without an image": alone},
        stated_labels(table.get("labels")),
        stated_modality(table.get("channel_names") or table.get("modality")),
    )


def read_table(file: Path) -> Mapping[str, Any]:
    """The object in a JSON file.

    Raises:
        InputError: when there is none.
    """
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file.name}: cannot be read as JSON ({error}).") from error
    if not isinstance(table, dict):
        raise InputError(f"{file.name}: no JSON object, so no description of a data set.")
    return table


def stated_labels(table: Any) -> dict[str, list[str]]:
    """Names of the targets by label value, of a table of either direction.

    ``{"0": "background", "1": "liver"}`` (Decathlon, nnU-Net 1), ``{"background": 0, "liver": 1}`` or
    ``{"whole tumour": [1, 2], "core": 2}`` (nnU-Net 2, whose regions overlap).

    Raises:
        InputError: when it is neither.
    """
    result: dict[str, list[str]] = defaultdict(list)
    if not isinstance(table or {}, dict):
        raise InputError(f"{DESCRIPTION}: labels is no table of values and names.")
    for key, value in (table or {}).items():
        numbers = value if isinstance(value, list) else [value]
        if str(key).isdigit() and isinstance(value, str):
            result[str(key)].append(value)
        elif numbers and all(isinstance(number, int) for number in numbers):
            for number in numbers:
                result[str(number)].append(str(key))
        else:
            raise InputError(
                f"{DESCRIPTION}: labels says {key!r}: {value!r}, which is no value and its name."
            )
    result.pop("0", None)
    return dict(result)


def stated_modality(table: Any) -> str:
    """The words of a table of channels, or of a text."""
    if isinstance(table, dict):
        return " ".join(dict.fromkeys(map(str, table.values())))
    return str(table or "")


def _files(folder: Path) -> Sequence[Path]:
    return [folder / path for path in image_paths(folder)] if folder.is_dir() else []


def _by_case(folder: Path) -> dict[str, list[Path]]:
    """The channels of each case, in their order."""
    cases: dict[str, list[Path]] = defaultdict(list)
    for file in _files(folder):
        cases[re.sub(r"_\d{4}$", "", stem(file.name))].append(file)
    return dict(cases)
