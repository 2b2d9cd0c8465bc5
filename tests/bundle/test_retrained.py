"""Versions of retrained bundles; the bundles themselves are tested with their command, tests/cli/test_train.py."""

import json

import pytest
import torch

from monai_ext.bundle.retrained import IMAGES, raised, write_retrained
from monai_ext.errors import InputError, WeightsError
from tests.bundles.small import contents


@pytest.mark.parametrize(
    ("before", "after"), [("0.1.0", "0.1.1"), ("1.9", "1.10"), ("2", "3"), ("1.0.0rc1", "1.0.0rc1.1")]
)
def test_the_last_number_of_a_version_is_raised(before, after):
    assert raised(before) == after


def test_nothing_is_written_of_weights_of_another_network_or_over_something(tmp_path, bundle):
    torch.save({"a": torch.ones(1)}, tmp_path / "model.pt")
    before = contents(bundle)
    with pytest.raises(WeightsError, match="the trained network do not fit VLSM"):
        write_retrained(bundle, None, tmp_path / "model.pt", tmp_path / "new", {"summary": ""}, "")
    assert not (tmp_path / "new").exists()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "file").touch()
    with pytest.raises(InputError, match="new: not empty"):
        write_retrained(bundle, None, bundle / "models/model.pt", tmp_path / "new", {"summary": ""}, "")
    assert contents(bundle) == before


def test_hashes_of_images_go_into_a_file_of_their_own_with_those_of_the_parent(tmp_path, bundle):
    def images(*digits: str) -> list[dict]:
        return [{"sha256": digit * 64, "hashes": [digit * 64]} for digit in digits]

    def written(parent, name, shown):
        facts = {"summary": "s", "images": shown} if shown else {"summary": "s"}
        return write_retrained(parent, None, bundle / "models/model.pt", tmp_path / name, facts, "")

    first = written(bundle, "first", images("1", "2"))
    second = written(first, "second", images("2", "3"))
    third = written(second, "third", None)
    read = [json.loads((folder / IMAGES).read_text()) for folder in (first, second, third)]
    assert read == [images("1", "2"), images("1", "2", "3"), images("1", "2", "3")]
    metadata = json.loads((second / "configs/metadata.json").read_text())
    assert metadata["training"] == {"summary": "s"}
    assert not (written(bundle, "none", None) / IMAGES).exists()
