"""Handlers of the training loop: gradient clipping, image size, checkpoints to go on from, a log of the loss."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents

from monai_ext.errors import WeightsError
from monai_ext.files import whole_file
from monai_ext.weights.formats import read_state_dict
from monai_ext.weights.load import copy_into, load_weights


class ClipGradients:
    """Limit the norm of all gradients together before each optimizer step.

    Args:
        network: whose gradients.
        max_norm: largest Euclidean norm.
    """

    def __init__(self, network: torch.nn.Module, max_norm: float = 5.0) -> None:
        self.network, self.max_norm = network, max_norm

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.max_norm)


class ImageSizeSchedule:
    """Train on small images first, which is quick, and on the full size later (Tan and Le 2021, arXiv:2104.00298).

    Args:
        networks: those whose `image_size` is set: the one in training, and its moving average.
        sizes: pairs of a first epoch, from 1, and the side in pixels from then on.
    """

    def __init__(self, networks: Sequence[torch.nn.Module], sizes: Sequence[tuple[int, int]]) -> None:
        self.networks, self.sizes = list(networks), sorted(tuple(pair) for pair in sizes)
        if not self.sizes or self.sizes[0][0] != 1:
            raise ValueError(f"sizes {sizes}: the first pair is for epoch 1.")

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        size = [size for first, size in self.sizes if first <= engine.state.epoch][-1]
        for network in self.networks:
            network.image_size = size  # type: ignore[assignment]


class ResumableCheckpoint:
    """Write the whole training state after each epoch, and go on from it when training starts again.

    MONAI's CheckpointSaver does not write atomically: a process killed while it writes leaves a broken file.
    This one writes beside the file and renames.

    Args:
        path: of the checkpoint.
        objects: by name, all with `state_dict` and `load_state_dict`: network, optimizer, scheduler, …; the
            engine itself, with its epoch, is added.
        model_path: where the weights of `objects["model"]` alone go.
        resume: False starts anew and overwrites.
        interval: epochs between writes; the last epoch is always written.

    Raises:
        WeightsError: when the checkpoint cannot be read or is of another network.
    """

    def __init__(
        self,
        path: str,
        objects: Mapping[str, Any],
        model_path: str,
        resume: bool = True,
        interval: int = 1,
    ) -> None:
        if "model" not in objects:
            raise ValueError("ResumableCheckpoint needs the network to keep under the name 'model'.")
        self.path, self.model_path = Path(path), Path(model_path)
        self.objects, self.resume, self.interval = dict(objects), resume, interval

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.load)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)

    def load(self, engine: Engine) -> None:
        """Put the state back, if there is one and it is wanted."""
        if not self.resume or not self.path.is_file():
            return
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            for name, one in self.objects.items():
                one.load_state_dict(state[name])
        except Exception as error:  # whatever is wrong with the file, the user needs the same one line
            raise WeightsError(
                f"{self.path.name}: cannot be resumed ({str(error).splitlines()[0]}); "
                "delete it or set resume to false."
            ) from error
        engine.state.epoch = state["epoch"]
        engine.state.iteration = state["iteration"]
        torch.set_rng_state(state["random"])

    def save(self, engine: Engine) -> None:
        """Write the state of all objects."""
        epoch, last = engine.state.epoch, engine.state.max_epochs
        if epoch % self.interval and epoch != last:
            return
        state = {name: one.state_dict() for name, one in self.objects.items()}
        progress = {"epoch": epoch, "iteration": engine.state.iteration, "random": torch.get_rng_state()}
        _write({**state, **progress}, self.path)
        _write(state["model"], self.model_path)


def _write(state: Any, path: Path) -> None:
    with whole_file(path) as partial:
        torch.save(state, partial)


class LossLog:
    """A CSV row per epoch: epoch, seconds since the start of this run, mean loss.

    Args:
        path: of the file; rows are appended when training goes on.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.total, self.steps, self.started = 0.0, 0, 0.0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write)

    def _start(self, engine: Engine) -> None:
        self.started = time.monotonic()

    def _add(self, engine: Engine) -> None:
        output: Any = engine.state.output  # a dictionary, with MONAI's trainer; ignite leaves its type open
        self.total += float(output["loss"].detach())
        self.steps += 1

    def _write(self, engine: Engine) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = not self.path.exists()
        with self.path.open("a") as file:
            if new:
                file.write("epoch,seconds,loss\n")
            seconds = time.monotonic() - self.started
            file.write(f"{engine.state.epoch},{seconds:.0f},{self.total / self.steps:.4f}\n")
        self.total, self.steps = 0.0, 0


def begun_with(network: torch.nn.Module, weights: str, names: Mapping[str, str]) -> torch.nn.Module:
    """The network with some tensors of other weights, to learn on from what another network knows.

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
    return network


def new_or_loaded(
    network: torch.nn.Module, initial: str | None, texts: Iterable[str] = ()
) -> torch.nn.Module:
    """The network as built, or with weights to go on from, and with the words that it is to learn.

    Args:
        network: changed in place.
        initial: name in the registry of weights, such as "vlsm", or a state dict file (.pt); None for none.
        texts: sentences of the training, for a network that keeps their words with its weights.

    Raises:
        WeightsError: when there are no such weights, or they are of another network.
    """
    if initial:
        state = read_state_dict(initial) if initial.endswith(".pt") else load_weights(initial)
        copy_into(network, state, initial)
    if texts:
        network.learn_words(texts)  # type: ignore[operator]
    return network
