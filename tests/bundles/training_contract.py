"""The part of the contract of all bundles that holds for those that can be trained."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.fl.client import MonaiAlgoStats
from monai.fl.utils.constants import ExtraItems, FlStatistics
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_ext.bundle.configs import read_configs
from monai_ext.weights.formats import read_state_dict
from tests.bundles.contract import BundleContract
from tests.bundles.federated import Site, averaged
from tests.bundles.films import write_films
from tests.studies.trainable import trainable

DRAWS, BATCH = 8, 4
SHORT: dict[str, Any] = {
    "device": "cpu",
    "amp": False,
    "epochs": 2,
    "draws_per_epoch": DRAWS,
    "batch_size": BATCH,
    "num_workers": 0,
    "phantoms": 1,
}


class Trained(NamedTuple):
    """A training that was stopped after half of its epochs and started again.

    Attributes:
        name: of the configuration.
        workflow: the second run, which ended.
        out: its folder.
        half: epochs of the first run.
        files: content of the folder after the first run, by name.
    """

    name: str
    workflow: ConfigWorkflow
    out: Path
    half: int
    files: Mapping[str, bytes]

    def network(self) -> torch.nn.Module:
        """The configuration's network with the weights that the first run left, strictly loaded."""
        network = ConfigParser(self.workflow.parser.get()).get_parsed_content("network_def")
        network.load_state_dict(
            torch.load(io.BytesIO(self.files["model.pt"]), weights_only=True), strict=True
        )
        return network


def _epochs(log: bytes) -> list[int]:
    """The epochs that have a row in a training.csv."""
    return [int(row.split(",")[0]) for row in log.decode().splitlines()[1:]]


class TrainableBundleContract(BundleContract):
    """What a bundle must pass that has configurations to train its network, or modules of it.

    Attributes:
        trainings: by the name of a configuration, ids and values beside :data:`SHORT` with which an epoch takes a
            second.
        federated_evaluation: configurations by which a site of a federated training evaluates, and the kind of their
            workflow.
    """

    federated_evaluation: ClassVar[tuple[Sequence[str], str]] = (("inference", "evaluate"), "infer")

    @classmethod
    def training(cls, name: str, data: Path, out: Path, **overrides: Any) -> ConfigWorkflow:
        """What ``python -m monai.bundle run`` opens to train, initialised."""
        flow = ConfigWorkflow(
            str(cls.folder() / "configs" / f"{name}.json"),
            workflow_type="train",
            logging_file=False,
            dataset_dir=str(data),
            output_dir=str(out),
            **{**SHORT, **cls.trainings[name], **overrides},
        )
        flow.initialize()
        return flow

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, request: Any, tmp_path_factory: pytest.TempPathFactory) -> Trained:
        folder = tmp_path_factory.mktemp(request.param)
        data, out = write_films(folder / "films"), folder / "out"
        first = cls.training(request.param, data, out)
        trainer = first.parser.get_parsed_content("train#trainer")
        half = trainer.state.max_epochs // 2
        trainer.add_event_handler(Events.EPOCH_COMPLETED(once=half), trainer.terminate)
        first.run()
        first.finalize()
        files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.*")}
        second = cls.training(request.param, data, out)
        second.run()
        second.finalize()
        return Trained(request.param, second, out, half, files)

    def test_monai_finds_every_property_of_a_training(self, trained: Trained) -> None:
        assert trained.workflow.check_properties() == []

    def test_a_stopped_training_leaves_weights_of_its_network_a_checkpoint_and_a_log(
        self, trained: Trained
    ) -> None:
        assert {"model.pt", "training.csv"} <= set(trained.files)
        steps = trained.half * DRAWS // BATCH
        assert any(name.startswith(f"checkpoints/step-{steps:08d}-") for name in trained.files)
        assert all(bool(value.isfinite().all()) for value in trained.network().parameters())
        assert _epochs(trained.files["training.csv"]) == list(range(1, trained.half + 1))

    def test_a_training_that_is_started_again_continues_after_its_last_epoch(self, trained: Trained) -> None:
        state = trained.workflow.parser.get_parsed_content("train#trainer").state
        epochs = 2 * trained.half
        assert (state.epoch, state.iteration) == (epochs, epochs * DRAWS // BATCH)
        assert _epochs((trained.out / "training.csv").read_bytes()) == list(range(1, epochs + 1))

    def test_the_curves_hold_every_step_of_both_runs_once(self, trained: Trained) -> None:
        events = EventAccumulator(str(trained.out / "tensorboard"))
        events.Reload()
        steps = list(range(1, 2 * trained.half * DRAWS // BATCH + 1))
        for name in ("loss", "learning_rate"):
            assert [one.step for one in events.Scalars(name)] == steps

    def test_what_is_written_beside_the_weights_can_be_switched_off(self, trained: Trained) -> None:
        content = read_configs(self.folder(), [f"{trained.name}.json"])
        assert (content["tensorboard"], content["mlflow"]) == (True, True)
        if "validate" in content:
            assert (content["patience"], content["pictures"]) == (None, 4)

    def test_a_training_that_was_stopped_ends_as_one_that_was_not(
        self, trained: Trained, tmp_path: Path
    ) -> None:
        whole = self.training(trained.name, trained.out.parent / "films", tmp_path)
        whole.run()
        whole.finalize()
        weights, others = (read_state_dict(folder / "model.pt") for folder in (tmp_path, trained.out))
        assert sorted(weights) == sorted(others)
        tensors = [key for key, value in weights.items() if torch.is_tensor(value)]
        assert [key for key in tensors if not torch.equal(weights[key], others[key])] == []

    def test_the_run_that_continues_changes_the_weights(self, trained: Trained) -> None:
        before, after = trained.network().state_dict(), read_state_dict(trained.out / "model.pt")
        weights = [key for key, value in after.items() if torch.is_tensor(value)]
        assert len([key for key in weights if not torch.equal(before[key], after[key])]) > len(weights) / 2

    @pytest.fixture
    def sites(self, training: str, small: Path, tmp_path: Path) -> Iterator[list[Site]]:
        """Two sites of a federated training, with other films and another sentence each."""
        bundle = trainable(small, tmp_path)
        configs, kind = self.federated_evaluation
        found = []
        for name, width in (("north", 48), ("south", 40)):
            data = write_films(tmp_path / name, width)
            table = data / "dataset.json"
            table.write_text(table.read_text().replace("lungs in a", f"lungs of the {name} in a"))
            given = {"dataset_dir": str(data), "output_dir": str(tmp_path / f"{name} out")}
            trained = {**SHORT, **self.trainings[training], **given, "epochs": 6}
            evaluated = trained if kind == "train" else {**given, "device": "cpu"}
            found.append(Site(bundle, name, training, configs, kind, trained, evaluated))
        yield found
        for site in found:
            site.algo.finalize()

    def test_sites_of_a_federated_training_exchange_weights_by_monai_fl(self, sites: list[Site]) -> None:
        weights, steps = sites[0].weights(), DRAWS // BATCH
        shapes = {key: value.shape for key, value in weights.items()}
        for _ in range(2):
            changes, numbers = zip(*(site.train(weights) for site in sites), strict=True)
            assert numbers == (steps, steps)
            assert all({key: value.shape for key, value in one.items()} == shapes for one in changes)
            assert any(not torch.equal(changes[0][key], changes[1][key]) for key in shapes)
            for (
                site
            ) in sites:  # a round begins with the weights of the server, not with the site's checkpoint
                assert [key for key in shapes if not torch.equal(site.began[-1][key], weights[key])] == []
            weights = averaged(weights, changes)
        dice = [site.evaluate(weights)["dice"] for site in sites]
        assert all(0 <= value <= 1 for value in dice)
        for site in sites:
            found = site.evaluated()
            assert [key for key in shapes if not torch.equal(found[key], weights[key])] == []
        whole = [{key: value.shape for key, value in site.evaluated().items()} for site in sites]
        assert whole[0] == whole[1]  # the words of a site among them

    def test_a_site_of_a_federated_training_sends_statistics_of_its_data(
        self, training: str, tmp_path: Path
    ) -> None:
        flow = self.training(training, write_films(tmp_path / "films"), tmp_path / "out")
        stats = MonaiAlgoStats(str(self.folder()), workflow=flow)
        stats.initialize({ExtraItems.APP_ROOT: str(tmp_path)})
        asked = {FlStatistics.HIST_BINS: 4, FlStatistics.HIST_RANGE: [0, 256]}
        found = stats.get_data_stats(asked).statistics["train"]
        assert (found[FlStatistics.DATA_COUNT], found[FlStatistics.FAIL_COUNT]) == (4, 0)
        assert found[FlStatistics.DATA_STATS]["image_stats"]["shape"]["max"] == [48, 48]
