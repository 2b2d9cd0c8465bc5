"""Autocast reaches the network on the device of its inputs."""

import torch
from torch import nn

from monai_ext.inferers import AutocastInferer


def test_matrix_products_run_in_bfloat16_only_when_enabled():
    network, inputs = nn.Linear(4, 2), torch.rand(3, 4)
    assert AutocastInferer(enabled=True)(inputs, network).dtype == torch.bfloat16
    assert AutocastInferer(enabled=False)(inputs, network).dtype == torch.float32


def test_further_arguments_reach_the_network():
    class Scale(nn.Module):
        def forward(self, x, factor, offset):
            return x * factor + offset

    assert AutocastInferer()(torch.ones(2), Scale(), 3, offset=1).tolist() == [4, 4]
