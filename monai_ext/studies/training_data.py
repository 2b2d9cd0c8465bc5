"""Whether bundles say that they learnt from the data on which they are compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.errors import InputError
from monai_ext.io.case_names import input_hash

SHA256 = re.compile(r"[0-9a-f]{64}")


def training_notes(bundles: Sequence[Path], items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences on what of the cases bundles say they were trained on.

    A set counts as named where docs/data_license.txt begins an entry with it, a train*.json of configs lists it in
    ``sets``, or ``training`` in metadata.json lists it in ``cases``. An image counts as trained on where ``training``
    holds the SHA-256 of its file. What a bundle does not say stays unknown.

    Args:
        bundles: their folders.
        items: of :func:`monai_ext.data.evaluation.evaluation_items`.

    Raises:
        InputError: when a file of a bundle cannot be read.
    """
    sets = dict.fromkeys(item["set"] for item in items)
    learners: dict[str, list[str]] = {}
    notes = []
    for bundle in bundles:
        training = _read(bundle / "configs" / "metadata.json").get("training", {})
        named = {*training.get("cases", ()), *_listed(bundle), *_licensed(bundle)}
        if learnt := ", ".join(name for name in sets if name in named):
            learners.setdefault(learnt, []).append(bundle.name)
        hashes = set(SHA256.findall(json.dumps(training)))
        if hashes and (same := sum(input_hash(item["image"]) in hashes for item in items)):
            notes.append(
                f"{bundle.name} was trained on {same} of these {len(items)} images, by their content"
            )
    return notes + [
        f"{', '.join(names)} learnt from images of {learnt}, as the bundle says; elsewhere figures may be worse"
        for learnt, names in learners.items()
    ]


def _listed(bundle: Path) -> Iterator[str]:
    for file in sorted((bundle / "configs").glob("train*.json")):
        sets = _read(file).get("sets")
        yield from sets if isinstance(sets, list) else ()


def _licensed(bundle: Path) -> list[str]:
    file = bundle / "docs" / "data_license.txt"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return re.findall(r"^(\w+):", text, re.MULTILINE)


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file.name} of the bundle cannot be read ({error}).") from error
    return content
