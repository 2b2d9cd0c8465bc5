"""Tensors come out of files exactly, whatever stands beside them, and nothing in a file is run."""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import zipfile
from pathlib import Path
from random import Random

import pytest
import torch
from torch import nn

from monai_ext.errors import WeightsError
from monai_ext.weights.pickles import MAGIC, read_checkpoint, read_torchscript
from tests.weights.bombs import Bomb, Listed, Mapped, Stateful

ZIP = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


class Net(nn.Module):
    """Parameters and buffers of several types, two of them views of one storage."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
        self.scale = nn.Parameter(torch.tensor(2.5))
        self.short = nn.Parameter(torch.rand(4, 5).half())
        self.register_buffer("index", torch.arange(6).reshape(2, 3).t())
        self.register_buffer("flags", torch.tensor([True, False]))
        self.register_buffer("gone", torch.ones(1), persistent=False)
        self.register_buffer("nothing", None)
        self.plain = torch.ones(2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.block(image) * self.scale


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    """Names, types, shapes and every bit are equal."""
    assert sorted(found) == sorted(expected)
    for key, value in expected.items():
        assert found[key].dtype == value.dtype, key
        assert torch.equal(found[key], value), key


def tricks(folder: Path) -> dict[str, object]:
    """Things that leave a folder in `folder` when anything in them is run."""
    import builtins

    return {
        "reduce": Bomb(folder / "reduce"),
        "system": Bomb(Path(f"mkdir {folder}/system"), os.system),
        "popen": Bomb(Path(f"mkdir {folder}/popen"), subprocess.getoutput),
        "eval": Bomb(Path(f"__import__('os').mkdir('{folder}/eval')"), builtins.eval),
        "state": Stateful(folder / "state"),
        "list": Listed([Bomb(folder / "list"), 1]),
        "dict": Mapped({str(folder / "dict"): 1}),
        "key": {Stateful(folder / "key"): 1},
        "set": {Stateful(folder / "set")},
    }


@ZIP
def test_a_model_comes_out_beside_an_optimizer_that_would_run_code(tmp_path, zipped):
    state = Net().state_dict()
    folder = tmp_path / "ran"
    folder.mkdir()
    bombs = tricks(folder)
    checkpoint = {"before": bombs, "model": state, "optimizer": bombs, "moments": [torch.rand(1000)] * 2}
    torch.save(checkpoint, tmp_path / "model.pth", _use_new_zipfile_serialization=zipped)
    same(read_checkpoint(tmp_path / "model.pth"), state)
    assert list(folder.iterdir()) == []
    torch.load(tmp_path / "model.pth", weights_only=False)  # the bombs are live
    assert sorted(path.name for path in folder.iterdir()) == [
        *("dict", "eval", "key", "list", "popen", "reduce", "set", "state", "system")
    ]


@ZIP
def test_a_real_optimizer_and_a_whole_network_are_left(tmp_path, zipped):
    network = Net()
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.rand(2, 2, 8, 8)).sum().backward()
    optimizer.step()
    checkpoint = {"optimizer": optimizer, "network": network, "state_dict": network.state_dict(), "epoch": 3}
    torch.save(checkpoint, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    same(read_checkpoint(tmp_path / "model.pt"), network.state_dict())


@ZIP
def test_a_file_that_is_a_state_dict_is_read_as_torch_reads_it(tmp_path, zipped):
    state = Net().state_dict()
    state["view"] = torch.arange(12.0).reshape(3, 4)[1:, ::2]
    state["parameter"] = nn.Parameter(torch.rand(3, dtype=torch.float64))
    state["brain"] = torch.rand(2).bfloat16()
    state["empty"] = torch.empty(0, 3)
    torch.save(state, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    same(read_checkpoint(tmp_path / "model.pt"), torch.load(tmp_path / "model.pt", weights_only=True))


def test_legacy_views_of_storages_are_found(tmp_path):
    """As torch before 0.4 wrote them: a view of a storage, with where it begins."""
    storage = struct.pack("<6f", *range(6))

    class Storage:
        pass

    class View:
        def __reduce__(self):
            return torch._utils._rebuild_tensor, (Storage(), 1, (2,), (1,))

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            is_storage = isinstance(value, Storage)
            return ("storage", torch.FloatStorage, "7", "cpu", 6, ("8", 2, 4)) if is_storage else None

    with (tmp_path / "old.pt").open("wb") as file:
        for header in (MAGIC, 1001, {"little_endian": True}):
            pickle.dump(header, file, protocol=2)
        Pickler(file, protocol=2).dump({"a": View()})
        pickle.dump(["7"], file, protocol=2)
        file.write(struct.pack("<q", 6) + storage)
    assert read_checkpoint(tmp_path / "old.pt")["a"].tolist() == [3.0, 4.0]


def test_code_beside_the_tensors_of_the_model_itself_is_refused_and_not_run(tmp_path):
    torch.save({"model": {"a": torch.ones(1), "b": Bomb(tmp_path / "ran")}}, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match=r"model\.pt: b is no tensor; only dicts of tensors are taken"):
        read_checkpoint(tmp_path / "model.pt")
    assert not (tmp_path / "ran").exists()


def test_a_pickle_that_writes_to_what_it_looked_up_leaves_no_trace(tmp_path):
    function = torch._utils._rebuild_tensor_v2
    before = dict(vars(function)), function.__defaults__
    # BUILD on the function itself: GLOBAL, a state, BUILD
    evil = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x08\x00\x00\x00__init__K\x01s\x86b."
    with zipfile.ZipFile(tmp_path / "evil.pt", "w") as archive:
        archive.writestr("archive/data.pkl", evil)
    with pytest.raises(WeightsError, match=r"evil\.pt: no state dict in it"):
        read_checkpoint(tmp_path / "evil.pt")
    assert (dict(vars(function)), function.__defaults__) == before
    torch.save({"a": torch.arange(3)}, tmp_path / "good.pt")
    assert read_checkpoint(tmp_path / "good.pt")["a"].tolist() == [0, 1, 2]


def test_a_pickle_that_counts_to_four_thousand_million_asks_for_no_memory(tmp_path):
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with zipfile.ZipFile(tmp_path / "evil.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}r\xf0\xff\xff\xff.")  # LONG_BINPUT
    with pytest.raises(WeightsError, match=r"evil\.pt: no state dict in it"):
        read_checkpoint(tmp_path / "evil.pt")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@ZIP
@pytest.mark.parametrize("seed", range(3))
def test_a_file_with_any_byte_changed_is_read_or_refused_in_one_line(tmp_path, zipped, seed):
    folder = tmp_path / "ran"
    folder.mkdir()
    checkpoint = {"model": {"a": torch.arange(5.0)}, "optimizer": tricks(folder)}
    torch.save(checkpoint, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / "model.pt").read_bytes()
    random = Random(seed)
    refused = 0
    for _ in range(100):
        content = bytearray(whole)
        place = random.randrange(len(content))
        content[place] = random.randrange(256)
        (tmp_path / "changed.pt").write_bytes(content)
        try:
            read_checkpoint(tmp_path / "changed.pt")
        except WeightsError as error:
            assert str(error).startswith("changed.pt: "), (seed, place)
            refused += 1
    assert refused > 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("content", [None, [1], {}, {"model": 3}, 7], ids=str)
def test_a_file_without_a_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match=r"model\.pt: no state dict in it"):
        read_checkpoint(tmp_path / "model.pt")


@ZIP
def test_a_file_cut_short_anywhere_is_one_line(tmp_path, zipped):
    torch.save({"model": Net().state_dict()}, tmp_path / "whole.pt", _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / "whole.pt").read_bytes()
    for length in (0, 1, 10, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.pt").write_bytes(whole[:length])
        with pytest.raises(WeightsError, match=r"cut\.pt: damaged, or not written by torch") as caught:
            read_checkpoint(tmp_path / "cut.pt")
        assert "\n" not in str(caught.value)


def test_a_flipped_bit_in_a_zip_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1000)}, tmp_path / "model.pt")
    content = bytearray((tmp_path / "model.pt").read_bytes())
    place = content.index(bytes(2000)) + 1000
    content[place] ^= 1
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.pt: damaged, or not written by torch \(BadZipFile\)"):
        read_checkpoint(tmp_path / "model.pt")


def test_a_view_beyond_its_storage_is_refused(tmp_path):
    torch.save({"a": torch.zeros(4)}, tmp_path / "model.pt")
    with zipfile.ZipFile(tmp_path / "model.pt") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "cut.pt", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content[:8] if name.endswith("data/0") else content)
    with pytest.raises(WeightsError, match=r"cut\.pt: damaged"):
        read_checkpoint(tmp_path / "cut.pt")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.pt: no such file"):
        read_checkpoint(tmp_path / "none.pt")
    with pytest.raises(WeightsError, match=r"none\.pt: no such file"):
        read_torchscript(tmp_path / "none.pt")


@pytest.mark.parametrize("how", ["script", "trace"])
def test_torchscript_gives_the_state_dict_that_torch_gives(tmp_path, how):
    network = Net().eval()
    scripted = (
        torch.jit.script(network) if how == "script" else torch.jit.trace(network, torch.rand(1, 2, 8, 8))
    )
    torch.jit.save(scripted, tmp_path / "model.pt")
    expected = torch.jit.load(tmp_path / "model.pt").state_dict()
    assert "short" in expected
    assert "plain" not in expected
    same(read_torchscript(tmp_path / "model.pt"), expected)


def test_a_file_that_is_no_torchscript_is_refused(tmp_path):
    torch.save({"a": torch.ones(1)}, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match=r"model\.pt: no TorchScript archive"):
        read_torchscript(tmp_path / "model.pt")
    (tmp_path / "text.pt").write_text("text")
    with pytest.raises(WeightsError, match=r"text\.pt: damaged, or not written by torch \(BadZipFile\)"):
        read_torchscript(tmp_path / "text.pt")


def test_an_openai_clip_is_read_as_open_clip_names_it(tmp_path):
    """A CLIP of open_clip at small dimensions through TorchScript: the same keys, strictly loaded."""
    model = pytest.importorskip("open_clip.model")
    network = model.CLIP(
        embed_dim=8,
        vision_cfg={"image_size": 16, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8},
        text_cfg={"context_length": 5, "vocab_size": 11, "width": 16, "heads": 2, "layers": 1},
        quick_gelu=True,
    ).eval()
    texts = torch.ones(1, 5, dtype=torch.long)
    torch.jit.save(
        torch.jit.trace(network, (torch.rand(1, 3, 16, 16), texts), check_trace=False), tmp_path / "clip.pt"
    )
    state = read_torchscript(tmp_path / "clip.pt")
    del state["attn_mask"]  # open_clip makes it anew; TorchScript keeps every buffer
    same(state, network.state_dict())
