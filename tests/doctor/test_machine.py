"""Device, memory and disk."""

from __future__ import annotations

import sys
from collections import namedtuple

import pytest
import torch

from monai_ext.doctor import machine
from monai_ext.resources import HOME

Usage = namedtuple("Usage", ["total", "used", "free"])


def test_the_processor_computes_what_it_should():
    found = next(machine.device_findings())
    assert (found.name, found.status) == ("cpu", "ok")
    assert found.values["deviation"] < 1e-6
    assert "bfloat16 instructions: " in found.text
    assert found.text.endswith("from the exact one")
    assert set(found.values) == {"cores", "bfloat16", "deviation"}


def test_a_torch_that_cannot_be_imported_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (found,) = machine.device_findings()
    assert (found.name, found.status, found.advice) == ("torch", "mend", "pip install torch again")


def test_a_card_is_told_with_its_memory(monkeypatch):
    monkeypatch.setattr(machine, "device_deviation", lambda device: 0.0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: (60_000_000_000, 80_000_000_000))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "Card")
    _, found = machine.device_findings()
    assert (found.name, found.status) == ("cuda:0", "ok")
    assert found.text.startswith("Card, 60.0 GB of 80.0 GB free; a convolution on it deviates by 0e+00")
    assert found.values == {
        "model": "Card",
        "free": 60_000_000_000,
        "total": 80_000_000_000,
        "deviation": 0.0,
    }


@pytest.mark.parametrize(
    ("deviation", "status"), [(1e-3, "ok"), (1e-2, "ok"), (0.02, "mend"), (float("nan"), "mend")]
)
def test_a_device_that_computes_something_else_is_told(monkeypatch, deviation, status):
    monkeypatch.setattr(machine, "device_deviation", lambda device: deviation)
    assert next(machine.device_findings()).status == status


def test_a_device_that_cannot_compute_is_told(monkeypatch):
    def fails(device: str) -> float:
        raise RuntimeError("no kernel image")

    monkeypatch.setattr(machine, "device_deviation", fails)
    found = next(machine.device_findings())
    assert found.status == "mend"
    assert found.text.endswith("it cannot compute: no kernel image")


def test_a_card_that_does_not_answer_is_told(monkeypatch):
    def fails(number: int) -> tuple[int, int]:
        raise RuntimeError("driver too old")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", fails)
    _, found = machine.device_findings()
    assert (found.name, found.status, found.text) == ("cuda:0", "mend", "does not answer: driver too old")


@pytest.mark.parametrize(
    ("available", "limit", "free"),
    [
        (4_000_000, "max", 4_096_000_000),
        (4_000_000, "2000000000", 2_000_000_000),
        (4_000_000, None, 4_096_000_000),
    ],
)
def test_free_memory_is_that_of_the_machine_or_of_the_container(
    tmp_path, monkeypatch, available, limit, free
):
    memory, cgroup = tmp_path / "meminfo", tmp_path / "memory.max"
    memory.write_text(f"MemTotal:  9999 kB\nMemAvailable:   {available} kB\n")
    if limit is not None:
        cgroup.write_text(f"{limit}\n")
    monkeypatch.setattr(machine, "MEMORY", memory)
    monkeypatch.setattr(machine, "CGROUP", cgroup)
    assert machine.free_memory() == free
    found = machine.memory_finding()
    assert (found.status, found.values) == ("ok", {"free": free})
    assert found.text == f"{free / 1e9:.1f} GB free"


def test_little_memory_is_to_be_mended_and_unknown_memory_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: 999_999_999)
    found = machine.memory_finding()
    assert (found.status, found.values) == ("mend", {"free": 999_999_999})
    monkeypatch.setattr(machine, "free_memory", lambda: 10**9)
    assert machine.memory_finding().status == "ok"
    monkeypatch.setattr(machine, "free_memory", lambda: None)
    assert machine.memory_finding().status == "note"


def test_a_full_disk_is_to_be_mended_and_a_folder_that_is_not_there_is_looked_at_above(tmp_path, monkeypatch):
    missing = tmp_path / "not" / "yet"
    asked = []
    monkeypatch.setattr(
        machine.shutil, "disk_usage", lambda path: asked.append(path) or Usage(9, 9, 999_999_999)
    )
    found = machine.disk_finding("results", missing, "free some")
    assert (found.status, found.advice, asked) == ("mend", "free some", [tmp_path])
    assert found.values == {"folder": str(missing), "free": 999_999_999}
    assert not missing.exists()


def test_a_home_that_cannot_be_written_is_to_be_mended(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(HOME, str(tmp_path / "file"))
    *_, last = machine.disk_findings()
    assert (last.name, last.status) == ("MONAI_EXT_HOME, writing", "mend")
