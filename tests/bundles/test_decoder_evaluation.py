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


def test_the_sets_of_the_model_card_are_a_recipe_laid_over_it():
    plain, recipe = (
        json.loads((CONFIGS / f"evaluate_decoder{name}.json").read_text()) for name in ("", "_embedded")
    )
    assert plain["sets"] is None
    assert set(recipe) <= set(plain) and len(recipe["sets"]) == 9


def test_the_configs_name_the_embedded_decoder():
    config = json.loads((CONFIGS / "train_decoder.json").read_text())
    assert config["network_def"] == {"_target_": "monai_ext.networks.decoders.compact_sam.CompactSAM"}
    assert json.loads((CONFIGS / "evaluate_decoder.json").read_text())["weights"] == "compact-sam"
    assert set(config["kinds"]) <= {"box", "box+points", "points", "point", "box+mask", "point+mask"}
    assert sum(config["kinds"].values()) == pytest.approx(1)
