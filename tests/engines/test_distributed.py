"""A training on several processes: each draws its own items, one writes, all end with the same weights."""

import csv
import json
import os
import subprocess
import sys

import pytest
import torch

from monai_ext.engines.distributed import (
    check_processes,
    default_device,
    end_processes,
    processes,
    rank,
    start_processes,
)
from monai_ext.engines.trainer import distributed
from monai_ext.errors import InputError
from monai_ext.handlers.checkpoint import written_states
from monai_ext.resources import resource_path
from tests.bundles.films import write_films
from tests.bundles.small import SMALL


def test_one_process_is_the_first_and_only_one():
    assert (rank(), processes()) == (0, 1)


@pytest.mark.parametrize(
    ("cards", "number", "device"),
    [(False, "1", "cpu"), (True, None, "cuda:0"), (True, "0", "cuda:0"), (True, "1", "cuda:1")],
)
def test_each_process_has_the_card_of_its_number_or_the_cpu(monkeypatch, cards, number, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cards)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if number is not None:
        monkeypatch.setenv("LOCAL_RANK", number)
    assert default_device() == torch.device(device)


@pytest.mark.parametrize(
    ("device", "backend", "chosen"), [("cuda:1", "nccl", [torch.device("cuda", 1)]), ("cpu", "gloo", [])]
)
def test_a_group_talks_as_its_device_needs_and_cards_are_chosen_first(monkeypatch, device, backend, chosen):
    calls = []
    monkeypatch.setattr(torch.cuda, "set_device", calls.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", calls.append)
    start_processes(device)
    assert calls == [*chosen, backend]


def test_a_group_of_one_process_begins_and_ends(monkeypatch, tmp_path):
    for name, value in {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "0",
    }.items():
        monkeypatch.setenv(name, value)
    for _ in range(2):  # a second start joins the same group
        start_processes("cpu")
    assert torch.distributed.get_backend() == "gloo" and rank() == 0
    for _ in range(2):
        end_processes()
    assert not torch.distributed.is_initialized()


def test_processes_that_share_no_group_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    check_processes()  # what a shell leaves of another program starts no processes
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(InputError, match="^2 processes were started, .* lay multi_gpu_train.json over"):
        check_processes()
    task = torch.nn.Linear(1, 1)
    with pytest.raises(InputError, match="^2 processes"):
        distributed(task, torch.device("cpu"))
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert distributed(task, torch.device("cpu")) is task


def train(folder, *names):
    """A training of two epochs on two processes with these configurations, and its folder ``run``."""
    configs = resource_path("vlsm", "bundles") / "configs"
    settings = {
        "config_file": str([str(configs / name) for name in names]),
        "logging_file": "False",
        "dataset_dir": write_films(folder / "films"),
        "output_dir": folder / "run",
        "device": "cpu",
        "amp": "False",
        "photographs": "False",
        "epochs": 2,
        "draws_per_epoch": 16,
        "batch_size": 4,
        "num_workers": 0,
        "val_interval": 1,
        "size": 48,
        "image_sizes": "[[0,48]]",
        **{f"network_def#{key}": value for key, value in SMALL.items()},
    }
    words = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    return subprocess.run(
        [*torchrun, "-m", "monai.bundle", "run", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a training on two processes, as the configuration's own words start it."""
    folder = tmp_path_factory.mktemp("processes")
    done = train(folder, "train.json", "multi_gpu_train.json")
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "run"


@pytest.mark.parametrize(
    "name", ["vlsm/configs/train", "clip_sam/configs/train_encoder", "clip_sam/configs/train_decoder"]
)
def test_processes_are_checked_before_any_data_are_read(name):
    first, second, *_ = json.loads(resource_path(f"{name}.json", "bundles").read_text())["initialize"]
    assert (first, second["_target_"]) == ("@checked", "monai_ext.engines.distributed.check_processes")


def test_without_the_configuration_of_several_processes_nothing_is_trained(tmp_path):
    done = train(tmp_path, "train.json")
    assert done.returncode == 1  # torchrun's own, of whatever its processes end with
    assert "error: 2 processes were started" in done.stderr and "exitcode  : 2" in done.stderr
    assert not (tmp_path / "run").exists() or not any((tmp_path / "run").iterdir())


def test_one_process_writes_the_checkpoint_the_log_the_curves_and_the_pictures(run):
    assert sorted(path.name for path in run.iterdir()) == [
        "best.pt",
        "checkpoints",
        "model.pt",
        "pictures",
        "tensorboard",
        "training.csv",
    ]
    assert len(list((run / "tensorboard").iterdir())) == 1
    assert [path.name.split("-")[1] for path in written_states(run)] == ["00000004", "00000002"]
    with (run / "training.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]


def test_the_draws_are_shared_by_the_processes(run):
    state = torch.load(written_states(run)[0], weights_only=True)
    assert (state["iteration"], state["settings"]["processes"]) == (2 * 16 // (2 * 4), "2")
