"""Make a data set from a published source: read, leave out duplicates, split, write whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.data.datasets import DESCRIPTION
from monai_ext.data.recipes.recipe import Case, Recipe, union_of_masks
from monai_ext.data.recipes.split import split_groups
from monai_ext.errors import InputError
from monai_ext.files import check_new_folder, whole_folder
from monai_ext.io.read_picture import load_picture
from monai_ext.io.write_picture import write_picture


@dataclass(frozen=True)
class Prepared:
    """What :func:`prepare` wrote.

    Attributes:
        lists: images in each list.
        notes: what was left out and what differs from the recipe's sizes, one line each.
    """

    lists: Mapping[str, int]
    notes: Sequence[str]


@dataclass(frozen=True)
class _Written:
    case: Case
    image: str
    label: str

    @property
    def entry(self) -> dict[str, Any]:
        """The item of ``dataset.json``."""
        files = {"image": self.image, "label": self.label}
        return {"id": self.case.id, "group": self.case.group, **files, **self.case.facts}


def prepare(
    recipe: Recipe,
    source: str | Path,
    folder: str | Path,
    seed: int = 0,
    partial: bool = False,
    track: Callable[[Sequence[Case]], Iterable[Case]] = iter,
) -> Prepared:
    """Write a data set with the lists that a recipe asks for.

    Of images that are equal pixel by pixel the first is kept, and images without the target are left out. All images
    of a patient (``group``) go into the same list.

    Args:
        recipe: one of :data:`monai_ext.data.recipes.RECIPES`.
        source: folder with the unpacked official release; nothing in it is changed.
        folder: new or empty; it appears whole, under a temporary name first.
        seed: of the split.
        partial: also take a source that has less than the official release; lists then shrink in proportion.
        track: passes on the cases that are read, and may show the progress.

    Raises:
        InputError: the source is not as the recipe expects it or has less than the official release, a file
            cannot be read, the folder is not empty or cannot be written.
    """
    source, folder = (Path(path).expanduser().absolute() for path in (source, folder))
    if not source.is_dir():
        raise InputError(f"{source.name}: no such folder; {recipe.name} is to be had at {recipe.where}.")
    check_new_folder(folder, source)
    cases = _listed(recipe, source, partial)
    try:
        with whole_folder(folder) as temporary:
            written, notes = _write_cases(cases, temporary, track)
            lists, more = _split(recipe, written, seed, partial)
            chosen = {id(item) for items in lists.values() for item in items}
            for item in written:
                if id(item) not in chosen:
                    (temporary / item.image).unlink()
                    (temporary / item.label).unlink()
            notes += more
            table = _description(recipe, seed, lists, notes)
            (temporary / DESCRIPTION).write_text(
                json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
    except OSError as error:
        raise InputError(f"{folder.name}: cannot be written ({error.strerror}).") from error
    return Prepared({name: len(items) for name, items in lists.items()}, notes)


def _listed(recipe: Recipe, source: Path, partial: bool) -> list[Case]:
    """The cases of a source, compared with the official release."""
    cases = sorted(recipe.cases(source), key=lambda case: (case.pool, case.id))
    found = Counter(case.pool for case in cases)
    less = [
        f"{found[pool]} of {number} images of {pool}"
        for pool, number in recipe.official.items()
        if found[pool] < number
    ]
    if not cases or (less and not partial):
        raise InputError(
            f"{source.name}: {' and '.join(less)} found; {recipe.name} needs {recipe.layout}, from "
            f"{recipe.where}. Unpack all of it{'' if not cases else ', or take what is there with --partial'}."
        )
    twice = [name for name, number in Counter(case.id for case in cases).items() if number > 1]
    if twice:
        raise InputError(
            f"{source.name}: {len(twice)} images stand twice, such as {twice[0]}; unpack the release only once."
        )
    return cases


def _write_cases(
    cases: Sequence[Case], folder: Path, track: Callable[[Sequence[Case]], Iterable[Case]]
) -> tuple[list[_Written], list[str]]:
    """Images and labels of all cases that show the target, without duplicates."""
    written, seen, empty, twice = [], set(), 0, 0
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for case in track(cases):
        if case.read is None:
            pixels = load_picture(case.image)[0]
            mask = union_of_masks(case.masks, pixels.shape[1:], case.channel)
        else:
            pixels, mask = case.read(case.image)
        digest = hashlib.sha256(str(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).digest()
        empty += not mask.any()
        twice += bool(mask.any()) and digest in seen
        if not mask.any() or digest in seen:
            continue
        seen.add(digest)
        suffix = case.image.suffix.lower() if case.read is None else ".png"
        item = _Written(case, f"images/{case.id}{suffix}", f"labels/{case.id}.png")
        if case.read is None:
            shutil.copyfile(case.image, folder / item.image)
        else:
            write_picture(folder / item.image, pixels)
        write_picture(folder / item.label, mask.astype(np.uint8))
        written.append(item)
    notes = [f"{empty} image(s) without anything of the target left out"] if empty else []
    return written, notes + ([f"{twice} image(s) that repeat another left out"] if twice else [])


def _split(
    recipe: Recipe, written: Sequence[_Written], seed: int, partial: bool
) -> tuple[dict[str, list[_Written]], list[str]]:
    """The lists, in the order training, validation, test, and notes about them."""
    lists: dict[str, list[_Written]] = {"training": [], "validation": [], "test": []}
    notes = []
    for pool, wanted in recipe.sizes.items():
        available = [item for item in written if item.case.pool == pool]
        total = sum(wanted.values())
        if len(available) < total and not partial:
            raise InputError(
                f"{recipe.name}: {len(available)} images of {pool} can be used, and its lists need {total}; get the "
                "release again, or take what is there with --partial."
            )
        if len(available) < total:
            wanted = {name: number * len(available) // total for name, number in wanted.items()}
        groups = split_groups(Counter(item.case.group for item in available), wanted, seed)
        for name, names in groups.items():
            chosen = set(names)
            members = [item for item in available if item.case.group in chosen]
            lists[name] += members
            if (count := len(members)) != wanted[name]:
                notes.append(f"{name}: {count} image(s) instead of {wanted[name]}, since patients stay whole")
    unused = len(written) - sum(map(len, lists.values()))
    return lists, notes + ([f"{unused} further image(s) in no list"] if unused else [])


def _description(
    recipe: Recipe, seed: int, lists: Mapping[str, Sequence[_Written]], notes: Sequence[str]
) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "description": recipe.description,
        "modality": {"0": recipe.modality},
        "labels": {"0": "background", "1": recipe.target},
        "prompts": {"1": list(recipe.prompts)},
        "source": recipe.where,
        "licence": recipe.licence,
        "reference": recipe.reference,
        "patient_ids": recipe.patients,
        "split_rule": f"monai-ext dataset prepare {recipe.name}, seed {seed}. {recipe.remarks}".strip(),
        "notes": "; ".join(notes),
        **{f"num{name.capitalize()}": len(items) for name, items in lists.items()},
        **{name: [item.entry for item in items] for name, items in lists.items()},
    }
