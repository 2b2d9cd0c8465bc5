"""The only ways to load weights: safetensors, or pickles that run no code, after the file's hash is verified."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ext.errors import WeightsError
from monai_ext.weights import store
from monai_ext.weights.formats import check_finite, converted, read_state_dict
from monai_ext.weights.registry import (
    CONVERTED,
    MODEL,
    ORIGIN,
    Entry,
    embedded_file,
    own_model,
    registered,
    weights_names,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

logger = logging.getLogger(__name__)


def weights_file(name: str, registry: str | Path | None = None) -> Path:
    """The verified file that registered weights are loaded from; it is converted first where its format needs that.

    Nothing is downloaded; ``monai-ext weights fetch`` does that.

    Raises:
        WeightsError: when the name is unknown, or the file is missing or has another hash than registered or recorded.
    """
    entry = registered(name, registry)
    if entry.source == "embedded":
        _embedded(name, entry, registry)
        return embedded_file(entry, registry)
    if entry.loader in CONVERTED:
        return converted(name, entry)
    store.verify(name, entry)
    return store.fetched_file(name, entry)


def load_weights(name: str, registry: str | Path | None = None) -> dict[str, Tensor]:
    """The tensors of registered weights, on the CPU, in the types of the file (float16 where they are embedded).

    Before anything in the file is parsed, its hash is compared with that of the registry, or with the one recorded when
    it was fetched.

    Args:
        name: in the registry.
        registry: path of another registry.json; its folder ``embedded`` is read.

    Raises:
        WeightsError: when the name is unknown, or the file is missing, has another hash or another format.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load, load_file

    entry = registered(name, registry)
    if entry.source != "embedded" and entry.loader == "state_dict":
        return read_state_dict(weights_file(name, registry))
    try:
        if entry.source == "embedded":
            return load(_embedded(name, entry, registry))
        return load_file(weights_file(name, registry))
    except (SafetensorError, ValueError) as error:
        folder = "embedded" if entry.source == "embedded" else f"weights/{name}"
        raise WeightsError(
            f"weights {name!r}: {folder}/{entry.file} is not safetensors ({error})."
        ) from error


def _embedded(name: str, entry: Entry, registry: str | Path | None) -> bytes:
    """The content of an embedded file, after its hash is verified."""
    try:
        content = embedded_file(entry, registry).read_bytes()
    except OSError as error:
        raise WeightsError(
            f"weights {name!r}: embedded/{entry.file} is missing ({error.strerror}); install monai_ext again."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise WeightsError(
            f"weights {name!r}: embedded/{entry.file} has hash {found[:12]}…,"
            f" {(entry.sha256 or 'none')[:12]}… is registered; the file is damaged or another one,"
            " install monai_ext again."
        )
    return content


def load_into(
    network: nn.Module,
    weights: str | Mapping[str, str],
    bundle_root: str | Path | None = None,
    own: bool = False,
) -> dict[str, str]:
    """Load weights into a network, in place, and log their licence.

    Args:
        network: floating-point tensors are cast to the types of its own. A network with a method ``load(state, description)``
            reads the layout of its public files by that method.
        weights: name in the registry; or a name for each module of the network by its attribute:
            ``{"encoder": "oa-vit-b", "decoder": "sam-vit-b"}``.
        bundle_root: a bundle; if it has a folder ``models``, its ``model.pt`` is loaded into the whole network instead.
        own: a bundle without that folder is refused, as exported ones, whose weights are their own, state.

    Returns:
        what records of results say of the weights: ``name``, ``sha256`` of the file, ``source`` ("embedded/…" or
        "models/model.pt"), ``note`` and ``licence``; those of several modules are joined by " + " in their order, equal
        ones once.

    Raises:
        WeightsError: when the weights cannot be loaded (see :func:`load_weights` and
            :func:`monai_ext.weights.registry.own_model`), hold NaN or infinity, do not fit the network in names, shapes
            or types, or do not name exactly its modules.
    """
    model = None if bundle_root is None else own_model(bundle_root, own)
    if model is not None:
        name = " + ".join(weights_names(weights))
        # a variant may build the network without one of its modules
        absent = [name for name, part in vars(network).items() if part is None]
        state = {k: v for k, v in read_state_dict(model).items() if k.split(".")[0] not in absent}
        record = _describe_model(model, name)
        copy_into(network, state, f"weights {name!r} ({record['source']})")
    elif isinstance(weights, str):
        record = _load_registered(network, weights)
    else:
        modules = _modules(network, list(weights))
        record = _joined([_load_registered(modules[module], name) for module, name in weights.items()])
    logger.info(
        "weights %s (%s): %s; licence: %s",
        record["name"],
        record["source"],
        record["note"],
        record["licence"],
    )
    return record


def check_own_model(bundle_root: str | Path) -> None:
    """Check the weights of an exported bundle before a program that reads them by itself is given the bundle.

    Raises:
        WeightsError: when they are not there (see :func:`monai_ext.weights.registry.own_model`), damaged, or hold NaN or infinity.
    """
    model = own_model(bundle_root, own=True)
    if model is not None:
        check_finite(
            read_state_dict(model), f"bundle {Path(bundle_root).resolve().name!r}, {MODEL.as_posix()}"
        )


def _load_registered(network: nn.Module, name: str) -> dict[str, str]:
    """Load the registered weights of this name into a network; returns their record."""
    entry = registered(name)
    state = load_weights(name)
    # of an incomplete hash, the whole one was recorded at the first fetch
    recorded = None if len(entry.sha256 or "") == store.FULL else store.read_record(name)
    source = f"{entry.source}/{entry.file}"
    description = f"weights {name!r} ({source})"
    own = getattr(network, "load", None)
    if own is None:
        copy_into(network, state, description)
    else:
        own(state, description)
    learn_targets(network, name)
    return {
        "name": name,
        "sha256": recorded.sha256 if recorded else entry.sha256 or "",
        "source": source,
        "note": entry.note,
        "licence": entry.licence,
    }


def learn_targets(network: nn.Module, name: str) -> None:
    """Tell a network that keeps what it was taught which targets the registered weights of this name were taught."""
    targets = registered(name).targets
    learn = getattr(network, "learn", None)
    if learn is not None and targets:
        learn((), {one: dict.fromkeys(known, ()) for one, known in targets.items()})


def _modules(network: nn.Module, names: list[str]) -> dict[str, nn.Module]:
    """The child modules of a network by name; the names must be those of all children with weights."""
    modules = dict(network.named_children())
    wanted = sorted({key.split(".")[0] for key in network.state_dict()})
    if sorted(names) != wanted:
        raise WeightsError(
            f"weights for {', '.join(names) or 'no module'}; {type(network).__name__} has the modules "
            f"{', '.join(wanted) or 'none'}: name weights for each."
        )
    return modules


def _joined(records: list[dict[str, str]]) -> dict[str, str]:
    """One record of several: values joined by " + ", equal ones once except for names and hashes."""
    joined = {key: [record[key] for record in records] for key in records[0]}
    return {
        key: " + ".join(values if key in ("name", "sha256") else dict.fromkeys(values))
        for key, values in joined.items()
    }


def is_extra(key: str) -> bool:
    """Whether an entry of a state dict is no weight but a module's extra state, such as a list of words."""
    return key.endswith("_extra_state")


def copy_into(network: nn.Module, state: Mapping[str, Tensor], description: str) -> None:
    """Copy tensors into a network; names, shapes and kinds of numbers must all match, and all numbers be finite.

    Only a module's extra state, such as a list of words, may have another length, or be missing: it then stays.

    Args:
        network: changed in place, or not at all.
        state: tensors by name.
        description: what the message calls the weights.

    Raises:
        WeightsError: naming the first keys that do not fit or hold NaN or infinity.
    """
    own = network.state_dict()
    differences = {
        "missing": [key for key in own if key not in state and not is_extra(key)],
        "unknown": [key for key in state if key not in own],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} for {tuple(own[key].shape)}"
            for key in own
            if key in state and state[key].shape != own[key].shape and not is_extra(key)
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
        raise WeightsError(f"{description} do not fit {type(network).__name__}; {'; '.join(found)}.")
    check_finite(state, description)
    network.load_state_dict({**{key: own[key] for key in own if key not in state}, **state})


def _describe_model(model: Path, name: str) -> dict[str, str]:
    """The record of a bundle's model.pt, with note and licence of the registry if it is the exported file."""
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
