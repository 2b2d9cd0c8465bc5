"""The config that trains the vision-language encoder, run for an epoch on synthetic pictures, and resumed."""

from pathlib import Path

import torch
from ignite.engine import Events
from monai.bundle import ConfigWorkflow

from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.weights.formats import read_state_dict
from tests.bundles.films import write_films

CONFIG = Path(__file__).resolve().parents[2] / "bundles" / "clip_sam" / "configs" / "train_encoder.json"


def workflow(folder, output):
    return ConfigWorkflow(
        config_file=str(CONFIG),
        workflow_type="train",
        dataset_dir=str(folder),
        output_dir=str(output),
        sets=None,
        device="cpu",
        amp=False,
        epochs=2,
        draws_per_epoch=8,
        batch_size=4,
        num_workers=0,
        phantoms=1,
        photographs=False,
        lesions=0,
        opacities=1,
        transplants=0,
    )


def test_an_epoch_changes_the_weights_and_a_second_goes_on_from_it(tmp_path):
    films = write_films(tmp_path / "films")
    first = workflow(films, tmp_path)
    first.initialize()
    trainer = first.parser.get_parsed_content("train#trainer")
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=1), trainer.terminate)
    first.run()
    one = read_state_dict(tmp_path / "model.pt")
    VisionLanguageEncoder("compact-clip").load_state_dict(one)
    assert all(bool(torch.isfinite(value).all()) for value in one.values())
    second = workflow(films, tmp_path)
    second.initialize()
    second.run()
    two = read_state_dict(tmp_path / "model.pt")
    assert sum(not torch.equal(one[key], two[key]) for key in one) > 100
    rows = (tmp_path / "training.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]
