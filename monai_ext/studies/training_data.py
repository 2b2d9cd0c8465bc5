"""Whether bundles say that they learnt from the data on which they are compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.errors import InputError
from monai_ext.io.case_names import input_hash
from monai_ext.studies.training_images import SHA256, TrainingImages, image_print


def training_notes(bundles: Sequence[Path], items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences on what of the cases bundles say they were trained on.

    A set counts as named where docs/data_license.txt begins an entry with it, a train*.json of configs lists it in
    ``sets``, or ``training`` in metadata.json lists it in ``cases``. An image counts as trained on where ``training``
    or docs/training_images.json holds the SHA-256 of its file, and as like one of these where its perceptual hash is near
    (:mod:`monai_ext.data.perceptual_hash`). What a bundle does not say stays unknown.

    Args:
        bundles: their folders.
        items: of :func:`monai_ext.data.evaluation.evaluation_items`.

    Raises:
        InputError: when a file of a bundle cannot be read.
    """
    sets = dict.fromkeys(item["set"] for item in items)
    learners: dict[str, list[str]] = {}
    notes: list[str] = []
    for bundle in bundles:
        training = _read(bundle / "configs" / "metadata.json").get("training", {})
        named = {*training.get("cases", ()), *_listed(bundle), *_licensed(bundle)}
        if learnt := ", ".join(name for name in sets if name in named):
            learners.setdefault(learnt, []).append(bundle.name)
        notes += _image_notes(bundle, set(SHA256.findall(json.dumps(training))), items)
    return notes + [
        f"{', '.join(names)} learnt from images of {learnt}, as the bundle says; elsewhere figures may be worse"
        for learnt, names in learners.items()
    ]


def _image_notes(bundle: Path, hashes: set[str], items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    recorded = TrainingImages(bundle)
    hashes |= recorded.sha256
    others = [item["image"] for item in items if input_hash(item["image"]) not in hashes] if hashes else []
    if hashes and (same := len(items) - len(others)):
        yield f"{bundle.name} was trained on {same} of these {len(items)} images, by their content"
    if len(recorded) and (near := sum(recorded.look_like(image_print(one).hashes) for one in others)):
        yield (
            f"{bundle.name} was trained on images that look nearly like {near} {'others ' if same else ''}of these"
            f" {len(items)}, by a perceptual hash"
        )


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
