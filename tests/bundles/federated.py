"""Sites of a federated training: each a MonaiAlgo of MONAI FL on data of its own, and a server that averages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, FlStatistics, WeightType
from monai.fl.utils.exchange_object import ExchangeObject
from torch import Tensor

Weights = dict[str, Tensor]


class Site:
    """One site, initialised; what it sends and gets is copied, as on the way to another machine.

    Args:
        bundle: folder of the bundle.
        name: of the site.
        training: name of a configuration.
        evaluation: configurations of the evaluation, without the folder.
        kind: of the evaluation's workflow, "train" or "infer".
        given, evaluated: ids and values of training and evaluation.
    """

    def __init__(
        self,
        bundle: Path,
        name: str,
        training: str,
        evaluation: Sequence[str],
        kind: str,
        given: Mapping[str, Any],
        evaluated: Mapping[str, Any],
    ) -> None:
        self.algo = MonaiAlgo(
            str(bundle),
            config_train_filename=[f"configs/{training}.json", "configs/federated.json"],
            train_kwargs={"bundle_root": str(bundle), **given},
            config_evaluate_filename=[f"configs/{one}.json" for one in evaluation],
            eval_workflow_name=kind,
            eval_kwargs={"bundle_root": str(bundle), **evaluated},  # read before MonaiAlgo states it
        )
        self.algo.initialize({ExtraItems.CLIENT_NAME: name})
        self.began: list[Weights] = []
        self.algo.trainer.add_event_handler(Events.EPOCH_STARTED, lambda: self.began.append(self.weights()))

    def weights(self) -> Weights:
        """Those of the network that is trained."""
        return copied(self.algo.trainer.network.state_dict())

    def evaluated(self) -> Weights:
        """Those of the network that was evaluated."""
        return copied(self.algo.evaluator.network.state_dict())

    def train(self, weights: Weights) -> tuple[Weights, int]:
        """A round: how the weights changed, and the number of steps."""
        self.algo.train(ExchangeObject(weights=copied(weights)))
        found = self.algo.get_weights()
        assert found.weight_type == WeightType.WEIGHT_DIFF
        return copied(found.weights), found.statistics[FlStatistics.NUM_EXECUTED_ITERATIONS]

    def evaluate(self, weights: Weights) -> dict[str, float]:
        """The metrics of these weights on the site's data."""
        return self.algo.evaluate(ExchangeObject(weights=copied(weights))).metrics


def copied(weights: Mapping[str, Tensor]) -> Weights:
    return {
        key: value.detach().clone(memory_format=torch.contiguous_format) for key, value in weights.items()
    }


def averaged(weights: Weights, changes: Sequence[Weights]) -> Weights:
    """The weights, changed by the mean of what the sites say."""
    means = {key: torch.stack([one[key].double() for one in changes]).mean(0) for key in weights}
    return {key: (value + means[key]).to(value.dtype) for key, value in weights.items()}
