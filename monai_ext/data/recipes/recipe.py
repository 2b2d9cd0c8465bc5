"""Recipes: how the files of a published data set become cases with images, masks and facts."""

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
        pool: the pool of the source that it belongs to, from which the recipe fills certain lists.
        image: a picture that is copied as it is, or a file from which `read` makes one.
        masks: pictures whose union is the target; none where the image shows nothing of it.
        channel: which channel of the masks holds the target; any of them if None.
        read: returns (H, W) uint8 of the image and (H, W) bool of the target, for formats that are no picture.
        facts: what is known of the image, as ``{"pathology": "benign"}``.
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
        where: the address or addresses of the source.
        layout: what the source's folder holds, in one line.
        patients: what ``group`` stands for.
        cases: lists the cases of a source folder.
        official: number of images in each pool of the official release.
        sizes: number of images in each list, by the pool that they come from.
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
    """(H, W) bool: the pixels where any of the mask pictures is bright; none if there are no mask pictures.

    Bright is 1 in masks of 0 and 1, and above half of 255 in others and in every JPEG.

    Args:
        shape: (H, W) of the image.
        channel: number of the channel of colour pictures; None takes the brightest. Grey pictures have one.

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
        jpeg = path.suffix.lower() in (".jpg", ".jpeg")  # whose noise is no mask
        result |= plane > (0 if plane.max() <= 1 and not jpeg else 127)
    return result


def find_folders(source: Path, *names: str) -> list[Path]:
    """All folders of a source whose path ends with these names, whatever their case, in order.

    They may lie at any depth: archives are unpacked into one, two or no folders of their own.
    """
    wanted = [name.casefold() for name in names]
    inside = [source, *(path for path in source.rglob("*") if path.is_dir())]
    return sorted(
        path for path in inside if [name.casefold() for name in path.parts[-len(wanted) :]] == wanted
    )
