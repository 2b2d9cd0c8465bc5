"""Weights, logging.conf and large_files.yml of a bundle from elsewhere: what is data passes, what is more is named."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import torch

from monai_ext.bundle import check_files
from monai_ext.bundle.check_files import bundle_files, file_findings, weights_faults
from monai_ext.errors import InputError
from tests.bundle.test_hostile_is_real import Bomb


def saved(path: Path, content: object, **options: bool) -> Path:
    torch.save(content, path, **options)
    return path


def test_tensors_and_the_state_of_a_training_pass(tmp_path):
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)).bfloat16()
    network.tied = torch.nn.Parameter(torch.zeros(1, dtype=torch.float16))
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.zeros(2, 2, dtype=torch.bfloat16)).sum().backward()
    optimizer.step()
    state = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rng": torch.get_rng_state(),
        "numbers": {1: 2.5, "a": [True, None, (1, "b")]},
        "sizes": torch.Size([1, 2]),
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "integers": [torch.zeros(1, dtype=kind) for kind in (torch.uint8, torch.int64, torch.bool)],
    }
    file = saved(tmp_path / "checkpoint.pt", state)
    torch.load(file, weights_only=True)  # the same by torch's own judgement
    assert weights_faults(file) == []


def archive(path: Path, names: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in names.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("make", "faults"),
    [
        (lambda p: saved(p, {"x": Bomb(p)}), ["names posix.system in its pickle"]),
        (
            lambda p: saved(p, torch.nn.Linear(1, 1)),
            ["names torch.nn.modules.linear.Linear in its pickle"],
        ),
        (
            lambda p: saved(p, {}, _use_new_zipfile_serialization=False),
            ["is a pickle of the format before torch 1.6"],
        ),
        (
            lambda p: archive(p, {"m/data.pkl": b"\x80\x04\x8c\x05posix\x8c\x06system\x93."}),
            ["names something by STACK_GLOBAL in its pickle"],
        ),
        (
            lambda p: archive(p, {"m/data.pkl": b"(S'true'\nios\nsystem\n."}),
            ["names os.system in its pickle"],
        ),
        (
            lambda p: archive(p, {"m/data.pkl": b"\x80\x02.", "m/more.pkl": b"cos\nsystem\n."}),
            ["names os.system"],
        ),
        (
            lambda p: archive(p, {"m/data.pkl": b"\x80\x02.", "m/code/x.py": b""}),
            ["is TorchScript, a program"],
        ),
        (lambda p: archive(p, {"m/constants.pkl": b""}), ["is TorchScript, a program"]),
        (lambda p: archive(p, {"m/data.pkl": b"\xff"}), ["cannot be read"]),
    ],
)
def test_weights_that_are_more_than_tensors_are_named_without_being_loaded(tmp_path, make, faults):
    file = make(tmp_path / "model.pt")
    content = file.read_bytes()
    found = weights_faults(file)
    assert len(found) == len(faults) and all(one.startswith(fault) for one, fault in zip(found, faults))
    assert [one.fault for one in file_findings(file, tmp_path)] == found
    assert file.read_bytes() == content


def test_damaged_weights_are_left_to_the_loader(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"damaged")
    whole = saved(tmp_path / "model.pt", {"a": torch.zeros(100)})
    whole.write_bytes(whole.read_bytes()[:300])
    assert weights_faults(tmp_path / "a.pt") == weights_faults(whole) == []


def test_a_large_pickle_is_not_read(tmp_path, monkeypatch):
    file = saved(tmp_path / "model.pt", {"a": torch.zeros(1)})
    monkeypatch.setattr(check_files, "LARGEST_PICKLE", 1 << 4)
    assert weights_faults(file) == ["holds a pickle larger than 0 MiB"]


GOOD_LOGGING = """[loggers]
keys=root
[handlers]
keys=console,file
[formatters]
keys=full
[logger_root]
level=INFO
handlers=console,file
[handler_console]
class=StreamHandler
formatter=full
args=(sys.stdout,)
[handler_file]
class=logging.FileHandler
args=('training.log', 'w')
kwargs={'delay': True}
[formatter_full]
format=%(asctime)s - %(message)s
"""


def test_a_usual_logging_conf_passes(tmp_path):
    (tmp_path / "logging.conf").write_text(GOOD_LOGGING)
    assert file_findings(tmp_path / "logging.conf", tmp_path) == []
    (tmp_path / "logging.conf").write_text(GOOD_LOGGING.replace("training.log", "/tmp/x"))
    assert [str(one) for one in file_findings(tmp_path / "logging.conf", tmp_path)] == [
        "logging.conf, [handler_file] args: \"('/tmp/x', 'w')\" leads outside the bundle; name a file of its own."
    ]


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({}, []),
        ({"fuzzy": True}, []),
        ({"hash_type": "sha256", "hash_val": "0F" * 32}, []),
        ({"hash_val": ""}, ["its hash is missing or no hash"]),
        ({"hash_type": None}, ["its hash is missing or no hash"]),
        ({"hash_type": "crc"}, ["its hash is missing or no hash"]),
        ({"hash_type": "sha256"}, ["its hash is missing or no hash"]),
        ({"url": "http://example.org/x"}, ["the url is 'http://example.org/x'"]),
        ({"url": "file:///etc/passwd"}, ["the url is 'file:///etc/passwd'"]),
        ({"url": None}, ["the url is None"]),
        ({"path": "/etc/x.pt"}, ["the path is '/etc/x.pt'"]),
        ({"path": "a\\..\\..\\x.pt"}, ["the path is 'a\\\\..\\\\..\\\\x.pt'"]),
        ({"path": "c:x.pt"}, ["the path is 'c:x.pt'"]),
        ({"path": ""}, ["the path is ''"]),
        ({"path": "models/model.TS"}, ["'models/model.TS' is code, or runs code when loaded"]),
    ],
)
def test_entries_of_large_files(tmp_path, change, faults):
    entry = {
        "path": "models/m.pt",
        "url": "https://e.org/m",
        "hash_type": "md5",
        "hash_val": "0a" * 16,
        **change,
    }
    (tmp_path / "large_files.json").write_text(json.dumps({"large_files": [entry, "x"]}))
    found = file_findings(tmp_path / "large_files.json", tmp_path)
    assert [one.fault for one in found] == [*faults, "is no entry"]
    (tmp_path / "large_files.json").write_text(json.dumps({"large_files": [entry]}))
    strict = file_findings(tmp_path / "large_files.json", tmp_path, strict=True)
    weak = entry["hash_type"] != "sha256" or "its hash is missing or no hash" in faults
    assert ("its hash is missing or no hash" in [one.fault for one in strict]) == weak


def test_a_folder_of_very_many_files_is_no_bundle(tmp_path, monkeypatch):
    for number in range(4):
        (tmp_path / f"{number}.txt").touch()
    monkeypatch.setattr(check_files, "MOST_FILES", 4)
    assert len(bundle_files(tmp_path)[0]) == 4
    monkeypatch.setattr(check_files, "MOST_FILES", 3)
    with pytest.raises(InputError, match="more than 3 files, no bundle"):
        bundle_files(tmp_path)
