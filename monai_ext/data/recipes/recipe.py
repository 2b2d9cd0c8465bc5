"""What a recipe says of a published data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from monai_ext.errors import InputError
from monai_ext.io.read_picture import load_picture


@dataclass(frozen=True)
class Case:
    """One image of a source, not opened yet.

    Attributes:
        id: name of its files, distinct in the data set.
        group: patient, or the id where patients are unknown.
        pool: which part of the source it belongs to; a part goes into the lists that the recipe names for it.
        image: a picture that is copied as it is, or a file from which `read` makes one.
        masks: pictures whose union is the target; none where the image shows nothing of it.
        channel: which channel of the masks holds the target; any of them if None.
        read: gives (H, W) uint8 of the image and (H, W) bool of the target instead, for other formats.
        facts: what is known of it, as ``{"pathology": "benign"}``.
    """

    id: str
    group: str
    pool: str
    image: Path
    masks: Sequence[Path] = ()
    channel: int | None = None
    read: Callable[[Path], tuple[np.ndarray, np.ndarray]] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """How a published data set becomes a folder with a ``dataset.json``.

    Attributes:
        name: on the command line, and of the data set.
        description, modality, target, prompts, licence, reference: as in ``dataset.json``.
        where: where the source is to be had.
        layout: what the source's folder holds, in one line.
        patients: what ``group`` stands for.
        cases: lists what a source folder holds.
        official: images in each part (pool) of the official release.
        sizes: images in each list, by the part that they come from.
        remarks: how this differs from the paper whose sizes these are.
    """

    name: str
    description: str
    modality: str
    target: str
    prompts: Sequence[str]
    licence: str
    reference: str
    where: str
    layout: str
    patients: str
    cases: Callable[[Path], Iterator[Case]]
    official: Mapping[str, int]
    sizes: Mapping[str, Mapping[str, int]]
    remarks: str = ""


def union_of_masks(paths: Sequence[Path], shape: tuple[int, ...], channel: int | None = None) -> np.ndarray:
    """(H, W) bool: where any of the mask pictures is bright; nowhere if there are none.

    Masks of 0 and 1 are taken as they are; others, and all JPEG, above half of 255.

    Args:
        shape: (H, W) of the image.
        channel: of colour pictures, the brightest if None. Grey ones have a single one.

    Raises:
        InputError: when a mask has another size than the image.
    """
    result = np.zeros(shape, dtype=bool)
    for path in paths:
        planes = load_picture(path)[0]
        plane = planes.max(0) if channel is None else planes[min(channel, len(planes) - 1)]
        if plane.shape != shape:
            raise InputError(
                f"{path.name}: a mask of {plane.shape} pixels for an image of {shape}; get the file again."
            )
        zero_one = plane.max() <= 1 and path.suffix.lower() not in (
            ".jpg",
            ".jpeg",
        )  # JPEG's noise is no mask
        result |= plane > (0 if zero_one else 127)
    return result


def find_folders(source: Path, *names: str) -> list[Path]:
    """All folders of a source whose path ends with these names, whatever their case, in order.

    Archives are unpacked into one, two or no folders of their own, so that the depth is not asked.
    """
    wanted = [name.casefold() for name in names]
    inside = [source, *(path for path in source.rglob("*") if path.is_dir())]
    return sorted(
        path for path in inside if [part.casefold() for part in path.parts[-len(wanted) :]] == wanted
    )
