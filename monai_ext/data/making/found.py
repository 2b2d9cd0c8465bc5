"""What a source of images and masks holds, before anything of it is opened: cases, and what fits none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.errors import InputError
from monai_ext.io.datalists import PICTURES, VOLUMES
from monai_ext.io.dicom.files import walk_files


@dataclass(frozen=True)
class Mask:
    """One file that says where something is in an image.

    Attributes:
        file: a label map, a mask of one target, a DICOM SEG or an RTSTRUCT.
        target: what all of it shows, where the file's name or a column says so; "" where its values do.
        names: what each of its values shows, where the source says that for this file; each was then looked for.
        read: gives the label and the bool mask, on the grid of the image, of each region that a DICOM object holds.
    """

    file: Path
    target: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[], Iterator[tuple[str, np.ndarray]]] | None = None


@dataclass(frozen=True)
class Found:
    """One image, not opened yet, with its masks.

    Attributes:
        name: what messages call it, a path in the source.
        images: the files of its sequences, or one DICOM folder.
        masks: at least one.
        group: patient; "" where the source does not say.
        split: the list that the source puts it in; "" where it does not say.
        modality: DICOM's code, "" where the files do not state it.
        facts: see :data:`monai_ext.data.datasets.FACTS`.
        id: the case's name in the data set; "" to make it of `name`.
        read: gives the image and its ``meta``, where :func:`monai_ext.io.read_image.load_image` of `images` does not.
    """

    name: str
    images: tuple[Path, ...]
    masks: tuple[Mask, ...]
    group: str = ""
    split: str = ""
    modality: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    read: Callable[[], tuple[np.ndarray, dict[str, Any]]] | None = None


@dataclass(frozen=True)
class Source:
    """All that was found in a source.

    Attributes:
        kind: how images and masks were matched, in words.
        cases: images with masks.
        unmatched: names of files that fit no case, by what they lack, such as "image without a mask".
        targets: what the source's own table calls each label value; a value may belong to several targets, and
            "background" is none.
        modality: in the words of the source's own table, "" without one.
        notes: what was passed over, one sentence each.
    """

    kind: str
    cases: Sequence[Found]
    unmatched: Mapping[str, Sequence[str]] = field(default_factory=dict)
    targets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    modality: str = ""
    notes: Sequence[str] = ()


def image_paths(folder: Path) -> list[Path]:
    """Pictures and volumes in a folder and its sub-folders, by name, as paths relative to it."""
    return [
        Path(parent, name).relative_to(folder)
        for parent, _, files in walk_files(folder)
        for name in files
        if name.lower().endswith(PICTURES + VOLUMES)
    ]


def refuse_missing(table: Path, cases: Sequence[Found]) -> None:
    """Refuse a table that names files which are not there.

    Raises:
        InputError: with their number and the first of them.
    """
    named = [path for case in cases for path in (*case.images, *(mask.file for mask in case.masks))]
    if missing := [
        path for path in named if not os.path.exists(path)
    ]:  # also of a name that no file system takes
        raise InputError(
            f"{table.name}: {len(missing)} of the files that it names are not there, such as {missing[0].name}."
        )
