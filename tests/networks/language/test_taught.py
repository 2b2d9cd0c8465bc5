"""What a network was taught lies with its weights, in as many bytes whatever the words are."""

from __future__ import annotations

import torch

from monai_ext.networks.language import taught
from monai_ext.networks.language.taught import BLOCK, Taught


def network(*words: str, targets=None) -> Taught:
    made = Taught()
    made.learn(words, targets)
    return made


def test_state_dicts_of_networks_with_other_words_have_the_same_shapes_and_bring_their_words():
    sites = [
        network("lungs"),
        network("a polyp in the bowel", targets={"endoscopy": {"polyp": []}}),
        Taught(),
    ]
    states = [site.state_dict()["_extra_state"] for site in sites]
    assert [state.shape for state in states] == [(BLOCK,)] * 3
    assert {state.dtype for state in states} == {torch.uint8}
    for site, state in zip(sites, states, strict=True):
        other = network("heart")
        other.load_state_dict({"_extra_state": state})
        assert other.lexicon.state() == site.lexicon.state()


def test_words_of_older_weights_are_read_without_zeros_behind_them():
    other = network("heart")
    for text, words in (
        ("heart\nlungs", {"heart", "lungs"}),
        ('{"words": ["häm"], "targets": null}', {"ham"}),
    ):
        other.load_state_dict({"_extra_state": torch.tensor(list(text.encode()), dtype=torch.uint8)})
        assert other.lexicon.taught == words


def test_more_words_take_more_blocks(monkeypatch):
    monkeypatch.setattr(taught, "BLOCK", 64)
    empty = len(Taught().get_extra_state())
    assert empty == 64
    exact = network("x" * (64 - len(network("x").lexicon.state()) + 1))
    assert len(exact.lexicon.state()) == len(exact.get_extra_state()) == 64
    more = network("x" * 80)
    assert len(more.get_extra_state()) == 128
    empty_one = Taught()
    empty_one.set_extra_state(more.get_extra_state())
    assert empty_one.lexicon.taught == {"x" * 80}
