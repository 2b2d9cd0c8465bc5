"""The configuration that scores the decoder of visual prompts by itself, for each kind of prompt."""

import json

import pytest
import torch
from monai.bundle import ConfigWorkflow

from monai_ext.networks.decoders.compact_sam import CompactSAM
from monai_ext.resources import resource_path
from tests.bundles.films import write_films
from tests.bundles.small import SAM

CONFIGS = resource_path("clip_sam", "bundles") / "configs"


@pytest.mark.parametrize("kind", ["box", "points", "point"])
def test_weights_are_scored_on_every_target_that_is_there(tmp_path, kind):
    films = write_films(tmp_path / "films", width=56, shown=5)  # the last shows nothing
    torch.save(CompactSAM(**SAM).state_dict(), tmp_path / "model.pt")
    workflow = ConfigWorkflow(
        config_file=str(CONFIGS / "evaluate_decoder.json"),
        workflow_type=None,
        dataset_dir=str(films),
        output_dir=str(tmp_path / "out"),
        weights=str(tmp_path / "model.pt"),
        device="cpu",
        kind=kind,
        **{f"network_def#{key}": value for key, value in SAM.items()},
    )
    workflow.initialize()
    workflow.run()
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert figures["pooled"]["dice"]["n"] == 1  # the other picture shows no lungs
    assert list(figures["sets"]["films"]["targets"]) == ["lungs"]


def test_the_configs_name_the_embedded_decoder():
    config = json.loads((CONFIGS / "train_decoder.json").read_text())
    evaluation = json.loads((CONFIGS / "evaluate_decoder.json").read_text())
    assert evaluation["weights"] == "compact-sam"
    assert config["network_def"] == evaluation["network_def"]
    for bundle in ("clip_sam", "medclip_sam"):
        inference = resource_path(f"{bundle}/configs/inference.json", "bundles")
        assert json.loads(inference.read_text())["decoder"] == config["network_def"]
    assert set(config["kinds"]) <= {"box", "box+points", "points", "point", "box+mask", "point+mask"}
    assert sum(config["kinds"].values()) == pytest.approx(1)
