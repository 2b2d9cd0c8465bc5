"""MONAI's trainer for any training task, on one process or several."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from ignite.engine import Engine
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from monai_ext.engines.distributed import check_processes
from monai_ext.engines.progress import progress_bar
from monai_ext.engines.seeds import SeededSteps
from monai_ext.engines.signals import stoppable
from monai_ext.engines.tasks.base import TrainingTask
from monai_ext.errors import InputError


class TaskTrainer(SupervisedTrainer):
    """SupervisedTrainer whose network is a :class:`~monai_ext.engines.tasks.TrainingTask`.

    The task prepares a batch and computes its loss. Where a process group is initialised, the task is wrapped in
    DistributedDataParallel. Results are not decollated. SIGTERM and Ctrl-C stop a run after its step, and a second time
    at once.

    Args:
        task: what is trained; it moves to the device.
        device: of this process.
        progress: show a bar of iterations with the loss; None: where standard error is a terminal.
        validator: engine whose key metric the bar shows, too.
        seed: of all that is random in a step, see :class:`~monai_ext.engines.seeds.SeededSteps`.
        kwargs: of SupervisedTrainer, without network, loss_function and prepare_batch.
    """

    def __init__(
        self,
        task: TrainingTask,
        device: str | torch.device,
        progress: bool | None = False,
        validator: Engine | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        device = torch.device(device)
        super().__init__(
            device=device,
            network=distributed(task.to(device), device),
            loss_function=_loss,
            prepare_batch=_Prepare(task),
            decollate=False,
            # a gradient of zero, left of an earlier step, moves a weight that this step does not use
            optim_set_to_none=True,
            **kwargs,
        )
        self.progress, self.validator = progress, validator
        SeededSteps(seed).attach(self)
        self.add_event_handler(IterationEvents.LOSS_COMPLETED, check_loss)

    def run(self) -> None:  # type: ignore[override]
        """Train from the step that a checkpoint left off at, or from the first.

        Raises:
            InputError: when the loss is NaN or infinite, with the cases of the batch.
        """
        total = (self.state.max_epochs or 0) * (self.state.epoch_length or 0)
        bar = progress_bar(self, total, "iterations", self.progress, self.figures)
        with stoppable(self, after_step=True), bar:
            super().run()

    def figures(self) -> str:
        """The loss of the last step and the key metric of the last validation, as a text."""
        shown = [f"loss {float(self.state.output['loss'].detach()):.4f}"]
        if self.validator is not None and (name := self.validator.state.key_metric_name) is not None:  # type: ignore[attr-defined]
            value = self.validator.state.metrics.get(name)
            shown += [] if value is None else [f"validation {name} {value:.3f}"]
        return ", ".join(shown)


def distributed(task: TrainingTask, device: torch.device) -> nn.Module:
    """The task as each of several processes trains it; the task itself where there is one process."""
    check_processes()
    if not (dist.is_available() and dist.is_initialized()):
        return task
    ids = [device.index or 0] if device.type == "cuda" else None
    return DistributedDataParallel(task, device_ids=ids, find_unused_parameters=task.find_unused_parameters)


def check_loss(engine: Engine) -> None:
    """Stop before a loss that is NaN or infinite reaches the weights.

    Raises:
        InputError: with the cases of the batch.
    """
    loss = float(engine.state.output["loss"].detach())  # type: ignore[index]
    if not math.isfinite(loss):
        batch: Any = engine.state.batch
        cases = batch.get("case", ()) if isinstance(batch, Mapping) else ()
        named = f", of the cases {', '.join(dict.fromkeys(cases))}" if cases else ""
        raise InputError(
            f"step {engine.state.iteration}: the loss is {loss}{named}; look at these images and labels, or lower "
            "learning_rate. The states that were written before stay."
        )


class _Prepare:
    """A task's batch in the form that SupervisedTrainer takes: inputs, targets, further arguments."""

    def __init__(self, task: TrainingTask) -> None:
        self.task = task

    def __call__(
        self,
        batchdata: Mapping[str, Any],
        device: torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[dict[str, Any], None, tuple, dict]:
        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=non_blocking, **kwargs)

        return self.task.prepare_batch(batchdata, move), None, (), {}


def _loss(scalars: Mapping[str, Tensor], _: None) -> Tensor:
    return scalars["loss"]
