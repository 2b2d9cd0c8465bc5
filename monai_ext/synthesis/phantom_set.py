"""Phantoms as data sets on the disk, which show whether a network still knows what it does not learn any more."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from monai_ext.files import whole_folder
from monai_ext.prompts.modalities import MODALITIES
from monai_ext.synthesis.phantoms import KINDS, phantom

FIRST_SEED = 100_000
"""Phantoms for training are seeded from 0."""


def write_phantom_sets(
    folder: Path, known: Mapping[str, Collection[str]], count: int = 6, size: int = 192
) -> list[str]:
    """Write data sets, one for each kind of phantom that shows something known, with a list "validation".

    Args:
        folder: new; parent of the sets.
        known: targets by modality; others of a phantom are left out.
        count: phantoms of each kind.
        size: side in pixels.

    Returns:
        names of the sets.
    """
    names = []
    with whole_folder(folder) as whole:
        for kind in KINDS:
            drawn = [phantom(kind, FIRST_SEED + n, size) for n in range(count)]
            modality = drawn[0]["modality"]
            shown = {name for one in drawn for name in one["masks"]}
            targets = sorted(shown.intersection(known.get(modality, ())))
            if targets:
                names.append(f"phantom_{kind}")
                _write(whole / names[-1], modality, targets, drawn)
    return names


def _write(folder: Path, modality: str, targets: Sequence[str], drawn: Sequence[Mapping[str, Any]]) -> None:
    """One set. Targets overlap, so that each combination of them has a value of its own in the label maps."""
    folder.mkdir()
    combinations: dict[tuple[str, ...], int] = {(): 0}
    entries = []
    for number, one in enumerate(drawn):
        stack = {name: one["masks"][name].astype(bool) for name in targets if name in one["masks"]}
        codes = sum((mask.astype(np.int64) << bit for bit, mask in enumerate(stack.values())), np.int64(0))
        label = np.zeros(one["image"].shape[1:], np.uint8)
        for code in np.unique(codes):
            names = tuple(name for bit, name in enumerate(stack) if code >> bit & 1)
            label[codes == code] = combinations.setdefault(names, len(combinations))
        image = (one["image"].transpose(1, 2, 0) * 255).round().clip(0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / f"{number}.png")
        Image.fromarray(label).save(folder / f"{number}_label.png")
        entries.append({"id": str(number), "image": f"{number}.png", "label": f"{number}_label.png"})
    labels = {
        str(value): "background" if not names else " in ".join(names) for names, value in combinations.items()
    }
    prompts: dict[str, list[str]] = {}
    for name in targets:
        values = "+".join(str(value) for names, value in combinations.items() if name in names)
        if values and values not in prompts:  # two targets may always be the same
            prompts[values] = [name]
            if values in labels:
                labels[values] = name
    table = {
        "modality": {"0": MODALITIES[modality].name},
        "labels": labels,
        "prompts": prompts,
        "validation": entries,
    }
    (folder / "dataset.json").write_text(json.dumps(table, indent=1), encoding="utf-8")
