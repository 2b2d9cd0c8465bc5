"""The vlsm bundle fulfils the contract of all bundles; its training also keeps the words that it learnt, and validates."""

from __future__ import annotations

from typing import ClassVar

from monai_ext.prompts.reading import read
from tests.bundles.small import SMALL
from tests.bundles.training_contract import TrainableBundleContract, Trained

SMALL_NETWORK = {f"network_def#{key}": value for key, value in SMALL.items()}


class TestVLSM(TrainableBundleContract):
    name = "vlsm"
    federated_evaluation = (("train", "federated"), "train")
    trainings: ClassVar = {
        "train": {**SMALL_NETWORK, "val_interval": 1, "size": 48, "image_sizes": [[0, 48]]}
    }

    def test_the_words_of_its_training_go_with_the_weights(self, trained: Trained) -> None:
        lexicon = trained.network().lexicon
        assert read("left lung", lexicon).refusal == ""
        assert read("teapot", lexicon).refusal.startswith("names nothing that these weights know")
        assert set(lexicon.targets) == {"xray"}

    def test_a_validation_gives_a_dice(self, trained: Trained) -> None:
        evaluator = trained.workflow.parser.get_parsed_content("validate#evaluator")
        assert evaluator.state.epoch == 2
        assert 0 <= evaluator.state.metrics["dice"] <= 1
