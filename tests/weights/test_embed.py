"""A trained model becomes embedded weights: the same bytes each time, registered with their hash."""

from __future__ import annotations

import hashlib

import pytest
import torch

from monai_ext.errors import WeightsError
from monai_ext.weights import load_weights, read_registry
from monai_ext.weights.embed import embed, main
from tests.weights.registries import network, write_registry


def test_embedding_keeps_integers_rounds_floats_and_registers_the_same_bytes_each_time(tmp_path):
    path = write_registry(tmp_path, None)
    state = network().state_dict()
    state["0.weight"] = torch.full((3, 2), 1 / 3)
    torch.save(state, tmp_path / "model.pt")
    first = embed(tmp_path / "model.pt", "small", path).read_bytes()
    torch.save(dict(reversed(list(state.items()))), tmp_path / "model.pt")
    assert embed(tmp_path / "model.pt", "small", path).read_bytes() == first
    entry = read_registry(path)["small"]
    assert (entry.size, entry.sha256) == (len(first), hashlib.sha256(first).hexdigest())
    loaded = load_weights("small", path)
    assert loaded["0.weight"][0, 0].item() == 0.333251953125  # 1/3 in float16
    assert loaded["1.num_batches_tracked"].dtype == torch.int64
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [
        "model.pt",
        "registry.json",
        "small.safetensors",
    ]


def test_values_beyond_float16_are_not_embedded(tmp_path):
    path = write_registry(tmp_path, None)
    torch.save({"a": torch.tensor([1e6])}, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match="a holds values that float16 cannot"):
        embed(tmp_path / "model.pt", "small", path)
    assert list((tmp_path / "embedded").iterdir()) == []


def test_embedding_from_the_command_line_says_what_is_wrong(tmp_path, capsys):
    assert main([str(tmp_path / "none.pt"), "vlsm"]) == 3
    assert capsys.readouterr().err.startswith("error: none.pt: no such file.")
