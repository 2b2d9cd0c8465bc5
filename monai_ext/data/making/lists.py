"""Which list each case goes into: whole patients, by shares, unless the source says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from monai_ext.data.making.found import Found
from monai_ext.data.recipes.split import split_groups
from monai_ext.errors import InputError

LISTS = ("training", "validation", "test")


def read_shares(text: str) -> dict[str, float]:
    """The share of each list in [0, 1], of a text such as "70/15/15" or "80/20".

    Raises:
        InputError: when it is none, does not sum up to 100, or gives training nothing.
    """
    try:
        numbers = [float(part) for part in text.split("/")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or abs(sum(numbers) - 100) > 0.1 or min(numbers) < 0 or numbers[0] == 0:
        raise InputError(
            f"--split {text}: give shares of {', '.join(LISTS)} that sum up to 100, such as 70/15/15."
        )
    return {name: number / 100 for name, number in zip(LISTS, numbers)}


def with_groups(cases: Sequence[Found], pattern: str | None) -> list[Found]:
    """The cases with their patients by the first group of a regular expression, searched in their names.

    Raises:
        InputError: when it is none, has no group, or does not fit a case.
    """
    if pattern is None:
        return list(cases)
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise InputError(f"--group {pattern!r}: no regular expression ({error}).") from error
    if not regex.groups:
        raise InputError(f"--group {pattern!r}: put what names the patient in brackets, such as (P\\d+)_.")
    found = [(case, regex.search(case.name)) for case in cases]
    lacking = [case.name for case, match in found if match is None or not match[1]]
    if lacking:
        raise InputError(
            f"--group {pattern!r} fits {len(cases) - len(lacking)} of {len(cases)} cases, and not {lacking[0]}."
        )
    return [replace(case, group=match[1]) for case, match in found if match]


Item = TypeVar("Item")


def split_cases(
    items: Sequence[tuple[Item, str, str]], shares: dict[str, float], seed: int
) -> tuple[dict[str, list[Item]], list[str]]:
    """The items of each list, in their order, and notes.

    Items whose list is stated stay there, and no other joins them in it, but for training. The others are split into
    the lists that are left, whole patients in an order drawn by the seed from their names. A list gets at least one
    patient, as long as there are enough.

    Args:
        items: each with its patient and its list, "" where none is stated.

    Raises:
        InputError: when a patient is stated in two lists.
    """
    stated = {group: split for _, group, split in items if split}
    for _, group, split in items:
        if stated.get(group, split) != split:
            raise InputError(
                f"patient {group} is in {' and '.join(sorted({stated[group], split or 'none'}))}; whole patients go into a"
                " list."
            )
    sizes = Counter(group for _, group, split in items if not split)
    taken = set(stated.values()) - {"training"}
    list_of, notes = _drawn(
        sizes, {n: share for n, share in shares.items() if share and n not in taken}, seed
    )
    lists: dict[str, list[Item]] = {name: [] for name in LISTS}
    for item, group, split in items:
        lists[split or list_of.get(group, "training")].append(item)
    return lists, notes


def _drawn(sizes: Counter[str], shares: dict[str, float], seed: int) -> tuple[dict[str, str], list[str]]:
    """The lists beside training by patient, and notes on those that stay empty; the rest is there to train with."""
    list_of: dict[str, str] = {}
    notes = []
    total, scale = sum(sizes.values()), sum(shares.values())
    for name in [name for name in shares if name != "training"]:
        left = {group: size for group, size in sizes.items() if group not in list_of}
        if len(left) > 1:
            wanted = max(round(total * shares[name] / scale), min(left.values()))
            list_of |= dict.fromkeys(split_groups(left, {name: wanted}, seed)[name], name)
        elif sizes:
            notes.append(f"too few patients for the list {name}, which is empty")
    return list_of, notes
