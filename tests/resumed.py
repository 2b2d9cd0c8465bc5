"""A small training with everything that is random in one, and processes that are killed while they train."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader, Dataset
from monai.handlers import LrScheduleHandler
from torch import Tensor, nn

from monai_ext.data.sampling import Draw, DrawSampler
from monai_ext.engines import TaskTrainer
from monai_ext.engines.tasks import TrainingTask
from monai_ext.handlers.checkpoint import ResumableCheckpoint
from monai_ext.handlers.curves import TrainingCurves
from monai_ext.handlers.stopping import Patience
from monai_ext.handlers.training import Attach, LossLog, MovingAverage

EPOCHS, STEPS, BATCH = 4, 5, 2


class NoisyNumbers(Dataset):
    """Numbers with noise, whose seed the draw brings."""

    def __getitem__(self, index: Draw) -> dict[str, Any]:
        noise = torch.rand(3, generator=torch.Generator().manual_seed(index.seed))
        return {"case": f"case {index.item}", "value": self.data[index.item] + noise}


class Regression(TrainingTask):
    """To the mean of the numbers, by a network with dropout; a half of it learns at every other step only."""

    def prepare_batch(self, batchdata: Mapping[str, Any], move: Any) -> dict[str, Any]:
        return {"value": move(batchdata["value"]), "half": bool(torch.rand(()) < 0.5)}

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        first, second = self.network
        found = first(batch["value"])
        found = found + second(batch["value"]) if batch["half"] else found
        return {"loss": (found[:, 0] - batch["value"].mean(1)).square().mean()}


class Validation:
    """A validation after each epoch, with a Dice that is given.

    Args:
        dice: by epoch.
    """

    def __init__(self, dice: Mapping[int, float]) -> None:
        self.dice, self.engine = dice, Engine(lambda *_: None)
        self.engine.state.key_metric_name = "dice"  # type: ignore[attr-defined]

    def attach(self, trainer: Engine) -> None:
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.validate)

    def validate(self, trainer: Engine) -> None:
        self.engine.state.metrics = {"dice": self.dice[trainer.state.epoch]}
        self.engine.run([0])


DICE = {1: 0.2, 2: 0.6, 3: 0.4, 4: 0.5, 5: 0.7, 6: 0.8}


def training(
    folder: Path,
    epochs: int = EPOCHS,
    pause: float = 0.0,
    workers: int = 0,
    dice: Mapping[int, float] = DICE,
    patience: int | None = None,
    curves: Mapping[str, Any] | None = None,
    **options: Any,
) -> TaskTrainer:
    """The trainer of such a training, with the handlers that the bundles have.

    Args:
        folder: of its files.
        epochs: of five steps.
        pause: seconds that each step takes at least.
        workers: processes of the data loader.
        dice: of the validation of each epoch.
        patience: see Patience.
        curves: options of TrainingCurves.
        options: of the checkpoint.
    """
    torch.manual_seed(1)
    network = nn.ModuleList(
        nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1)) for _ in range(2)
    )
    data = NoisyNumbers([torch.arange(3.0) + n for n in range(7)])
    loader = DataLoader(
        data,
        batch_size=BATCH,
        sampler=DrawSampler(torch.ones(7), STEPS * BATCH, seed=3),
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=epochs * STEPS)
    average, log = MovingAverage(network, 0.1, 0.5, 12, "update"), LossLog(folder)
    validation = Validation(dice)
    patient = Patience(validation.engine, patience)
    objects = {
        "model": average.ema_model,
        "network": network,
        "optimizer": optimizer,
        "scheduler": scheduler,
        "log": log,
        "patience": patient,
    }
    trainer = TaskTrainer(
        task=Regression(network),
        device="cpu",
        seed=3,
        max_epochs=epochs,
        train_data_loader=loader,
        optimizer=optimizer,
        validator=validation.engine,
        train_handlers=[
            TrainingCurves(folder, validation.engine, **(curves or {})),
            LrScheduleHandler(scheduler, print_lr=False, epoch_level=False),
            Attach(average),
            validation,
            Attach(patient),
            Attach(log),
            ResumableCheckpoint(folder, objects, **options),
        ],
    )
    trainer.add_event_handler(Events.ITERATION_STARTED, lambda: time.sleep(pause))
    return trainer


def weights(folder: Path) -> dict[str, Tensor]:
    """What a training left."""
    state: dict[str, Tensor] = torch.load(folder / "model.pt", weights_only=True)
    return state


def equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Whether weights are the same, bit for bit."""
    return list(one) == list(other) and all(torch.equal(value, other[key]) for key, value in one.items())


def stopped(folder: Path, number: int, wait: float, **options: Any) -> int:
    """Train in a process of its own and send it a signal after so many seconds; its exit code."""
    run = multiprocessing.get_context("fork").Process(target=_run, args=(folder, options))
    run.start()
    while not (folder / "started").exists() and run.is_alive():
        time.sleep(0.001)
    run.join(wait)
    if run.is_alive():
        os.kill(run.pid or 0, number)
    run.join(60)
    (folder / "started").unlink(missing_ok=True)
    return run.exitcode or 0


def _run(folder: Path, options: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    trainer = training(folder, **options)
    trainer.add_event_handler(Events.STARTED, lambda: (folder / "started").touch())
    try:
        trainer.run()
    except KeyboardInterrupt:
        os._exit(128 + signal.SIGINT)
    os._exit(0)
