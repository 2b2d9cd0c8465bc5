"""The text tower: unit vectors, ensembles, and a cache that never goes stale."""

import pytest
import torch
from torch import nn

from monai_ext.networks.language.text_tower import TextTower
from monai_ext.networks.language.tokenizer import WordPieceTokenizer
from monai_ext.prompts.prompt import Prompt


@pytest.fixture
def tower():
    return TextTower(WordPieceTokenizer(), width=16, depth=1, heads=2, out_channels=8).eval()


def test_a_vector_has_unit_length_and_does_not_depend_on_its_batch(tower):
    with torch.no_grad():
        alone = tower([Prompt.of("liver")])
        together = tower([Prompt.of("liver"), Prompt.of("a far longer sentence about the left kidney")])
    assert torch.allclose(alone.norm(dim=1), torch.ones(1))
    assert torch.equal(alone[0], together[0])


def test_padding_does_not_change_a_vector(tower):
    alone = tower.embed(["liver"])
    padded = tower.embed(["liver", "a far longer sentence about the left kidney"])
    assert torch.allclose(alone[0], padded[0], atol=1e-6)


def test_an_ensemble_is_the_mean_of_its_unit_vectors(tower):
    with torch.no_grad():
        one, two = tower.embed(["liver", "hepatic tissue"])
        both = tower([Prompt(("liver", "hepatic tissue"))])[0]
    expected = nn.functional.normalize((one + two) / 2, dim=0)
    assert torch.allclose(both, expected, atol=1e-5)


def test_each_text_is_embedded_once_until_the_weights_change(tower):
    calls = []
    embed = tower.embed
    tower.embed = lambda texts: calls.append(texts) or embed(texts)
    with torch.no_grad():
        for _ in range(3):
            before = tower([Prompt.of("liver")])
        assert calls == [["liver"]]
        tower.load_state_dict({k: v + 0.1 for k, v in tower.state_dict().items()})
        after = tower([Prompt.of("liver")])
    assert len(calls) == 2
    assert not torch.allclose(before, after)


def test_training_uses_no_cache_and_reaches_every_weight(tower):
    tower.train()
    tower([Prompt.of("the left kidney"), Prompt.of("liver")])[:, 0].sum().backward()
    assert not tower._cache
    assert all(p.grad is not None for p in tower.parameters())
