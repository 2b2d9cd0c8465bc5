"""Training and evaluation configs of the promptable decoder, run whole for one epoch on synthetic pictures."""

import json
from pathlib import Path

import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigWorkflow

from monai_ext.networks.decoders.compact_sam import CompactSAM
from tests.bundles.films import write_films

CONFIGS = Path(__file__).resolve().parents[2] / "bundles" / "clip_sam" / "configs"
SMALL = {
    "image_size": 32,
    "channels": [4, 4, 8, 8, 8],
    "context": 1,
    "dim": 16,
    "decoder": {"num_heads": 2, "mlp_dim": 16, "iou_dim": 16},
}


@pytest.fixture
def films(tmp_path):
    return write_films(tmp_path / "films", width=56, shown=5)  # the last shows nothing


def training(folder, output, epochs=1, **overrides):
    workflow = ConfigWorkflow(
        config_file=str(CONFIGS / "train_decoder.json"),
        workflow_type=None,
        dataset_dir=str(folder),
        output_dir=str(output),
        sets=None,
        device="cpu",
        amp=False,
        epochs=epochs,
        draws_per_epoch=8,
        batch_size=4,
        num_workers=0,
        phantoms=1,
        opacities=2,
        **{f"network_def#{key}": value for key, value in SMALL.items()},
        **overrides,
    )
    workflow.initialize()
    return workflow


def evaluate(folder, output, weights, **overrides):
    workflow = ConfigWorkflow(
        config_file=str(CONFIGS / "evaluate_decoder.json"),
        workflow_type=None,
        dataset_dir=str(folder),
        output_dir=str(output),
        weights=str(weights),
        sets=None,
        device="cpu",
        **{f"network_def#{key}": value for key, value in SMALL.items()},
        **overrides,
    )
    workflow.initialize()
    workflow.run()
    return json.loads((output / "metrics.json").read_text())


def test_one_epoch_leaves_weights_that_can_be_evaluated(films, tmp_path):
    training(films, tmp_path / "out").run()
    model = tmp_path / "out" / "model.pt"
    CompactSAM(**SMALL).load_state_dict(torch.load(model, weights_only=True))
    assert len((tmp_path / "out" / "training.csv").read_text().splitlines()) == 2
    for kind in ("box", "points", "point"):
        figures = evaluate(films, tmp_path / kind, model, kind=kind)
        assert figures["pooled"]["dice"]["n"] == 1  # the other picture shows no lungs
        assert list(figures["sets"]["films"]["targets"]) == ["lungs"]


def test_training_goes_on_from_its_last_epoch(films, tmp_path):
    first = training(films, tmp_path / "out", epochs=4)
    trainer = first.parser.get_parsed_content("train#trainer")
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=2), trainer.terminate)
    first.run()
    further = training(films, tmp_path / "out", epochs=4)
    further.run()
    trainer = further.parser.get_parsed_content("train#trainer")
    assert (trainer.state.epoch, trainer.state.iteration) == (4, 8)


def test_the_configs_name_the_embedded_decoder():
    config = json.loads((CONFIGS / "train_decoder.json").read_text())
    assert config["network_def"] == {"_target_": "monai_ext.networks.decoders.compact_sam.CompactSAM"}
    assert json.loads((CONFIGS / "evaluate_decoder.json").read_text())["weights"] == "compact-sam"
    assert set(config["kinds"]) <= {"box", "box+points", "points", "point", "box+mask", "point+mask"}
    assert sum(config["kinds"].values()) == pytest.approx(1)
