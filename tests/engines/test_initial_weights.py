"""The network that a training begins with: as built, with weights, with layers of another, with words."""

import pytest
import torch
from torch import nn

from monai_ext.engines import initial_weights
from monai_ext.engines.initial_weights import initial_network
from monai_ext.errors import WeightsError
from monai_ext.networks.language.taught import Taught as TaughtModule
from monai_ext.weights.registry import registered


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

    learnt = initial_network(Words(1, 1), vocabulary=Data()).learnt
    assert learnt == (["left lung"], {"xray": {"left lung": []}})


class Taught(nn.Linear):
    """Keeps what it is told that it was taught."""

    def __init__(self):
        super().__init__(2, 1)
        self.learnt = []

    def learn(self, texts, targets):
        self.learnt.append((list(texts), {modality: list(known) for modality, known in targets.items()}))


class Data:
    """A vocabulary."""

    def sentences(self):
        return ["left lung"]

    def taught(self):
        return {"xray": {"left lung": []}}


@pytest.mark.parametrize("words", [[], ["liver"]])
def test_weights_that_take_every_word_still_do_and_others_learn_new_ones(tmp_path, words):
    class Network(TaughtModule):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 1)

    before = Network()
    before.learn(words)
    torch.save(before.state_dict(), tmp_path / "model.pt")
    after = initial_network(Network(), initial=str(tmp_path / "model.pt"), vocabulary=Data())
    assert after.lexicon.open == (not words)
    assert not words or {"liver", "left", "lung"} <= after.lexicon.taught
    assert not initial_network(Network(), vocabulary=Data()).lexicon.open


def test_registered_weights_bring_the_targets_that_they_were_taught(monkeypatch):
    monkeypatch.setattr(initial_weights, "load_weights", lambda _name: nn.Linear(2, 1).state_dict())
    known = registered("vlsm").targets
    assert initial_network(Taught(), initial="vlsm").learnt == [([], {m: list(t) for m, t in known.items()})]


def test_of_the_weights_of_a_bundle_those_of_the_module_are_taken(tmp_path):
    state = {"encoder.weight": torch.ones(1, 2), "encoder.bias": torch.ones(1), "decoder.a": torch.ones(3)}
    torch.save(state, tmp_path / "model.pt")
    initial = str(tmp_path / "model.pt")
    assert torch.equal(
        initial_network(nn.Linear(2, 1), initial=initial, module="encoder").weight, torch.ones(1, 2)
    )
    with pytest.raises(WeightsError, match="do not fit"):
        initial_network(nn.Linear(2, 1), initial=initial, module="decoder")
    torch.save(nn.Linear(2, 1).state_dict(), tmp_path / "model.pt")
    initial_network(nn.Linear(2, 1), initial=initial, module="encoder")
