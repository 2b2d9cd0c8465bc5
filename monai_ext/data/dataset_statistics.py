"""Statistics of data sets: patients, sizes, spacings, intensities, and how many items show each target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from monai_ext.data.dataset_check import DatasetCheck, Entry


def statistics(check: DatasetCheck) -> dict[str, Any]:
    """Statistics of checked data sets, ready for JSON.

    Returns:
        ``sets`` by name, each with ``modality`` and ``lists`` by name, each of them with ``items``, ``patients``,
        ``unreadable`` (images that cannot be used), ``kinds`` and ``targets``. A kind ("picture 2D") has
        ``items``, ``channels`` and for each axis the ``size`` (rows and columns, or X, Y, Z) and ``spacing_mm``
        (none for pictures) as ``{"min", "median", "max"}``. A target has the number of items that show it,
        ``shown``, and of those whose mask of it is ``empty``, and over the items that show it the ``median_share`` of
        the picture in [0, 1] or the ``median_ml``. ``intensities`` are listed by modality and kind: the ``lowest``
        and ``highest`` value of all images, and the medians of both over the images.
    """
    return {
        "sets": {
            name: {
                "modality": next((e.item["modality"] for e in check.entries if e.item["set"] == name), None),
                "lists": {split: _of_list(_in(check.entries, name, split)) for split in splits},
            }
            for name, splits in check.lists.items()
        },
        "intensities": _intensities(check.entries),
    }


def _in(entries: Iterable[Entry], name: str, split: str) -> list[Entry]:
    return [entry for entry in entries if entry.item["set"] == name and entry.split == split]


def _of_list(entries: Sequence[Entry]) -> dict[str, Any]:
    opened = [entry.contents for entry in entries if entry.contents is not None]
    kinds: dict[str, Any] = {}
    for kind in sorted({contents.kind for contents in opened}):
        same = [contents for contents in opened if contents.kind == kind]
        kinds[kind] = {
            "items": len(same),
            "channels": sorted({contents.channels for contents in same}),
            "size": [_range(axis) for axis in zip(*(contents.size for contents in same), strict=True)],
            "spacing_mm": [
                _range(axis) for axis in zip(*(contents.spacing for contents in same), strict=True)
            ],
        }
    targets: dict[str, Any] = {}
    for name in dict.fromkeys(name for contents in opened for name in contents.shown):
        amounts = [(c.shown[name], c.unit) for c in opened if name in c.shown]
        targets[name] = {
            "shown": sum(amount > 0 for amount, _ in amounts),
            "empty": sum(amount == 0 for amount, _ in amounts),
            **{
                f"median_{unit}": median(amount for amount, u in amounts if amount and u == unit)
                for unit in ("share", "ml")
                if any(amount and u == unit for amount, u in amounts)
            },
        }
    return {
        "items": len(entries),
        "patients": len({entry.item["group"] for entry in entries}),
        "unreadable": len(entries) - len(opened),
        "kinds": kinds,
        "targets": targets,
    }


def _range(values: Iterable[float]) -> dict[str, float]:
    values = list(values)
    return {"min": min(values), "median": median(values), "max": max(values)}


def _intensities(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for entry in entries:
        if entry.contents is not None and not entry.repeat:
            key = entry.item["modality"], entry.contents.kind
            found.setdefault(key, []).append((entry.contents.lowest, entry.contents.highest))
    return [
        {
            "modality": modality,
            "kind": kind,
            "images": len(ends),
            "lowest": min(low for low, _ in ends),
            "median_lowest": median(low for low, _ in ends),
            "median_highest": median(high for _, high in ends),
            "highest": max(high for _, high in ends),
        }
        for (modality, kind), ends in sorted(found.items())
    ]
