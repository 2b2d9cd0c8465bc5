"""Randomness of a training that depends on its seed and the step alone, so that a stopped one goes on as the same."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events

from monai_ext.data.sampling import derived_seed
from monai_ext.engines.distributed import rank


class SeededSteps:
    """Seed all global generators before each step, and tell the sampler its epoch.

    No state of a generator has to be kept: the draws of step `n` are the same after any number of interruptions, and
    whatever else has drawn in between, such as a validation. Each of several processes draws its own.

    Args:
        seed: of the training.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self.set_epoch)
        engine.add_event_handler(Events.GET_BATCH_STARTED, self.seed_step)
        engine.add_event_handler(Events.ITERATION_STARTED, self.seed_step)

    def set_epoch(self, engine: Engine) -> None:
        """Let the sampler draw for the epoch that begins, without what was done of it before an interruption."""
        loader: Any = engine.state.dataloader
        sampler: Any = getattr(loader, "sampler", None)
        if hasattr(sampler, "set_epoch"):
            steps = engine.state.iteration % (engine.state.epoch_length or 1)
            sampler.set_epoch(engine.state.epoch, steps * loader.batch_size)

    def seed_step(self, engine: Engine) -> None:
        seed = derived_seed(self.seed, engine.state.iteration, rank())
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)  # of all devices
