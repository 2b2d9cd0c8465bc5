"""MONAI's trainer with what a text-prompted network needs."""

from __future__ import annotations

from typing import Any

from monai.engines import SupervisedTrainer

from monai_ext.engines.prepare_batch import prepare_text_prompt_batch
from monai_ext.engines.progress import progress_bar
from monai_ext.engines.signals import stoppable


class TextPromptTrainer(SupervisedTrainer):
    """SupervisedTrainer on batches of images with prompts.

    Batches are prepared by :func:`monai_ext.engines.prepare_batch.prepare_text_prompt_batch`; results, which are no
    tensors, are not decollated; SIGTERM stops it as Ctrl-C does.

    Args:
        progress: show a bar of iterations; None: where standard error is a terminal.
        args, kwargs: of SupervisedTrainer.
    """

    def __init__(self, *args: Any, progress: bool | None = False, **kwargs: Any) -> None:
        super().__init__(*args, **{"prepare_batch": prepare_text_prompt_batch, "decollate": False, **kwargs})
        self.progress = progress

    def run(self) -> None:  # type: ignore[override]
        """Train from the epoch that a checkpoint left off at, or from the first."""
        total = (self.state.max_epochs or 0) * (self.state.epoch_length or 0)
        with stoppable(self), progress_bar(self, total, "iterations", self.progress):
            super().run()
