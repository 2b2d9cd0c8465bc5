"""MONAI's trainer for any training task, on one process or several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from monai.engines import SupervisedTrainer
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from monai_ext.engines.distributed import check_processes
from monai_ext.engines.progress import progress_bar
from monai_ext.engines.signals import stoppable
from monai_ext.engines.tasks.base import TrainingTask


class TaskTrainer(SupervisedTrainer):
    """SupervisedTrainer whose network is a :class:`~monai_ext.engines.tasks.TrainingTask`.

    The task prepares a batch and computes its loss. Where a process group is initialised, the task is wrapped in
    DistributedDataParallel. Results are not decollated; SIGTERM stops a run as Ctrl-C does.

    Args:
        task: what is trained; it moves to the device.
        device: of this process.
        progress: show a bar of iterations; None: where standard error is a terminal.
        kwargs: of SupervisedTrainer, without network, loss_function and prepare_batch.
    """

    def __init__(
        self, task: TrainingTask, device: str | torch.device, progress: bool | None = False, **kwargs: Any
    ) -> None:
        device = torch.device(device)
        super().__init__(
            device=device,
            network=distributed(task.to(device), device),
            loss_function=_loss,
            prepare_batch=_Prepare(task),
            decollate=False,
            **kwargs,
        )
        self.progress = progress

    def run(self) -> None:  # type: ignore[override]
        """Train from the epoch that a checkpoint left off at, or from the first."""
        total = (self.state.max_epochs or 0) * (self.state.epoch_length or 0)
        with stoppable(self), progress_bar(self, total, "iterations", self.progress):
            super().run()


def distributed(task: TrainingTask, device: torch.device) -> nn.Module:
    """The task as each of several processes trains it; the task itself where there is one process."""
    check_processes()
    if not (dist.is_available() and dist.is_initialized()):
        return task
    ids = [device.index or 0] if device.type == "cuda" else None
    return DistributedDataParallel(task, device_ids=ids, find_unused_parameters=task.find_unused_parameters)


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
