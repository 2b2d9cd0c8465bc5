"""What a training exchanges with other sites: its network's weights, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_ext.engines.tasks import TrainingTask
from monai_ext.networks.language.taught import Taught


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.text = nn.Linear(2, 1), Taught()


class Task(TrainingTask):
    def prepare_batch(self, batchdata, move):
        return {}

    def forward(self, batch):
        return {}


@pytest.mark.parametrize(("module", "prefix"), [("", ""), ("encoder", "encoder.")])
def test_a_task_exchanges_weights_by_their_names_in_the_bundle_and_keeps_its_words(module, prefix):
    here, there = Network(), Network()
    here.text.learn(["lungs"])
    there.text.learn(["polyp"])
    state = Task(there, module=module).state_dict()
    assert list(state) == [f"{prefix}layer.weight", f"{prefix}layer.bias"]
    task = Task(here, module=module)
    task.load_state_dict(state)
    assert torch.equal(here.layer.weight, there.layer.weight) and here.text.lexicon.taught == {"lungs"}
    with pytest.raises(RuntimeError, match="Missing key"):
        task.load_state_dict({})


def test_words_that_come_with_weights_stay_away_from_a_task():
    here, there = Network(), Network()
    here.text.learn(["lungs"])
    there.text.learn(["polyp"])
    Task(here).load_state_dict(there.state_dict())
    assert here.text.lexicon.taught == {"lungs"}


def test_a_reference_is_not_exchanged():
    assert list(Task(nn.Linear(2, 1), nn.Linear(2, 1)).state_dict()) == ["weight", "bias"]
