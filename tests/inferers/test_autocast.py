"""Autocast reaches the network on the device of its inputs, where that device is faster in bfloat16."""

import logging

import pytest
import torch
from torch import nn

from monai_ext.inferers import AutocastInferer, autocast


@pytest.fixture
def logged():
    lines = []

    class Lines(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    handler = Lines()
    autocast.logger.addHandler(handler)
    yield lines
    autocast.logger.removeHandler(handler)


@pytest.mark.parametrize(
    ("enabled", "has", "dtype", "line"),
    [
        (True, True, torch.bfloat16, "precision: bfloat16"),
        (True, False, torch.float32, "precision: float32 (no bfloat16 instructions on cpu)"),
        (False, True, torch.float32, "precision: float32"),
        (False, False, torch.float32, "precision: float32"),
    ],
)
def test_products_are_of_bfloat16_only_where_wanted_and_native_and_the_log_says_so_once(
    monkeypatch, logged, enabled, has, dtype, line
):
    monkeypatch.setattr(autocast, "has_bfloat16", lambda device: has)
    network, inputs, inferer = nn.Linear(4, 2), torch.rand(3, 4), AutocastInferer(enabled)
    assert [inferer(inputs, network).dtype for _ in range(3)] == [dtype] * 3
    assert logged == [line]


def test_the_device_is_that_of_the_tensors_in_a_prepared_batch(monkeypatch):
    asked = []
    monkeypatch.setattr(autocast, "has_bfloat16", lambda device: bool(asked.append(device)))
    AutocastInferer()({"prompt": ["lungs"], "image": torch.ones(2)}, lambda batch: batch["image"])
    assert asked == [torch.device("cpu")]


def test_further_arguments_reach_the_network():
    class Scale(nn.Module):
        def forward(self, x, factor, offset):
            return x * factor + offset

    assert AutocastInferer()(torch.ones(2), Scale(), 3, offset=1).tolist() == [4, 4]
