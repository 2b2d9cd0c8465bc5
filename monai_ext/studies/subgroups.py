"""Which group each case is in, by any fact that its item in ``dataset.json`` states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai_ext.data.datasets import Folder, SetReader, find_sets, read_split
from monai_ext.errors import InputError
from monai_ext.io.datalists import unique_names

OF_THE_SET = ("set", "modality")
"""Groups that need no fact."""
NO_FACTS = ("id", "group", "image", "label", "annotated_labels")
NOT_STATED = "not stated"

Case = tuple[str, str]
"""A set and the name of a case, as in cases.csv."""


def group_cases(
    data: Folder, split: str, sets: Sequence[str] | None, facts: Sequence[str]
) -> dict[str, dict[Case, str]]:
    """The group of each case of a list, by fact.

    Args:
        data, split, sets: of :func:`monai_ext.data.datasets.read_split`.
        facts: keys of the items, such as pathology, site, scanner or sex; or "set" or "modality".

    Returns:
        by fact, the value of each case; "not stated" where an item lacks the fact.

    Raises:
        InputError: for a fact that no item states, with those that there are; and as read_split does.
    """
    items = read_split(data, split, sets)
    cases = list(
        zip((item["set"] for item in items), unique_names([item["case"] for item in items]), strict=True)
    )
    entries = {reader.name: reader.by_id for reader in map(SetReader, find_sets(data, sets))}
    stated = [entries[item["set"]].get(item["case"], {}) for item in items]
    groups = {}
    for fact in facts:
        sources: Sequence[dict[str, Any]] = items if fact in OF_THE_SET else stated
        if not any(fact in entry for entry in sources):
            raise InputError(f"--by {fact}: no item of the list states it; choose from {_known(stated)}.")
        groups[fact] = {
            case: str(entry.get(fact, NOT_STATED)) for case, entry in zip(cases, sources, strict=True)
        }
    return groups


def _known(stated: Sequence[dict[str, Any]]) -> str:
    found = {
        key
        for entry in stated
        for key, value in entry.items()
        if key not in NO_FACTS and isinstance(value, (str, int, float))
    }
    return ", ".join([*OF_THE_SET, *sorted(found)])
