"""Handlers of the training loop: gradient clipping, image size, checkpoints to resume from, a log of the loss."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents

from monai_ext.engines.distributed import rank
from monai_ext.errors import WeightsError
from monai_ext.files import whole_file
from monai_ext.weights.formats import check_finite

CHECKPOINT, MODEL, LOG = "checkpoint.pt", "model.pt", "training.csv"
COLUMNS = "epoch,seconds,loss"  # of the log


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
        sizes: pairs of a share of all epochs, in [0, 1), and the side in pixels once that share is done.

    Raises:
        ValueError: when there is no size for the first epoch, or a share is out of its range.
    """

    def __init__(self, networks: Sequence[torch.nn.Module], sizes: Sequence[tuple[float, int]]) -> None:
        self.networks, self.sizes = list(networks), sorted(tuple(pair) for pair in sizes)
        if not self.sizes or self.sizes[0][0] != 0 or self.sizes[-1][0] >= 1:
            raise ValueError(f"sizes {sizes}: the first pair is for share 0, and no share is 1 or more.")

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        done, epochs = engine.state.epoch - 1, engine.state.max_epochs or 1
        # 0.8 * 120 is 96.00000000000001, and means 96 epochs
        size = [size for share, size in self.sizes if int(share * epochs + 1e-9) <= done][-1]
        for network in self.networks:
            network.image_size = size  # type: ignore[assignment]


class ResumableCheckpoint:
    """Write the whole training state after each epoch, and resume from it when training starts again.

    The state is ``checkpoint.pt``, the weights of `objects["model"]` alone are ``model.pt``. MONAI's CheckpointSaver does
    not write atomically: a process killed while it writes leaves a broken file. This handler writes beside the file and
    renames. Of several processes the first one writes, and all resume.

    Args:
        output_dir: folder of both files.
        objects: by name, all with `state_dict` and `load_state_dict`: model, network, optimizer, scheduler, …; the
            engine itself, with its epoch, is added.
        resume: False starts from the beginning and overwrites.
        interval: epochs between writes; the last epoch is always written.

    Raises:
        WeightsError: when the checkpoint cannot be read or is of another network, or when a network holds NaN or infinity:
            the files of an earlier epoch then stay as they are.
    """

    def __init__(
        self,
        output_dir: str | Path,
        objects: Mapping[str, Any],
        resume: bool = True,
        interval: int = 1,
    ) -> None:
        if "model" not in objects:
            raise ValueError("ResumableCheckpoint needs the network to keep under the name 'model'.")
        self.path, self.model_path = Path(output_dir) / CHECKPOINT, Path(output_dir) / MODEL
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
        if rank():  # the state is the first process's, whose draws the others do not repeat
            torch.manual_seed(int(torch.randint(2**31, ())) + rank())

    def save(self, engine: Engine) -> None:
        """Write the state of all objects."""
        epoch, last = engine.state.epoch, engine.state.max_epochs
        if rank() or (epoch % self.interval and epoch != last):
            return
        state = {name: one.state_dict() for name, one in self.objects.items()}
        for name, one in state.items():
            check_finite(one, f"epoch {epoch} is not saved, of the {name}")
        progress = {"epoch": epoch, "iteration": engine.state.iteration, "random": torch.get_rng_state()}
        _write({**state, **progress}, self.path)
        _write(state["model"], self.model_path)


def _write(state: Any, path: Path) -> None:
    with whole_file(path) as partial:
        torch.save(state, partial)


class LossLog:
    """A row of ``training.csv`` per epoch: epoch, seconds since the start of this run, mean loss.

    A training that is resumed goes on after the rows of the epochs before; one that starts anew begins a new file, as
    :class:`ResumableCheckpoint` does.

    Args:
        output_dir: folder of the file. Of several processes the first one writes its own loss.
    """

    def __init__(self, output_dir: str | Path) -> None:
        self.path = Path(output_dir) / LOG
        self.total, self.steps, self.started = 0.0, 0, 0.0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write)

    def _start(self, engine: Engine) -> None:
        self.total, self.steps, self.started = 0.0, 0, time.monotonic()

    def _add(self, engine: Engine) -> None:
        output: Any = engine.state.output  # a dictionary, with MONAI's trainer; ignite leaves its type open
        self.total += float(output["loss"].detach())
        self.steps += 1

    def _write(self, engine: Engine) -> None:
        if rank():
            return
        seconds, loss = time.monotonic() - self.started, self.total / self.steps
        row = f"{engine.state.epoch},{seconds:.0f},{loss:.4f}"
        with whole_file(self.path) as partial:
            partial.write_text("\n".join([COLUMNS, *self._before(engine.state.epoch), row, ""]))
        self.total, self.steps = 0.0, 0

    def _before(self, epoch: int) -> list[str]:
        """The rows of earlier epochs: none in the first, so that those of another training are not kept."""
        rows = self.path.read_text().splitlines()[1:] if self.path.exists() else []
        return [row for row in rows if row.split(",")[0] in map(str, range(1, epoch))]


class Attach:
    """Attach a handler that stands elsewhere in a configuration, since others refer to it.

    MONAI looks for a ``_target_`` in every entry of a list of handlers, so a bare reference cannot be one.

    Args:
        handler: such as ignite's EMAHandler, whose ``ema_model`` is validated and kept.
    """

    def __init__(self, handler: Any) -> None:
        self.handler = handler

    def attach(self, engine: Engine) -> None:
        self.handler.attach(engine)
