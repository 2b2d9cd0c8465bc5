"""Whether a bundle says that it learnt from the data on which it is compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.errors import InputError
from monai_ext.io.case_names import input_hash

SHA256 = re.compile(r"[0-9a-f]{64}")


def training_notes(bundle: Path, items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences on what of the cases the bundle says it was trained on.

    A set counts as named where docs/data_license.txt begins an entry with it, a train*.json of configs lists it in
    ``sets``, or ``training`` in metadata.json lists it in ``cases``. An image counts as trained on where ``training``
    holds the SHA-256 of its file. What the bundle does not say stays unknown.

    Args:
        bundle: its folder.
        items: of :func:`monai_ext.data.evaluation.evaluation_items`.

    Raises:
        InputError: when a file of the bundle cannot be read.
    """
    training = _read(bundle / "configs" / "metadata.json").get("training", {})
    sets = dict.fromkeys(item["set"] for item in items)
    named = set(training.get("cases", ())) | set(_listed(bundle)) | set(_licensed(bundle))
    notes = []
    if learnt := [name for name in sets if name in named]:
        notes.append(
            f"{bundle.name} learnt from images of {', '.join(learnt)}, as the bundle says; on images from elsewhere it may be"
            " worse"
        )
    hashes = set(SHA256.findall(json.dumps(training)))
    if hashes and (same := sum(input_hash(item["image"]) in hashes for item in items)):
        notes.append(f"{bundle.name} was trained on {same} of these {len(items)} images, by their content")
    return notes


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
