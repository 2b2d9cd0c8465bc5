"""A training that ends when its validation has stopped getting better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ignite.engine import Engine, Events
from ignite.handlers import EarlyStopping


class Patience:
    """End a training after so many validations in a row without a better key metric, by ignite's EarlyStopping.

    What was counted is part of the state of a training, among the objects of
    :class:`~monai_ext.handlers.checkpoint.ResumableCheckpoint`, and the last of them: a training that was ended ends at
    once when it is started again, unless `patience` is larger now. A metric that is NaN is no better one.

    Args:
        validator: engine whose key metric counts; larger is better.
        patience: number of validations, 1 or more; None: the training ends after its last epoch.
    """

    def __init__(self, validator: Engine, patience: int | None = None) -> None:
        self.validator, self.patience = validator, patience
        self.stopping: EarlyStopping | None = None

    def attach(self, engine: Engine) -> None:
        if self.patience is not None:
            self.stopping = EarlyStopping(self.patience, _score, engine)
            self.validator.add_event_handler(Events.COMPLETED, self.stopping)

    def state_dict(self) -> dict[str, Any]:
        return dict(self.stopping.state_dict()) if self.stopping is not None else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if self.stopping is None or not state:
            return
        self.stopping.load_state_dict(state)
        if self.stopping.counter >= self.stopping.patience:
            self.stopping.trainer.terminate()


def _score(validator: Engine) -> float:
    score = float(validator.state.metrics[validator.state.key_metric_name])  # type: ignore[attr-defined]
    return -math.inf if math.isnan(score) else score
