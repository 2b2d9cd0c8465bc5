"""The values by which a checkpoint of another training is told."""

import pytest
from monai.bundle import ConfigParser

from monai_ext.engines.settings import training_settings


def settings(**content):
    config = {
        **content,
        "settings": {"_target_": "monai_ext.engines.settings.training_settings", "data": [1, 2, 3]},
    }
    return ConfigParser(config).get_parsed_content("settings")


def test_plain_values_at_the_top_count_and_what_is_built_or_refers_to_others_does_not():
    found = settings(
        learning_rate=0.1,
        sets=["a"],
        sizes={"a": [1, 2]},
        initial=None,
        network={"_target_": "torch.nn.Identity"},
        folder="$1 + 1",
        other="@learning_rate",
        losses=[{"_target_": "torch.nn.Identity"}],
        _learning_desc_="words",
    )
    assert found == {
        "learning_rate": "0.1",
        "sets": '["a"]',
        "sizes": '{"a": [1, 2]}',
        "initial": "null",
        "items of the data": "3",
        "processes": "1",
    }


def test_what_may_change_when_a_training_goes_on_does_not_count():
    assert settings(epochs=3, device="cpu", dataset_dir="a", output_dir="b", num_workers=2) == settings()


def test_outside_of_a_configuration_it_says_so():
    with pytest.raises(ValueError, match="called by none"):
        training_settings([])
