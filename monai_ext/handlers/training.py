"""Handlers of the training loop: gradient clipping, image size, a moving average, a log of the loss."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.handlers import EMAHandler
from monai.engines.utils import IterationEvents
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from monai_ext.engines.distributed import rank
from monai_ext.engines.tasks.base import TrainingTask
from monai_ext.errors import InputError
from monai_ext.files import whole_file

LOG = "training.csv"
COLUMNS = "epoch,seconds,loss"  # of the log
WRAPPERS: tuple[tuple[type, str], ...] = (
    (DistributedDataParallel, "module"),
    (torch.nn.DataParallel, "module"),
    (AveragedModel, "module"),
    (EMAHandler, "ema_model"),
    (TrainingTask, "network"),
)
"""What holds a network, and under which name; an attribute that is set on a wrapper does not reach the network."""
COMPILED = "_orig_mod"
"""Where torch.compile keeps it; the type of that wrapper is private."""


class ClipGradients:
    """Limit the norm of all gradients together before each optimizer step.

    Raises:
        InputError: when the norm is NaN or infinite, although the loss was a number.

    Args:
        network: whose gradients.
        max_norm: largest Euclidean norm.
    """

    def __init__(self, network: torch.nn.Module, max_norm: float = 5.0) -> None:
        self.network, self.max_norm = network, max_norm

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        norm = float(torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.max_norm))
        if not math.isfinite(norm):
            raise InputError(
                f"step {engine.state.iteration}: the gradients are {norm}; lower learning_rate. The states that were "
                "written before stay."
            )


class ImageSizeSchedule:
    """Train on small images first, which is quick, and on the full size later (Tan and Le 2021, arXiv:2104.00298).

    Args:
        networks: those whose `image_size` is set: the one in training, and its moving average, in whatever wraps them.
        sizes: pairs of a share of all epochs, in [0, 1), and the side in pixels once that share is done.
        epochs: number of all epochs, where a training comes in several rounds; None: those of the engine.

    Raises:
        ValueError: when there is no size for the first epoch, a share is out of its range, or a network has no
            `image_size`.
    """

    def __init__(
        self,
        networks: Sequence[Any],
        sizes: Sequence[tuple[float, int]],
        epochs: int | None = None,
    ) -> None:
        self.networks = [unwrapped(network) for network in networks]
        self.sizes, self.epochs = sorted(tuple(pair) for pair in sizes), epochs
        if not self.sizes or self.sizes[0][0] != 0 or self.sizes[-1][0] >= 1:
            raise ValueError(f"sizes {sizes}: the first pair is for share 0, and no share is 1 or more.")
        for network in self.networks:
            if not hasattr(network, "image_size"):
                raise ValueError(f"{type(network).__name__} has no image_size to set.")

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        done, epochs = engine.state.epoch - 1, self.epochs or engine.state.max_epochs or 1
        # 0.8 * 120 is 96.00000000000001, and means 96 epochs
        size = [size for share, size in self.sizes if int(share * epochs + 1e-9) <= done][-1]
        for network in self.networks:
            network.image_size = size


def unwrapped(network: Any) -> Any:
    """The network inside of what trains it on several processes, compiles it, averages its weights, or is its task.

    Args:
        network: a module, or a handler of a moving average.
    """
    held = next((name for kind, name in WRAPPERS if isinstance(network, kind)), None)
    if held is None and hasattr(network, COMPILED):
        held = COMPILED
    return network if held is None else unwrapped(getattr(network, held))


class LossLog:
    """A row of ``training.csv`` per epoch: epoch, seconds since the start of this run, mean loss.

    A training that is resumed goes on after the rows of the epochs before; one that starts anew begins a new file, as
    :class:`~monai_ext.handlers.checkpoint.ResumableCheckpoint` does, to whose objects this belongs: the sum of an epoch
    that is resumed is part of the state.

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

    def state_dict(self) -> dict[str, float]:
        return {"total": self.total, "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        self.total, self.steps = state["total"], int(state["steps"])

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


class MovingAverage(EMAHandler):
    """ignite's moving average, whose warming up goes on where a stopped training was.

    Args:
        restart: begin each run with the weights that the network then has, as a round of a federated training does: an
            average from before would hold what the network no longer is.
        args, kwargs: of ignite's ``EMAHandler``.
    """

    def __init__(self, *args: Any, restart: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.restart = restart

    def attach(self, engine: Engine, *args: Any, **kwargs: Any) -> None:
        super().attach(engine, *args, **kwargs)
        if self.restart:
            engine.add_event_handler(Events.STARTED, self._restart)
        if self._momentum_lambda_obj is not None:
            engine.add_event_handler(Events.EPOCH_STARTED, self._set_steps)

    def _restart(self, engine: Engine) -> None:
        self.ema_model.load_state_dict(self.model.state_dict())

    def _set_steps(self, engine: Engine) -> None:
        self.momentum_scheduler.event_index = engine.state.iteration  # type: ignore[union-attr]


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
