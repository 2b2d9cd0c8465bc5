"""A list in the manner of the Medical Segmentation Decathlon: a ``dataset.json`` that names images and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_ext.data.datasets import FACTS
from monai_ext.data.making.found import Found, Mask, Source, refuse_missing
from monai_ext.data.making.nnunet import read_table, stated_labels, stated_modality
from monai_ext.errors import InputError

KIND = "a Decathlon list"
LISTS = {"training": "training", "validation": "validation", "test": "test", "testing": "test"}


def find_decathlon(file: Path) -> Source:
    """The labelled items of the lists training, validation and test; the lists are kept if there is more than one.

    Raises:
        InputError: when the file is no such list, or names files that are not there.
    """
    table = read_table(file)
    cases: list[Found] = []
    without: list[str] = []
    for key, split in LISTS.items():
        entries = table.get(key)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and entry.get("image") and entry.get("label"):
                cases.append(_case(file, entry, split))
            else:
                without.append(str(entry.get("image", entry) if isinstance(entry, dict) else entry))
    refuse_missing(file, cases)
    if len({case.split for case in cases}) == 1:  # the rest of such a release is not labelled
        cases = [replace(case, split="") for case in cases]
    return Source(
        KIND,
        cases,
        {"image without a mask": without},
        stated_labels(table.get("labels")),
        stated_modality(table.get("modality")),
        ["the sentences under prompts are not taken over"] if table.get("prompts") else [],
    )


def _case(file: Path, entry: Mapping[str, Any], split: str) -> Found:
    if "annotated_labels" in entry:
        raise InputError(
            f"{file.parent.name}: a data set of this format already; look at it with monai-ext dataset check."
        )
    images = entry["image"] if isinstance(entry["image"], list) else [entry["image"]]
    return Found(
        str(images[0]).removeprefix("./"),
        tuple(file.parent / str(image) for image in images),
        (Mask(file.parent / str(entry["label"])),),
        group=str(entry.get("group", "")),
        split=split,
        facts={key: entry[key] for key in FACTS if key in entry},
        id=str(entry.get("id", "")),
    )
