"""The vlsm bundle fulfils the contract of all bundles; its training also keeps the words that it learnt, and validates."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

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

    def test_each_validation_is_in_the_curves_and_has_a_sheet_of_pictures(self, trained: Trained) -> None:
        events = EventAccumulator(str(trained.out / "tensorboard"))
        events.Reload()
        assert [one.step for one in events.Scalars("dice")] == [2, 4]
        sheets = [path.name for path in sorted((trained.out / "pictures").iterdir())]
        assert sheets == ["epoch-0001.png", "epoch-0002.png"]

    def test_its_training_ends_when_validation_is_no_longer_better(
        self, trained: Trained, tmp_path: Path
    ) -> None:
        flow = self.training(
            "train",
            trained.out.parent / "films",
            tmp_path,
            epochs=6,
            patience=1,
            learning_rate=0.0,
            pictures=0,
        )
        flow.run()
        state = flow.parser.get_parsed_content("train#trainer").state
        assert (state.epoch, state.max_epochs) == (2, 6)  # of a network that learns nothing
        assert (tmp_path / "model.pt").is_file() and not (tmp_path / "pictures").exists()
