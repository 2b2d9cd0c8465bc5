"""The network that a training begins with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from monai_ext.errors import WeightsError
from monai_ext.prompts.lexicon import Targets
from monai_ext.weights.formats import read_state_dict
from monai_ext.weights.load import copy_into, learn_targets, load_weights


class Vocabulary(Protocol):
    """A data set that knows its targets, and by which sentences they are asked for."""

    def sentences(self) -> list[str]: ...

    def taught(self) -> Targets: ...


def initial_network(
    network: torch.nn.Module,
    device: str | torch.device = "cpu",
    initial: str | None = None,
    layers: Mapping[str, Any] | None = None,
    vocabulary: Vocabulary | None = None,
    module: str | None = None,
) -> torch.nn.Module:
    """The network on its device, as built or with weights to continue from.

    Args:
        network: changed in place.
        device: of the training.
        initial: name in the registry of weights, such as "vlsm", or a state dict file (.pt); None for none.
        layers: ``{"weights": name, "names": {prefix there: prefix here}}``: some layers of another network's weights,
            see :func:`copy_layers`; applied before `initial`.
        vocabulary: the training data, for a network that keeps with its weights by which words it was taught,
            and which targets. Where it begins with weights that take every word, it still does afterwards.
        module: of `initial` where that is the state dict of a bundle with several, such as "encoder"; weights of this
            module alone are taken as they are.

    Raises:
        WeightsError: when there are no such weights, or they are of another network.
    """
    if layers:
        copy_layers(network, layers["weights"], layers["names"])
    if initial:
        copy_into(network, initial_state(initial, module), Path(initial).name)
        if not initial.endswith(".pt"):
            learn_targets(network, initial)
    if vocabulary is not None and not (initial and network.lexicon.open):  # type: ignore[union-attr]
        network.learn(vocabulary.sentences(), vocabulary.taught())  # type: ignore[operator]
    return network.to(device)


def check_initial(initial: str | None = None) -> None:
    """Refuse weights that cannot be read, before data are prepared for a network that is to begin with them.

    Args:
        initial: see :func:`initial_network`.

    Raises:
        WeightsError: when there are no such weights, or they are damaged.
    """
    if initial:
        _read(initial)


def initial_state(initial: str, module: str | None = None) -> dict[str, Any]:
    """The tensors that a training begins with, see :func:`initial_network`.

    Raises:
        WeightsError: when there are no such weights, or they are damaged.
    """
    return _of_module(_read(initial), module)


def _read(initial: str) -> dict[str, Any]:
    return read_state_dict(initial) if initial.endswith(".pt") else load_weights(initial)


def _of_module(state: dict[str, Any], module: str | None) -> dict[str, Any]:
    prefix = f"{module}."
    part = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return part or state


def copy_layers(network: torch.nn.Module, weights: str, names: Mapping[str, str]) -> None:
    """Copy some tensors of other weights into a network, which then learns on from what another network knows.

    Args:
        network: changed in place.
        weights: name in the registry.
        names: how names of tensors begin in the weights, and in the network instead.

    Raises:
        WeightsError: when the weights hold no tensor of such a name, or one does not fit.
    """
    own = network.state_dict()
    state = load_weights(weights)
    for old, new in names.items():
        found = {new + key.removeprefix(old): value for key, value in state.items() if key.startswith(old)}
        if not found:
            raise WeightsError(f"weights {weights!r} hold no tensor {old}*; see the network they are of.")
        own.update({key: value.to(own[key].dtype) if key in own else value for key, value in found.items()})
    copy_into(network, own, f"weights {weights!r}")
