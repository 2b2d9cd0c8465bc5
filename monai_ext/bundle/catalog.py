"""The bundles that come with the package, described without importing torch or MONAI."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ext.errors import InputError
from monai_ext.resources import resource_path
from monai_ext.weights.registry import MODEL, own_model, read_registry, weights_names

INFERENCE = Path("configs") / "inference.json"


@dataclass(frozen=True)
class Bundle:
    """A bundle as the table of bundles shows it.

    Attributes:
        name: of its folder.
        folder: its path.
        task: what it does, one sentence.
        version: of the bundle.
        weights: which it uses.
        licence: of these weights.
    """

    name: str
    folder: Path
    task: str
    version: str
    weights: str
    licence: str


def bundle_folders() -> dict[str, Path]:
    """Folders of the package's bundles by name."""
    root = resource_path("", "bundles")
    return {path.name: path for path in sorted(root.iterdir()) if (path / INFERENCE).is_file()}


def find_bundle(name: str | Path) -> Path:
    """The folder of a bundle, by its name or by its path (as exported).

    Raises:
        InputError: when there is none; the message lists the known ones.
    """
    known = bundle_folders()
    if str(name) in known:
        return known[str(name)]
    path = Path(name).expanduser()
    if (path / INFERENCE).is_file():
        return path.resolve()
    raise InputError(
        f"no bundle {str(name)!r}; known are {', '.join(known)}, or give the folder of an exported one."
    )


def describe(folder: Path) -> Bundle:
    """Read metadata and weights of a bundle.

    Raises:
        InputError: when one of its files is missing or not JSON.
        WeightsError: when the registry cannot be read, or the bundle's own weights are not there.
    """
    meta = _read(folder / "configs" / "metadata.json")
    config = _read(folder / INFERENCE)
    names = weights_names(config.get("weights", ""))
    if own_model(folder, own=bool(config.get("loaded", {}).get("own"))) is not None:
        weights, licence = MODEL.as_posix(), "see its LICENSE"
    else:
        registry = read_registry()
        entries = [registry.get(name) for name in names]
        notes = [
            f"{name}: {entry.note if entry else 'not in the registry'}" for name, entry in zip(names, entries)
        ]
        weights = "; ".join(notes)
        licence = "; ".join(dict.fromkeys(entry.licence if entry else "unknown" for entry in entries))
    return Bundle(folder.name, folder, str(meta["task"]), str(meta["version"]), weights, licence)


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"configs/{path.name} of the bundle cannot be read ({error}).") from error
