"""The network that a training begins with: as built, with weights, with layers of another, with words."""

import pytest
import torch
from torch import nn

from monai_ext.engines.initial_weights import initial_network
from monai_ext.errors import WeightsError


def test_weights_of_a_file_are_loaded_and_those_of_another_network_refused(tmp_path):
    torch.save(nn.Linear(2, 1).state_dict(), tmp_path / "model.pt")
    with pytest.raises(WeightsError, match="model.pt"):
        initial_network(nn.Linear(3, 1), initial=str(tmp_path / "model.pt"))
    loaded = initial_network(nn.Linear(2, 1), initial=str(tmp_path / "model.pt"))
    assert torch.equal(loaded.weight, torch.load(tmp_path / "model.pt", weights_only=True)["weight"])


def test_as_built_it_only_moves_to_its_device():
    network = nn.Linear(2, 1)
    assert initial_network(network, "meta") is network
    assert network.weight.device.type == "meta"


def test_a_network_learns_the_words_of_its_data():
    class Words(nn.Linear):
        def learn(self, texts, targets):
            self.learnt = texts, targets

    class Data:
        def sentences(self):
            return ["left lung"]

        def taught(self):
            return {"xray": {"left lung": []}}

    learnt = initial_network(Words(1, 1), vocabulary=Data()).learnt
    assert learnt == (["left lung"], {"xray": {"left lung": []}})
