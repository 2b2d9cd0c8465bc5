"""Weights are verified before they are parsed, fit their network whole, and never run code."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from monai_ext.errors import WeightsError
from monai_ext.weights import load_into, load_weights, read_registry, registry, store
from monai_ext.weights.embed import embed
from monai_ext.weights.load import check_own_model, copy_into
from monai_ext.weights.registry import registered
from tests.weights.bombs import Bomb
from tests.weights.registries import network, write_registry
from tests.weights.server import FILE, registry_of


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The registry of the process holds "small", made from a network with known weights."""
    folder = tmp_path / "registered"
    source = network()
    with torch.no_grad():
        source[0].weight.copy_(torch.arange(6.0).reshape(3, 2))
    path = write_registry(folder, None)
    torch.save(source.state_dict(), folder / "model.pt")
    embed(folder / "model.pt", "small", path)
    monkeypatch.setattr(registry, "REGISTRY", path)
    return read_registry(path)["small"]


def save_model(folder: Path, content: object) -> None:
    (folder / "models").mkdir()
    torch.save(content, folder / "models" / "model.pt")


def test_verified_weights_are_returned_as_stored(tmp_path):
    path = write_registry(tmp_path, save({"a": torch.tensor([0.5], dtype=torch.float16)}))
    state = load_weights("small", path)
    assert list(state) == ["a"]
    assert state["a"].dtype == torch.float16
    assert state["a"].item() == 0.5


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    path = write_registry(tmp_path, b"")
    with pytest.raises(WeightsError, match="no weights 'large'; known are small"):
        load_weights("large", path)


def test_a_missing_file_is_named(tmp_path):
    path = write_registry(tmp_path, None)
    with pytest.raises(WeightsError, match="embedded/small.safetensors is missing"):
        load_weights("small", path)


def test_a_changed_file_is_not_parsed(tmp_path):
    path = write_registry(tmp_path, save({"a": torch.ones(1)}), sha256="0" * 64)
    with pytest.raises(WeightsError, match="000000000000… is registered"):
        load_weights("small", path)


def test_a_file_of_the_right_hash_that_is_not_safetensors_is_refused(tmp_path):
    path = write_registry(tmp_path, b"no tensors in here")
    with pytest.raises(WeightsError, match="is not safetensors"):
        load_weights("small", path)


def test_registered_weights_take_the_type_of_the_network_and_log_their_licence(small, caplog):
    target = network().double()
    with caplog.at_level(logging.INFO, logger="monai_ext"):
        record = load_into(target, "small")
    assert record == {
        "name": "small",
        "sha256": small.sha256,
        "source": "embedded/small.safetensors",
        "note": "embedded, demonstration accuracy",
        "licence": "for tests",
    }
    assert target[0].weight.dtype == torch.float64
    assert target[0].weight.flatten().tolist() == [0, 1, 2, 3, 4, 5]
    assert "licence: for tests" in caplog.text


def test_where_the_registry_states_some_digits_the_recorded_hash_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_EXT_HOME", str(tmp_path / "home"))
    content = save(network().state_dict())
    whole = hashlib.sha256(content).hexdigest()
    store.fetched_file("small", registered("vlsm")).parent.mkdir(parents=True)
    (tmp_path / "home/weights/small" / FILE).write_bytes(content)
    store.write_record("small", store.Record(whole, len(content)))
    for stated in (whole, whole[:8], None):
        path = registry_of(tmp_path, "https://example.org/small", content, stated)
        monkeypatch.setattr(registry, "REGISTRY", path)
        assert load_into(network(), "small")["sha256"] == whole


def test_the_model_of_a_bundle_goes_before_the_registry(small, tmp_path):
    other = network()
    save_model(tmp_path, other.state_dict())
    target = network()
    record = load_into(target, "small", tmp_path)
    assert torch.equal(target[0].weight, other[0].weight)
    assert record["source"] == "models/model.pt"
    assert record["sha256"] == hashlib.sha256((tmp_path / "models/model.pt").read_bytes()).hexdigest()
    assert record["note"] == "the bundle's own, not from the registry"


class Parts(nn.Module):
    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


def test_a_network_built_without_a_module_leaves_its_weights_in_the_file(small, tmp_path):
    whole = Parts(encoder=nn.Linear(2, 1), decoder=nn.Linear(1, 1))
    save_model(tmp_path, whole.state_dict())
    without = Parts(encoder=nn.Linear(2, 1), decoder=None)
    assert load_into(without, {"encoder": "small"}, tmp_path)["source"] == "models/model.pt"
    assert torch.equal(without.encoder.weight, whole.encoder.weight)
    for other in ({}, {"decoder": "a word"}):
        with pytest.raises(WeightsError, match=r"2 unknown: decoder\.weight, decoder\.bias"):
            load_into(Parts(encoder=nn.Linear(2, 1), **other), {"encoder": "small"}, tmp_path)
    with pytest.raises(WeightsError, match=r"2 unknown: encoder\.weight, encoder\.bias"):
        load_into(Parts(decoder=nn.Linear(1, 1), other=None), {"decoder": "small"}, tmp_path)


def test_a_bundle_without_a_model_uses_the_registry(small, tmp_path):
    assert load_into(network(), "small", tmp_path)["source"] == "embedded/small.safetensors"


class PublicLayout(nn.Linear):
    """A part that reads the layout of its public file by itself."""

    def load(self, state, what):
        copy_into(self, {key.removeprefix("public."): value for key, value in state.items()}, what)


@pytest.fixture
def two_modules(tmp_path, monkeypatch):
    """The registry of the process holds "plain" and "public", each a linear layer of a value of its own."""
    entries = {}
    (tmp_path / "registered" / "embedded").mkdir(parents=True)
    for name, value, prefix in (("plain", 1.0, ""), ("public", 2.0, "public.")):
        content = save({f"{prefix}weight": torch.full((1, 2), value), f"{prefix}bias": torch.zeros(1)})
        (tmp_path / "registered" / "embedded" / f"{name}.safetensors").write_bytes(content)
        entries[name] = {
            "source": "embedded",
            "file": f"{name}.safetensors",
            "licence": "for tests",
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "loader": "safetensors",
            "note": f"{name} layer",
        }
    path = tmp_path / "registered" / "registry.json"
    path.write_text(json.dumps(entries))
    monkeypatch.setattr(registry, "REGISTRY", path)
    network = nn.Module()
    network.first, network.second = nn.Linear(2, 1), PublicLayout(2, 1)
    return network, entries


def test_modules_have_weights_of_their_own_and_one_record(two_modules):
    network, entries = two_modules
    record = load_into(network, {"second": "public", "first": "plain"})
    assert network.first.weight.tolist() == [[1, 1]] and network.second.weight.tolist() == [[2, 2]]
    assert record == {
        "name": "public + plain",
        "sha256": f"{entries['public']['sha256']} + {entries['plain']['sha256']}",
        "source": "embedded/public.safetensors + embedded/plain.safetensors",
        "note": "public layer + plain layer",
        "licence": "for tests",
    }


@pytest.mark.parametrize("modules", [{}, {"first": "plain"}, {"first": "plain", "third": "public"}])
def test_weights_are_named_for_each_module_and_no_other(two_modules, modules):
    with pytest.raises(WeightsError, match="Module has the modules first, second: name weights for each"):
        load_into(two_modules[0], modules)


def test_the_model_of_a_bundle_holds_all_modules(two_modules, tmp_path):
    network, _ = two_modules
    save_model(tmp_path, network.state_dict())
    before = network.second.weight.clone()
    record = load_into(network, {"first": "plain", "second": "public"}, tmp_path)
    assert (record["name"], record["source"]) == ("plain + public", "models/model.pt")
    assert torch.equal(network.second.weight, before)


def test_an_exported_model_keeps_its_note_until_it_is_replaced(small, tmp_path):
    save_model(tmp_path, network().state_dict())
    model = tmp_path / "models" / "model.pt"
    origin = {"model_sha256": hashlib.sha256(model.read_bytes()).hexdigest(), "note": "n", "licence": "l"}
    (tmp_path / "models" / "weights.json").write_text(json.dumps(origin))
    assert load_into(network(), "small", tmp_path)["note"] == "n"
    torch.save({k: v + 1 for k, v in network().state_dict().items()}, model)
    assert load_into(network(), "small", tmp_path)["note"] == "the bundle's own, not from the registry"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("0.bias"), "1 missing: 0.bias"),
        (lambda s: s.update(extra=torch.ones(1)), "1 unknown: extra"),
        (
            lambda s: s.update({"0.weight": torch.ones(4, 2)}),
            r"1 of another shape: 0.weight \(4, 2\) for \(3, 2\)",
        ),
        (
            lambda s: s.update({"0.bias": torch.ones(3, dtype=torch.int64)}),
            "1 of another type: 0.bias torch.int64",
        ),
        (lambda s: s.clear(), "7 missing: 0.weight, 0.bias, 1.weight, …"),
    ],
)
def test_weights_that_do_not_fit_are_named_and_change_nothing(tmp_path, change, message):
    state = network().state_dict()
    change(state)
    save_model(tmp_path, state)
    target = network()
    before = {key: value.clone() for key, value in target.state_dict().items()}
    with pytest.raises(WeightsError, match=message):
        load_into(target, "small", tmp_path)
    assert all(torch.equal(value, before[key]) for key, value in target.state_dict().items())


class Wordy(nn.Linear):
    """A linear layer with words."""

    words = b""

    def get_extra_state(self):
        return torch.tensor(list(self.words), dtype=torch.uint8)

    def set_extra_state(self, state):
        self.words = bytes(state.tolist())


def test_extra_state_of_any_length_comes_with_the_weights():
    source, target = Wordy(2, 1), Wordy(2, 1)
    source.words = b"liver"
    copy_into(target, source.state_dict(), "these")
    assert target.words == b"liver"
    assert torch.equal(target.weight, source.weight)


def test_code_in_a_model_is_refused_and_not_run(tmp_path):
    save_model(tmp_path, {"0.weight": Bomb(tmp_path / "exploded")})
    with pytest.raises(WeightsError, match="model.pt: damaged, or it holds code, which is not run"):
        load_into(network(), "small", tmp_path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 cut short", b"\x80\x02}q\x00."], ids=["empty", "cut", "dict"]
)
def test_a_damaged_model_is_one_line(tmp_path, content):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "model.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.pt: damaged") as caught:
        load_into(network(), "small", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_model_that_is_no_state_dict_is_refused(tmp_path):
    save_model(tmp_path, {"epoch": 3, "model": network().state_dict()})
    with pytest.raises(WeightsError, match="model.pt: no state dict"):
        load_into(network(), "small", tmp_path)


def test_a_bundle_of_its_own_weights_is_refused_without_them_and_changes_nothing(small, tmp_path):
    (tmp_path / "mine" / "models").mkdir(parents=True)
    changed = network()
    before = changed[0].weight.clone()
    with pytest.raises(WeightsError, match="bundle 'mine': its own weights"):
        load_into(changed, "small", tmp_path / "mine")
    with pytest.raises(WeightsError, match="bundle 'mine': its own weights"):
        check_own_model(tmp_path / "mine")
    assert torch.equal(changed[0].weight, before)


def test_a_bundle_that_states_weights_of_its_own_is_refused_even_without_the_folder(small, tmp_path):
    assert load_into(network(), "small", tmp_path)["source"] != "models/model.pt"
    with pytest.raises(WeightsError, match="its own weights, models/model.pt, are not there"):
        load_into(network(), "small", tmp_path, own=True)
    with pytest.raises(WeightsError, match="its own weights, models/model.pt, are not there"):
        check_own_model(tmp_path)
    assert load_into(network(), "small", None, own=True)["name"] == "small"  # asked for by name


def test_a_model_that_holds_nan_is_refused_and_changes_nothing(small, tmp_path):
    broken = {key: value.clone() for key, value in network().state_dict().items()}
    broken["0.weight"][0, 1] = float("nan")
    save_model(tmp_path, broken)
    changed = network()
    before = changed[0].weight.clone()
    with pytest.raises(WeightsError, match=r"\(models/model.pt\): 1 tensor holds NaN or infinity: 0.weight;"):
        load_into(changed, "small", tmp_path)
    with pytest.raises(WeightsError, match="models/model.pt: 1 tensor holds NaN or infinity: 0.weight;"):
        check_own_model(tmp_path)
    assert torch.equal(changed[0].weight, before)
