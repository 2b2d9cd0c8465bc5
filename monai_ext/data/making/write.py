"""Write a planned data set: images copied or linked, labels on their grid, ``dataset.json``; whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib

from monai_ext.data.datasets import DESCRIPTION
from monai_ext.data.making.found import Found
from monai_ext.data.making.plan import Item, Plan, targets_of
from monai_ext.data.making.survey import read_layers, volumes
from monai_ext.errors import InputError
from monai_ext.files import check_new_folder, whole_folder
from monai_ext.io.datalists import stem
from monai_ext.io.dicom.series import image_files
from monai_ext.io.read_itk import voxel_file
from monai_ext.io.write_masks import file_writer

Place = Callable[[Path, Path], Any]
"""Puts the file of the first path at the second."""


def write_set(
    plan: Plan,
    source: str | Path,
    folder: str | Path,
    link: bool = False,
    track: Callable[[Sequence[Item]], Iterable[Item]] = iter,
) -> None:
    """Write a data set of the format of docs/datasets.md.

    Args:
        plan: of :func:`monai_ext.data.making.plan.plan_set`.
        source: where its files are; nothing in it changes.
        folder: new or empty; it appears whole, under a temporary name first.
        link: put symbolic links to the images, instead of copies.
        track: passes on the items that are written, and may show the progress.

    Raises:
        InputError: the folder is not empty, lies in the source or cannot be written; a file was changed meanwhile.
    """
    source, folder = (Path(path).expanduser().absolute() for path in (source, folder))
    check_new_folder(folder, source)
    place: Place = (lambda old, new: os.symlink(old.resolve(), new)) if link else shutil.copyfile
    items = [item for name in plan.lists for item in plan.lists[name]]
    try:
        with whole_folder(folder) as temporary:
            for name in ("images", "labels"):
                (temporary / name).mkdir()
            entries = {item.id: _write_item(item, plan, temporary, place) for item in track(items)}
            text = json.dumps(_description(plan, entries), indent=1, ensure_ascii=False)
            (temporary / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder.name}: cannot be written ({error.strerror}).") from error


def _write_item(item: Item, plan: Plan, folder: Path, place: Place) -> dict[str, Any]:
    """Write image and label of an item; its entry in ``dataset.json``."""
    case, shape, meta = item.case.found, item.case.shape, item.case.meta
    layers, _, _ = read_layers(case, shape, meta["affine"], plan.asked)
    labels = {names: plan.labels.get(targets_of(names, plan.names), 0) for names in layers.sets}
    suffix, write = file_writer({**meta, "filename_or_obj": str(case.images[0])}, "auto")
    label = f"labels/{item.id}{suffix}"
    write(folder / label, layers.numbered(labels))
    entry: dict[str, Any] = {
        "id": item.id,
        "group": item.group,
        "image": _put_images(item, folder, place),
        "label": label,
    }
    if len(item.labels) < len(plan.labels):
        entry["annotated_labels"] = list(item.labels)
    return entry | dict(case.facts)


def _put_images(item: Item, folder: Path, place: Place) -> str | list[str]:
    """Put the image of an item into ``images``; its path or those of its sequences, relative to `folder`."""
    case = item.case.found
    base = f"images/{item.id}"
    if case.read is not None or case.images[0].is_dir():
        _put_slices(case, folder / base, place)
        return base
    if (count := volumes(case)) > 1:
        names = [f"{base}_{number}.nii.gz" for number in range(count)]
        for name, volume in zip(names, nib.four_to_three(nib.load(case.images[0]))):
            nib.save(volume, folder / name)
        return names
    names = []
    for number, file in enumerate(case.images):
        numbered = base if len(case.images) == 1 else f"{base}_{number}"
        if (voxels := voxel_file(file)) != file:  # the header names it, so that both keep their names
            (folder / numbered).mkdir()
            place(voxels, folder / numbered / voxels.name)
            names.append(f"{numbered}/{file.name}")
        else:
            names.append(numbered + file.name.removeprefix(stem(file)).lower())
        place(file, folder / names[-1])
    return names if len(names) > 1 else names[0]


def _put_slices(case: Found, folder: Path, place: Place) -> None:
    """The slices of a DICOM series, numbered: names of slices may name a patient, and be the same in two folders."""
    files = (
        case.images if case.read is not None else [file for file, _ in image_files(case.images[0], deep=True)]
    )
    folder.mkdir()
    for number, file in enumerate(files, 1):
        place(file, folder / f"{number:05d}.dcm")


def _description(plan: Plan, entries: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        **plan.tables,
        "split_rule": f"monai-ext dataset make, seed {plan.seed}",
        "notes": "; ".join(plan.notes),
        **{f"num{name.capitalize()}": len(items) for name, items in plan.lists.items()},
        **{name: [entries[item.id] for item in items] for name, items in plan.lists.items()},
    }
