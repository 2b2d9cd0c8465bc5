"""MONAI's evaluator for many cases: some cannot be read, some are done, and it may be stopped."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator

from monai_ext.data.fault_tolerant import FAILED, FINISHED
from monai_ext.engines.progress import progress_bar
from monai_ext.engines.signals import stoppable


class FaultTolerantEvaluator(SupervisedEvaluator):
    """SupervisedEvaluator over the cases of :class:`monai_ext.data.fault_tolerant.FaultTolerantDataset`.

    - Items that could not be loaded, or that an earlier run finished, go to the handlers as they are: the output
      of such an iteration is a list with ``{"case": id, "failed": reason}`` or ``{"case": id, "finished": rows}``.
    - Only one case is in memory: the last is let go before the next is loaded.
    - SIGTERM stops it as Ctrl-C does; files that were being written are removed.

    Args:
        progress: show a bar; None: where standard error is a terminal.
        args, kwargs: of SupervisedEvaluator.
    """

    def __init__(self, *args: Any, progress: bool | None = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.progress = progress
        self.add_event_handler(Events.GET_BATCH_STARTED, _let_go)

    def run(self, global_epoch: int = 1) -> None:  # type: ignore[override]
        """Run over all cases once; see :meth:`monai.engines.Evaluator.run`."""
        with stoppable(self), progress_bar(self, self.state.epoch_length or 0, "cases", self.progress):
            super().run(global_epoch)

    def _iteration(self, engine: Any, batchdata: Any) -> Any:
        for key in (FAILED, FINISHED):
            if key in batchdata:
                rows = zip(batchdata["case"], batchdata[key], strict=True)
                engine.state.output = [{"case": case, key: value} for case, value in rows]
                return engine.state.output
        return super()._iteration(engine, batchdata)


def _let_go(engine: Engine) -> None:
    engine.state.batch = engine.state.output = None
