"""The registry of weights and the only ways to load them: safetensors, or a pickle that cannot run code."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ext.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn

REGISTRY = Path(__file__).resolve().parent / "registry.json"
MODEL = Path("models") / "model.pt"
ORIGIN = Path("models") / "weights.json"
"""Beside an exported model.pt: which weights of the registry it was made from."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One line of the registry.

    Attributes:
        source: ``"embedded"``: in the folder ``embedded`` beside the registry.
        file: name of the file there.
        licence: of the weights, shown whenever they are loaded.
        size: bytes of the file.
        sha256: of the file, hexadecimal.
        loader: ``"safetensors"``.
        note: what every record of a result says about these weights.
    """

    source: str
    file: str
    licence: str
    size: int
    sha256: str
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
        WeightsError: when there is none; the message lists those there are.
    """
    entries = read_registry(registry)
    if name not in entries:
        raise WeightsError(f"no weights {name!r}; known are {', '.join(sorted(entries))}.")
    return entries[name]


def embedded_file(entry: Entry, registry: str | Path | None = None) -> Path:
    """Where the file of an entry lies: in ``embedded`` beside its registry."""
    return (REGISTRY if registry is None else Path(registry)).parent / "embedded" / entry.file


def load_weights(name: str, registry: str | Path | None = None) -> dict[str, Tensor]:
    """The tensors of registered weights, on the CPU, as stored (floating ones in float16).

    The file's hash is compared with the registry's before anything in it is parsed.

    Args:
        name: in the registry.
        registry: path of another registry.json; its folder ``embedded`` is read.

    Raises:
        WeightsError: unknown name, file missing, of another hash, or not safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    entry = registered(name, registry)
    try:
        content = embedded_file(entry, registry).read_bytes()
    except OSError as error:
        raise WeightsError(
            f"weights {name!r}: embedded/{entry.file} is missing ({error.strerror}); install monai_ext again."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise WeightsError(
            f"weights {name!r}: embedded/{entry.file} has hash {found[:12]}…, {entry.sha256[:12] or 'none'}…"
            " is registered; the file is damaged or another one, install monai_ext again."
        )
    try:
        return load(content)
    except (SafetensorError, ValueError) as error:
        raise WeightsError(
            f"weights {name!r}: embedded/{entry.file} is not safetensors ({error})."
        ) from error


def load_into(network: nn.Module, name: str, bundle_root: str | Path | None = None) -> dict[str, str]:
    """Load weights into a network, in place, and log their licence.

    Args:
        network: built; floating tensors are cast to the type of its own.
        name: in the registry.
        bundle_root: a bundle whose ``models/model.pt``, if it is there, goes before the registry.

    Returns:
        what a record says of them: ``name``, ``sha256`` of the file, ``source`` ("embedded/…" or
        "models/model.pt"), ``note`` and ``licence``.

    Raises:
        WeightsError: when the weights cannot be had (see :func:`load_weights`), are damaged or hold code, or
            do not fit the network in names or shapes.
    """
    model = None if bundle_root is None else Path(bundle_root) / MODEL
    if model is not None and model.is_file():
        state = read_state_dict(model)
        record = _describe_model(model, name)
    else:
        entry = registered(name)
        state = load_weights(name)
        record = {
            "name": name,
            "sha256": entry.sha256,
            "source": f"{entry.source}/{entry.file}",
            "note": entry.note,
            "licence": entry.licence,
        }
    copy_into(network, state, f"weights {name!r} ({record['source']})")
    logger.info("weights %s (%s): %s; licence: %s", name, record["source"], record["note"], record["licence"])
    return record


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The tensors by name in a file that ``torch.save`` wrote, without running anything in it.

    Raises:
        WeightsError: when the file is missing, damaged, holds code, or is not a dict of tensors.
    """
    import torch

    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path.name}: no such file.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise WeightsError(
            f"{path.name}: damaged, or it holds code, which is not run ({type(error).__name__}); "
            "save a state dict with torch.save."
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(f"{path.name}: no state dict; save network.state_dict() with torch.save.")
    return dict(state)


def copy_into(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Copy tensors into a network whose names, shapes and kinds of numbers must all be theirs.

    Only a module's extra state (words, for one) may be of any length.

    Args:
        network: changed in place, or not at all.
        state: by name.
        what: how the message calls them.

    Raises:
        WeightsError: naming the first keys that do not fit.
    """
    own = network.state_dict()
    differences = {
        "missing": [key for key in own if key not in state],
        "unknown": [key for key in state if key not in own],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} for {tuple(own[key].shape)}"
            for key in own
            if key in state and state[key].shape != own[key].shape and not key.endswith("_extra_state")
        ],
        "of another type": [
            f"{key} {state[key].dtype}"
            for key in own
            if key in state and state[key].is_floating_point() != own[key].is_floating_point()
        ],
    }
    found = [
        f"{len(keys)} {kind}: {', '.join(keys[:3])}{', …' if len(keys) > 3 else ''}"
        for kind, keys in differences.items()
        if keys
    ]
    if found:
        raise WeightsError(f"{what} do not fit {type(network).__name__}; {'; '.join(found)}.")
    network.load_state_dict(state)


def _describe_model(model: Path, name: str) -> dict[str, str]:
    """Record of a bundle's model.pt; the registry's words while it is the file that was exported."""
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    origin: dict[str, Any] = {}
    beside = model.with_name(ORIGIN.name)
    if beside.is_file():
        try:
            origin = json.loads(beside.read_text(encoding="utf-8"))
        except ValueError as error:
            raise WeightsError(
                f"models/{beside.name}: not JSON ({error}); export the bundle again."
            ) from error
    exported = origin.get("model_sha256") == sha256
    note = origin["note"] if exported else "the bundle's own, not from the registry"
    licence = origin["licence"] if exported else "see the bundle's LICENSE"
    return {"name": name, "sha256": sha256, "source": MODEL.as_posix(), "note": note, "licence": licence}
