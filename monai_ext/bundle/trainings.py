"""The configurations by which a bundle trains, and the weights that a training begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai_ext.bundle.catalog import INFERENCE as CONFIG
from monai_ext.bundle.catalog import bundle_folders
from monai_ext.bundle.configs import INFERENCE, read_configs
from monai_ext.errors import InputError
from monai_ext.weights.registry import own_model, read_registry, weights_names

MULTIPLE = "multi_gpu_train.json"
"""Laid over a training, makes it one of several processes."""


def trainings(bundle: Path) -> list[str]:
    """Names of a bundle's configurations that train its network or a module of it, without those laid over others."""
    files = sorted((bundle / "configs").glob("train*.json"))
    return [file.stem for file in files if "train" in read_configs(bundle, [file.name])]


def choose_training(bundle: Path, name: str | None = None) -> str:
    """The configuration that trains a bundle.

    Raises:
        InputError: when the bundle does not train, with those that do; when it has no such configuration, or several
            and none is named.
    """
    known = trainings(bundle)
    if not known:
        others = [other for other, folder in bundle_folders().items() if trainings(folder)]
        raise InputError(f"bundle {bundle.name} does not train; these do: {', '.join(others)}.")
    if name is None and len(known) == 1:
        return known[0]
    if name not in known:
        told = "trains in several ways" if name is None else f"has no training {name!r}"
        raise InputError(f"bundle {bundle.name} {told}; choose --training {' or '.join(known)}.")
    return name


def trained_module(bundle: Path, training: str) -> str | None:
    """The module of the bundle's network that a training trains, None for all of it."""
    module: str | None = read_configs(bundle, [f"{training}.json"]).get("module")
    return module


def weights_of(start: str, module: str | None) -> str:
    """What ``initial`` names to begin with other weights than the bundle's own.

    Args:
        start: a name in the registry, a state dict (``.pt``), or a bundle, by name or folder.
        module: that is trained, None for the whole network.

    Raises:
        WeightsError: when the weights of a bundle are not there.
    """
    folder = None if start in read_registry() else bundle_folders().get(start, Path(start).expanduser())
    return start if folder is None or not (folder / CONFIG).is_file() else parent_weights(folder, module)


def parent_weights(bundle: Path, module: str | None) -> str:
    """What ``initial`` names to begin with the weights that a bundle has: a name in the registry, or its ``model.pt``.

    Raises:
        WeightsError: when the bundle's own weights are not there.
    """
    content: dict[str, Any] = read_configs(bundle, [INFERENCE])
    model = own_model(bundle, own=bool(content.get("loaded", {}).get("own")))
    if model is not None:
        return str(model)
    weights = content["weights"]
    return str(weights_names(weights)[0] if module is None else weights[module])
