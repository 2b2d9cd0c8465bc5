"""Public files become state dicts that load strictly, once, and are compared with what was made."""

from __future__ import annotations

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save
from torch import nn

from monai_ext.errors import WeightsError
from monai_ext.files import file_sha256
from monai_ext.weights import load_into, load_weights, registry
from monai_ext.weights.fetch import fetch
from monai_ext.weights.formats import (
    as_float16,
    check_finite,
    read_state_dict,
    without_prefix,
    without_settings,
)
from tests.weights.bombs import Bomb
from tests.weights.server import FILE, Behaviour, registry_of, serving


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_EXT_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "weights" / "small"


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_the_prefix_of_a_wrapper_is_taken_off_when_all_names_have_it():
    state = nn.DataParallel(network()).state_dict()
    assert list(without_prefix(state)) == list(network().state_dict())
    mixed = {"module.a": torch.ones(1), "b": torch.ones(1)}
    assert list(without_prefix(mixed)) == ["module.a", "b"]
    assert list(without_prefix({"net.net.a": torch.ones(1)}, "net.")) == ["net.a"]


def test_numbers_among_the_weights_of_an_openai_clip_are_left_out():
    state = {"vocab_size": torch.tensor(1), "visual.proj": torch.ones(1), "context_length": torch.tensor(2)}
    assert list(without_settings(state)) == ["visual.proj"]


def test_float16_keeps_integers_sorts_names_and_shares_no_memory():
    whole = torch.arange(6.0).reshape(2, 3)
    small = as_float16({"b": whole.t(), "a": torch.tensor([7]), "c": whole}, "these")
    assert list(small) == ["a", "b", "c"]
    assert [value.dtype for value in small.values()] == [torch.int64, torch.float16, torch.float16]
    assert small["b"].is_contiguous()
    assert small["b"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert small["b"].data_ptr() != small["c"].data_ptr()


@pytest.mark.parametrize("value", [65520.0, float("inf"), float("nan")])
def test_values_that_float16_cannot_hold_are_refused(value):
    assert as_float16({"a": torch.tensor(65504.0)}, "these")["a"].item() == 65504
    with pytest.raises(WeightsError, match="these: a holds values that float16 cannot"):
        as_float16({"a": torch.tensor(value)}, "these")


def prepare(tmp_path, monkeypatch, content: object, loader: str, file: str = "model.pth") -> None:
    """Register and fetch a public file, from a folder."""
    (tmp_path / "disk").mkdir(exist_ok=True)
    origin = tmp_path / "disk" / file
    if isinstance(content, torch.jit.ScriptModule):
        torch.jit.save(content, origin)
    elif isinstance(content, bytes):
        origin.write_bytes(content)
    else:
        torch.save(content, origin)
    path = registry_of(
        tmp_path, "page:https://example.org/file", origin.read_bytes(), file=file, loader=loader
    )
    monkeypatch.setattr(registry, "REGISTRY", path)
    fetch("small", tmp_path / "disk")


def test_a_checkpoint_with_a_hostile_optimizer_is_converted_once_and_fits(tmp_path, home, monkeypatch):
    source = network()
    checkpoint = {"model": nn.DataParallel(source).state_dict(), "optimizer": Bomb(tmp_path / "ran")}
    prepare(tmp_path, monkeypatch, checkpoint, "checkpoint")
    target = network()
    record = load_into(target, "small")
    assert not (tmp_path / "ran").exists()
    assert all(torch.equal(v, target.state_dict()[k]) for k, v in source.state_dict().items())
    made = home / "small.safetensors"
    first = made.stat().st_mtime_ns
    load_weights("small")
    assert made.stat().st_mtime_ns == first
    assert sorted(load_file(made)) == sorted(source.state_dict())
    lock = json.loads((home / "lock.json").read_text())
    assert record["sha256"] == lock["sha256"]
    assert record["source"] == "page:https://example.org/file/model.pth"
    assert len(lock["converted"]) == 64
    (home / "model.pth").unlink()  # what was made is enough
    assert sorted(load_weights("small")) == sorted(source.state_dict())


def test_converted_weights_that_were_changed_are_refused_and_made_again_when_deleted(
    tmp_path, home, monkeypatch
):
    prepare(tmp_path, monkeypatch, {"model": network().state_dict()}, "checkpoint")
    load_weights("small")
    made = home / "small.safetensors"
    before = made.read_bytes()
    made.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(WeightsError, match=r"weights/small/small.safetensors in MONAI_EXT_HOME was changed"):
        load_weights("small")
    made.unlink()
    load_weights("small")
    assert made.read_bytes() == before


def test_a_damaged_public_file_is_not_converted(tmp_path, home, monkeypatch):
    prepare(tmp_path, monkeypatch, {"model": network().state_dict()}, "checkpoint")
    (home / "model.pth").write_bytes(b"x")
    with pytest.raises(WeightsError, match="model.pth is damaged or another file: it has hash 2d711642b726…"):
        load_weights("small")
    assert not (home / "small.safetensors").exists()


def test_a_torchscript_archive_is_converted(tmp_path, monkeypatch):
    source = network().eval()
    prepare(tmp_path, monkeypatch, torch.jit.script(source), "torchscript", "model.pt")
    target = network()
    load_into(target, "small")
    assert torch.equal(target[0].weight, source[0].weight)


def test_a_state_dict_of_torch_is_loaded_as_it_is(tmp_path, home, monkeypatch):
    source = network()
    prepare(tmp_path, monkeypatch, source.state_dict(), "state_dict")
    target = network()
    load_into(target, "small")
    assert torch.equal(target[0].weight, source[0].weight)
    assert not (home / "small.safetensors").exists()


def test_a_state_dict_that_holds_code_is_refused(tmp_path, monkeypatch):
    prepare(tmp_path, monkeypatch, {"a": Bomb(tmp_path / "ran", os.mkdir)}, "state_dict")
    with pytest.raises(WeightsError, match="model.pth: damaged, or it holds code, which is not run"):
        load_weights("small")
    assert not (tmp_path / "ran").exists()


def test_safetensors_are_loaded_as_they_are(tmp_path, monkeypatch):
    prepare(tmp_path, monkeypatch, save({"a": torch.tensor([0.5])}), "safetensors", FILE)
    assert load_weights("small")["a"].tolist() == [0.5]
    prepare(tmp_path, monkeypatch, b"no tensors in here", "safetensors", FILE)
    with pytest.raises(WeightsError, match=f"weights/small/{FILE} is not safetensors"):
        load_weights("small")


def test_weights_that_were_not_fetched_say_how_to_fetch_them_and_ask_no_server(tmp_path, monkeypatch):
    behaviour = Behaviour()
    with serving(behaviour) as address:
        monkeypatch.setattr(registry, "REGISTRY", registry_of(tmp_path, f"{address}/{FILE}"))
        for load in (load_weights, lambda name: load_into(network(), name)):
            with pytest.raises(
                WeightsError, match="not on this machine; run: monai-ext weights fetch small$"
            ):
                load("small")
    assert behaviour.sent == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_weights_that_are_no_numbers_are_refused_with_their_count_and_the_first(value, dtype):
    good = {
        "fine": torch.tensor([1, -2], dtype=dtype),
        "count": torch.tensor(3),
        "none": torch.zeros(0),
        "x": "y",
    }
    check_finite(good, "these")
    bad = torch.tensor([[1, value], [2, 3]], dtype=dtype)
    with pytest.raises(WeightsError, match=r"^these: 1 tensor holds NaN or infinity: a; such weights"):
        check_finite({**good, "a": bad}, "these")
    with pytest.raises(WeightsError, match=r"^these: 2 tensors hold NaN or infinity, the first is b; such"):
        check_finite({**good, "b": bad, "a": bad}, "these")


def test_converted_weights_are_not_used_when_the_registry_names_another_file(tmp_path, home, monkeypatch):
    prepare(tmp_path, monkeypatch, {"model": network().state_dict()}, "checkpoint")
    load_weights("small")
    entries = json.loads(registry.REGISTRY.read_text())
    (tmp_path / "new").mkdir()
    newer = network()
    torch.save({"model": newer.state_dict()}, tmp_path / "new" / "model.pth")
    entries["small"]["sha256"] = file_sha256(tmp_path / "new" / "model.pth")
    registry.REGISTRY.write_text(json.dumps(entries))
    with pytest.raises(
        WeightsError, match=r"model.pth is damaged or another file: .*; run: monai-ext weights fetch"
    ):
        load_weights("small")
    (home / "model.pth").unlink()
    with pytest.raises(WeightsError, match="not on this machine; run: monai-ext weights fetch small"):
        load_weights("small")
    (home / "model.pth").write_bytes((tmp_path / "new" / "model.pth").read_bytes())
    target = network()
    record = load_into(target, "small")
    assert torch.equal(target[0].weight, newer[0].weight)
    assert record["sha256"] == entries["small"]["sha256"]


def test_the_record_of_a_newer_file_put_there_by_hand_has_its_own_hash(tmp_path, home, monkeypatch):
    prepare(tmp_path, monkeypatch, network().state_dict(), "state_dict")
    newer = network()
    torch.save(newer.state_dict(), home / "model.pth")
    entries = json.loads(registry.REGISTRY.read_text())
    entries["small"]["sha256"] = file_sha256(home / "model.pth")
    registry.REGISTRY.write_text(json.dumps(entries))
    assert load_into(network(), "small")["sha256"] == entries["small"]["sha256"]


@pytest.mark.parametrize("zipped", [True, False])
def test_state_dicts_of_torch_are_read_in_both_of_its_formats(tmp_path, zipped):
    torch.save({"a": torch.ones(2)}, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    assert torch.equal(read_state_dict(tmp_path / "model.pt")["a"], torch.ones(2))


def test_a_byte_that_changed_is_found_by_the_checksum_of_the_archive(tmp_path):
    torch.save({"a": torch.full((64,), 1.5)}, tmp_path / "model.pt")
    content = (tmp_path / "model.pt").read_bytes()
    value = torch.tensor([1.5]).numpy().tobytes()
    assert content.count(value) >= 64
    (tmp_path / "model.pt").write_bytes(content.replace(value, torch.tensor([2.5]).numpy().tobytes(), 1))
    with pytest.raises(WeightsError, match="model.pt: damaged"):
        read_state_dict(tmp_path / "model.pt")


@pytest.mark.parametrize("content", [{"a": torch.ones(1), "epoch": 3}, [torch.ones(1)]])
def test_what_holds_more_than_tensors_is_no_state_dict(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match="model.pt: no state dict; save network.state_dict"):
        read_state_dict(tmp_path / "model.pt")


def test_a_conversion_that_cannot_be_written_is_one_line(tmp_path, home, monkeypatch):
    origin = tmp_path / "disk" / FILE
    origin.parent.mkdir()
    torch.save({"state_dict": network().state_dict()}, origin)
    path = registry_of(tmp_path, "https://example.org/small", origin.read_bytes(), loader="checkpoint")
    monkeypatch.setattr(registry, "REGISTRY", path)
    fetch("small", tmp_path / "disk", path)

    def full(*_words):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(WeightsError, match="small.safetensors cannot be written .No space left on device"):
        load_weights("small")
