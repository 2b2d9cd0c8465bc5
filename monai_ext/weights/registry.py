"""The registry of weights: names, sources, licences and hashes.

Importing this module does not import torch, since the table of bundles reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from monai_ext.errors import WeightsError

REGISTRY = Path(__file__).resolve().parent / "registry.json"
MODEL = Path("models") / "model.pt"
ORIGIN = Path("models") / "weights.json"
"""File beside an exported model.pt that names the registered weights it was made from."""

CONVERTED = ("checkpoint", "torchscript", "huggingface_clip")
"""Loaders of files that hold more than tensors, or tensors under other names; they are converted to safetensors once."""


@dataclass(frozen=True)
class Entry:
    """One line of the registry.

    Attributes:
        source: ``"embedded"``: in the folder ``embedded`` beside the registry; ``"https://…"``: address of the file;
            ``"hub:OWNER/NAME@REVISION"``: `file` of this repository of the Hugging Face hub;
            ``"page:https://…"``: page from which a person downloads it in a browser, for ``fetch --from``.
        file: name of the file at its source.
        licence: of the weights, shown whenever they are fetched or loaded.
        size: bytes of the file; None where the publisher's size is not certain.
        sha256: of the file, hexadecimal; only the first digits where the publisher states no more; None where it is not
            certain. An incomplete hash is recorded in full at the first fetch and compared from then on.
        loader: ``"safetensors"``; ``"state_dict"``: of torch.save, read with ``weights_only=True``;
            ``"checkpoint"``, ``"torchscript"`` and ``"huggingface_clip"`` (a BiomedCLIP's state dict under the names
            of Hugging Face's CLIP): converted to safetensors once, see monai_ext.weights.formats.
        note: a sentence about these weights for all records of results.
    """

    source: str
    file: str
    licence: str
    size: int | None
    sha256: str | None
    loader: str
    note: str


def read_registry(path: str | Path | None = None) -> dict[str, Entry]:
    """All entries by name; of the package's own registry if `path` is None.

    Raises:
        WeightsError: when the file is missing, is not JSON, or an entry lacks a field.
    """
    path = REGISTRY if path is None else Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path.name}: not readable ({error}); install monai_ext again.") from error
    wanted = [field.name for field in fields(Entry)]
    for name, entry in content.items():
        if sorted(entry) != sorted(wanted):
            raise WeightsError(f"{path.name}: entry {name!r} needs exactly {', '.join(wanted)}.")
    return {name: Entry(**entry) for name, entry in content.items()}


def registered(name: str, registry: str | Path | None = None) -> Entry:
    """The entry of a name.

    Raises:
        WeightsError: when there is none; the message lists the registered names.
    """
    entries = read_registry(registry)
    if name not in entries:
        raise WeightsError(f"no weights {name!r}; known are {', '.join(sorted(entries))}.")
    return entries[name]


def embedded_file(entry: Entry, registry: str | Path | None = None) -> Path:
    """The file of an embedded entry, in ``embedded`` beside its registry."""
    return (REGISTRY if registry is None else Path(registry)).parent / "embedded" / entry.file


def weights_names(weights: str | Mapping[str, str]) -> list[str]:
    """Names in the registry of a bundle's weights: one name, or one for each module of its network."""
    return [weights] if isinstance(weights, str) else list(weights.values())
