"""MONAI's evaluator for many cases: some cannot be read, some are done, and it may be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator
from torch import nn

from monai_ext.data.fault_tolerant import FAILED, FINISHED
from monai_ext.engines.devices import mixed_precision
from monai_ext.engines.prepare_batch import PrepareTextPrompts
from monai_ext.engines.progress import progress_bar
from monai_ext.engines.signals import stoppable


class FaultTolerantEvaluator(SupervisedEvaluator):
    """SupervisedEvaluator over the cases of :class:`monai_ext.data.fault_tolerant.FaultTolerantDataset`.

    - Items that could not be loaded, or that an earlier run finished, go to the handlers as they are: the output
      of such an iteration is a list with ``{"case": id, "failed": reason}`` or ``{"case": id, "finished": rows}``.
    - Only one case is in memory: the last is let go before the next is loaded.
    - SIGTERM stops it as Ctrl-C does; files that were being written are removed.

    Args:
        device: of the network, which moves there.
        val_data_loader: of batches of one case.
        network: a text-prompted segmenter, or what `prepare_batch` suits.
        prepare_batch: :class:`~monai_ext.engines.prepare_batch.PrepareTextPrompts` if None.
        amp: run the network in mixed precision where it helps; None: on CUDA, see
            :func:`monai_ext.engines.devices.mixed_precision`. MONAI's own amp, of CUDA only, stays off.
        progress: show a bar; None: where standard error is a terminal.
        kwargs: of SupervisedEvaluator.
    """

    def __init__(
        self,
        device: torch.device | str,
        val_data_loader: Any,
        network: nn.Module,
        prepare_batch: Callable | None = None,
        amp: bool | None = None,
        progress: bool | None = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            device=torch.device(device),
            val_data_loader=val_data_loader,
            network=network.to(device),
            prepare_batch=prepare_batch or PrepareTextPrompts(),
            **kwargs,
        )
        self.progress, self._mode, self._amp = progress, self.mode, amp
        self.mode = self._inferring
        self.add_event_handler(Events.GET_BATCH_STARTED, _let_go)

    def run(self, global_epoch: int = 1) -> None:  # type: ignore[override]
        """Run over all cases once; see :meth:`monai.engines.Evaluator.run`."""
        with stoppable(self), progress_bar(self, self.state.epoch_length or 0, "cases", self.progress):
            super().run(global_epoch)

    @contextmanager
    def _inferring(self, *networks: nn.Module) -> Iterator[None]:
        """The mode in which MONAI calls the inferer: the network in evaluation, and in its precision."""
        with self._mode(*networks), mixed_precision(self.state.device, self._amp):
            yield

    def _iteration(self, engine: Any, batchdata: Any) -> Any:
        for key in (FAILED, FINISHED):
            if key in batchdata:
                rows = zip(batchdata["case"], batchdata[key], strict=True)
                engine.state.output = [{"case": case, key: value} for case, value in rows]
                return engine.state.output
        return super()._iteration(engine, batchdata)


def _let_go(engine: Engine) -> None:
    engine.state.batch = engine.state.output = None
