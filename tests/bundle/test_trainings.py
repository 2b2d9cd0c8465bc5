"""Which configurations train a bundle, and which weights they begin with."""

import shutil

import pytest

from monai_ext.bundle.trainings import choose_training, parent_weights, trained_module, trainings, weights_of
from monai_ext.errors import InputError, WeightsError
from monai_ext.resources import resource_path

VLSM, CLIP_SAM, MEDCLIP_SAM = (resource_path(name, "bundles") for name in ("vlsm", "clip_sam", "medclip_sam"))


def test_trainings_are_the_configurations_that_train_and_not_those_laid_over_them():
    assert trainings(VLSM) == ["train"]
    assert trainings(CLIP_SAM) == ["train_decoder", "train_encoder"]
    assert trainings(MEDCLIP_SAM) == []


def test_the_only_training_is_chosen_and_one_of_several_is_named():
    assert choose_training(VLSM) == "train"
    assert choose_training(CLIP_SAM, "train_encoder") == "train_encoder"
    with pytest.raises(InputError, match="bundle vlsm has no training 'x'; choose --training train"):
        choose_training(VLSM, "x")


def test_a_module_is_named_by_its_training():
    assert (trained_module(VLSM, "train"), trained_module(CLIP_SAM, "train_encoder")) == (None, "encoder")


def test_a_training_begins_with_the_weights_of_the_registry_or_the_bundles_own(tmp_path):
    assert parent_weights(VLSM, None) == "vlsm"
    assert parent_weights(CLIP_SAM, "decoder") == "compact-sam"
    own = tmp_path / "own"
    shutil.copytree(VLSM, own)
    (own / "models").mkdir()
    with pytest.raises(WeightsError, match="its own weights, models/model.pt, are not there"):
        parent_weights(own, None)
    (own / "models" / "model.pt").touch()
    assert parent_weights(own, None) == str(own / "models" / "model.pt")


def test_other_weights_are_a_name_of_the_registry_a_file_or_those_of_a_bundle(tmp_path):
    assert weights_of("vlsm", None) == "vlsm"  # a name of both
    assert weights_of("clip_sam", "encoder") == "compact-clip"
    assert weights_of("some/model.pt", None) == "some/model.pt"
    own = tmp_path / "own"
    shutil.copytree(VLSM, own)
    (own / "models").mkdir()
    (own / "models" / "model.pt").touch()
    assert weights_of(str(own), None) == str(own / "models" / "model.pt")
    assert weights_of(str(tmp_path), None) == str(
        tmp_path
    )  # a folder of something else is refused when it is read
