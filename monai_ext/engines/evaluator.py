"""MONAI's evaluator, for data in which some cases could not be loaded."""

from __future__ import annotations

from typing import Any

from monai.engines import SupervisedEvaluator

from monai_ext.data.isolation import FAILED


class CaseEvaluator(SupervisedEvaluator):
    """SupervisedEvaluator that hands items of :class:`IsolatingDataset` with a failure on to the handlers.

    The output of such an iteration is a list with ``{"case": id, "failed": reason}``; network and
    postprocessing do not see it. Arguments are those of SupervisedEvaluator.
    """

    def _iteration(self, engine: Any, batchdata: Any) -> Any:
        if FAILED not in batchdata:
            return super()._iteration(engine, batchdata)
        engine.state.output = [
            {"case": case, FAILED: reason}
            for case, reason in zip(batchdata["case"], batchdata[FAILED], strict=True)
        ]
        return engine.state.output
