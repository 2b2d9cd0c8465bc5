"""The data set that becomes of a source: its targets, labels and lists, before anything is written."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from monai_ext.data.item_check import NOTHING, TUMOUR_FACTS
from monai_ext.data.making.found import Found, Source
from monai_ext.data.making.lists import read_shares, split_cases, with_groups
from monai_ext.data.making.names import folder_role
from monai_ext.data.making.near import join_patients
from monai_ext.data.making.survey import Surveyed, modality_of, survey
from monai_ext.data.making.targets import VALUE, knows, label_table, name_targets, refuse_empty, tables
from monai_ext.errors import InputError
from monai_ext.io.datalists import stem, unique_names
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import DICOM_MODALITIES, MODALITIES, modality_key, names_modality

LONGEST = 100
"""Characters of an id."""


@dataclass(frozen=True)
class Wishes:
    """What a user says of a set beside its files.

    Attributes:
        targets: words by label value, colour or name of a mask.
        modality: in words; "" where the files state it.
        group: regular expression whose first group, searched in a case's name, is its patient.
        split: shares of training, validation and test.
        seed: of the split.
    """

    targets: Mapping[str, str] = field(default_factory=dict)
    modality: str = ""
    group: str | None = None
    split: str = "70/15/15"
    seed: int = 0


@dataclass(frozen=True)
class Item:
    """One item of the set.

    Attributes:
        id, group: as in ``dataset.json``.
        case: with its image and masks.
        annotated: the targets that were looked for in it.
        labels: those that stand for them.
        shown: the targets that it shows.
    """

    id: str
    group: str
    case: Surveyed
    annotated: frozenset[str]
    labels: tuple[int, ...]
    shown: frozenset[str]


@dataclass(frozen=True)
class Plan:
    """What will be written.

    Attributes:
        lists: items of training, validation and test.
        tables: ``modality``, ``labels`` and ``prompts`` of ``dataset.json``.
        targets: in the order of their labels.
        names: the targets that each value, colour or name of a mask belongs to.
        labels: number of each set of targets.
        notes: what was assumed and left out, one sentence each.
        asked: values that had a name before the masks were opened, see
            :class:`~monai_ext.data.making.mask_values.MaskValues`.
        seed: of the split.
    """

    lists: Mapping[str, Sequence[Item]]
    tables: Mapping[str, Any]
    targets: Sequence[str]
    names: Mapping[str, Sequence[str]]
    labels: Mapping[frozenset[str], int]
    notes: Sequence[str]
    asked: frozenset[str] = frozenset()
    seed: int = 0


def plan_set(
    source: Source, wishes: Wishes, track: Callable[[Sequence[Found]], Iterable[Found]] = iter
) -> Plan:
    """Open every image and mask once, and decide on targets, labels and lists.

    Args:
        source: what was found.
        wishes: what the user says.
        track: passes on the cases that are opened, and may show the progress.

    Raises:
        InputError: the modality is not known; a case cannot be used (a mask of another size than its image, …); a value
            has no name; a target has no voxel; a patient is in two lists; fewer than two cases are left.
    """
    library, shares = PromptLibrary.load(), read_shares(wishes.split)
    modality, words, cases, notes = _modality(source, wishes.modality)
    asked = frozenset({*source.targets, *wishes.targets})
    opened, repeats = _without_repeats(survey(with_groups(cases, wishes.group), modality, asked, track))
    if len(opened) < 2:
        raise InputError(
            f"one case only ({opened[0].found.name}); a data set needs two at least, of different images."
        )
    named = name_targets([case.names for case in opened], source.targets, wishes.targets, library, modality)
    names, empty = _without_empty(named, opened, asked)
    targets = list(dict.fromkeys(target for found in names.values() for target in found))
    if not targets:
        raise InputError("no mask holds anything but background.")
    labels = label_table(targets, {targets_of(one, names) for case in opened for one in case.shown})
    items = [
        _item(id_, case, names, labels) for id_, case in zip(_ids([case.found for case in opened]), opened)
    ]
    patients, joined = join_patients(
        [item.case.look for item in items],
        [item.group for item in items],
        [item.case.found.split for item in items],
    )
    items = [replace(item, group=patient) for item, patient in zip(items, patients)]
    lists, more = split_cases(
        [(item, item.group, item.case.found.split) for item in items], shares, wishes.seed
    )
    assumed = _assumptions(opened, items, targets, modality, library)
    table = {"modality": {"0": words}, **tables(targets, labels, library, modality)}
    notes = [*source.notes, *notes, *repeats, *empty, *assumed, *joined, *more]
    return Plan(lists, table, targets, names, labels, notes, asked, wishes.seed)


def targets_of(names: Iterable[str], named: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """The targets that some names of masks belong to."""
    return frozenset(target for name in names for target in named.get(name, ()))


def _item(
    id_: str, case: Surveyed, names: Mapping[str, Sequence[str]], labels: Mapping[frozenset[str], int]
) -> Item:
    values = [name for name in names if VALUE.fullmatch(name)] if case.mapped else []
    annotated = targets_of([*case.names, *values], names)
    shown = targets_of(frozenset().union(*case.shown), names)
    numbers = tuple(sorted(number for one, number in labels.items() if one & annotated))
    facts = case.found.facts
    claims = [fact for fact in TUMOUR_FACTS if str(facts.get(fact, "")) not in NOTHING]
    if claims and not shown:
        raise InputError(f"{case.found.name}: no target in its mask, but {claims[0]} is {facts[claims[0]]}.")
    return Item(id_, case.found.group or id_, case, annotated, numbers, shown)


def _modality(source: Source, given: str) -> tuple[str, str, list[Found], list[str]]:
    """One of ``prompts.modalities.MODALITIES``, its words, the cases of it, and a note on others that were left out.

    Raises:
        InputError: when neither the user nor the files say it, or DICOM files say several.
    """
    stated = modality_of(source.cases)
    known = names_modality(source.modality) or (next(iter(stated)) if len(stated) == 1 else None)
    if not given and len(stated) > 1:
        raise InputError(f"images of {' and '.join(sorted(stated))}; make a set of each, --modality chooses.")
    if not given and (known is None or known not in MODALITIES):
        says = f" ({source.modality or known} is none of them)" if source.modality or known else ""
        raise InputError(
            f"the files do not state their modality{says}; give --modality, one of {', '.join(MODALITIES)}."
        )
    key = modality_key(given) if given else str(known)
    cases = [case for case in source.cases if DICOM_MODALITIES.get(case.modality, key) == key]
    others = len(source.cases) - len(cases)
    if not cases:
        raise InputError(
            f"all images are of {' and '.join(sorted(stated))}, by their DICOM headers, and none of {key}."
        )
    words = given or (source.modality if names_modality(source.modality) else MODALITIES[key].name)
    return key, words, cases, [f"{others} case(s) of another modality left out"] if others else []


def _without_repeats(opened: Sequence[Surveyed]) -> tuple[list[Surveyed], list[str]]:
    """The first of each image, by its pixels."""
    kept: dict[str, Surveyed] = {}
    repeats = []
    for case in opened:
        if case.pixels in kept:
            repeats.append(f"{case.found.name} (as {kept[case.pixels].found.name})")
        kept.setdefault(case.pixels, case)
    return list(kept.values()), [
        f"images that repeat another left out: {_listed(repeats)}"
    ] if repeats else []


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _without_empty(
    names: Mapping[str, Sequence[str]], opened: Sequence[Surveyed], asked: Collection[str]
) -> tuple[dict[str, Sequence[str]], list[str]]:
    """The names that some voxel has, and a note on masks that are empty everywhere.

    Raises:
        InputError: when one of these was asked for.
    """
    seen = {name for case in opened for one in case.shown for name in one}
    shown = {name: targets for name, targets in names.items() if name in seen}
    empty = [name for name, targets in names.items() if targets and name not in seen]
    refuse_empty({name: names[name] for name in empty if name in asked}, shown)
    return shown, [f"without a voxel in any mask, left out: {_listed(empty)}"] if empty else []


def _ids(cases: Sequence[Found]) -> list[str]:
    """A name for the files of each case: its own id, else its file's name, with its folders where two are equal."""
    short = [stem(Path(case.name).name) for case in cases]
    folders = {str(Path(case.name).parent) for case in cases}
    if len(folders) > 1 and len({name.casefold() for name in short}) < len(cases):
        short = ["_".join((*_place(case), name)) for case, name in zip(cases, short)]
    given = [case.id or name for case, name in zip(cases, short)]
    return unique_names([re.sub(r"[^\w.\-]+", "_", name).strip("_.")[:LONGEST] or "case" for name in given])


def _place(case: Found) -> list[str]:
    """The folders of a case, but for those that only say that there are images in them."""
    return [part for part in Path(case.name).parent.parts if not folder_role(part)]


def _suggested(target: str, library: PromptLibrary, modality: str) -> str:
    near = difflib.get_close_matches(target, library.targets(modality), 1, 0.8)
    return f" (did you mean {near[0]}?)" if near else ""


def _assumptions(
    opened: Sequence[Surveyed],
    items: Sequence[Item],
    targets: Sequence[str],
    modality: str,
    library: PromptLibrary,
) -> list[str]:
    """What was taken for granted, one sentence each."""
    notes = []
    if thresholded := sum(case.thresholded for case in opened):
        notes.append(
            f"{thresholded} mask(s) with values near 0 and 255 were cut at 127: they were compressed or blurred"
        )
    lone = sum(not case.found.group for case in opened)
    if lone:
        which = (
            "each case is" if lone == len(opened) else f"{lone} case(s) whose patient is not stated are each"
        )
        notes.append(f"{which} taken to be another patient; name the patients with --group if that is not so")
    empty = sum(not item.shown for item in items)
    if empty:
        notes.append(f"{empty} case(s) show none of the targets and stand for their absence")
    partly = [target for target in targets if not all(target in item.annotated for item in items)]
    if partly:
        notes.append(f"not annotated in every case, and scored only where they are: {_listed(partly)}")
    unknown = [t + _suggested(t, library, modality) for t in targets if not knows(library, t, modality)]
    if unknown:
        notes.append(
            f"not in the prompt library for {modality}: {_listed(unknown)}; wordings come from a template, write better"
            " ones under prompts in dataset.json"
        )
    return notes
