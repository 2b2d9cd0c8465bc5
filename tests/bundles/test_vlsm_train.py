"""The training config of the vlsm bundle, run whole for one epoch on synthetic pictures."""

from pathlib import Path

import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigWorkflow

from monai_ext.networks.vlsm import VLSM
from tests.bundles.films import write_films

CONFIG = Path(__file__).resolve().parents[2] / "bundles" / "vlsm" / "configs" / "train.json"
SMALL = {
    "image_size": 32,
    "channels": [4, 6, 8, 8],
    "context": 1,
    "blocks": 1,
    "condition": 8,
    "text_width": 8,
}


@pytest.fixture
def films(tmp_path):
    return write_films(tmp_path / "films")


def workflow(folder, output, epochs=1, device="cpu", amp=False, **overrides):
    return ConfigWorkflow(
        config_file=str(CONFIG),
        workflow_type="train",
        dataset_dir=str(folder),
        output_dir=str(output),
        device=device,
        amp=amp,
        epochs=epochs,
        draws_per_epoch=8,
        batch_size=4,
        num_workers=0,
        val_interval=1,
        size=48,
        image_sizes=[[0, 48]],
        phantoms=1,
        **{f"network_def#{key}": value for key, value in SMALL.items()},
        **overrides,
    )


def run(folder, output, **overrides):
    training = workflow(folder, output, **overrides)
    training.initialize()
    training.run()
    training.finalize()
    return training


def test_every_id_that_monai_asks_of_a_training_is_there(films, tmp_path):
    training = workflow(films, tmp_path / "out")
    training.initialize()
    assert training.check_properties() == []


def test_one_epoch_leaves_weights_a_checkpoint_a_log_and_a_score(films, tmp_path):
    training = run(films, tmp_path / "out")
    state = torch.load(tmp_path / "out" / "model.pt", weights_only=True)
    network = VLSM(**SMALL)
    network.load_state_dict(state)
    assert network.lexicon.why_unknown("left lung") == ""
    assert network.lexicon.why_unknown("teapot") != ""
    rows = (tmp_path / "out" / "training.csv").read_text().splitlines()
    assert len(rows) == 2 and rows[1].startswith("1,")
    evaluator = training.parser.get_parsed_content("validate#evaluator")
    assert 0 <= evaluator.state.metrics["dice"] <= 1


def test_training_goes_on_from_its_last_epoch(films, tmp_path):
    first = workflow(films, tmp_path / "out", epochs=2)
    first.initialize()
    trainer = first.parser.get_parsed_content("train#trainer")
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=1), trainer.terminate)
    first.run()
    further = run(films, tmp_path / "out", epochs=2)
    trainer = further.parser.get_parsed_content("train#trainer")
    assert trainer.state.epoch == 2
    assert trainer.state.iteration == 4
    rows = (tmp_path / "out" / "training.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]
