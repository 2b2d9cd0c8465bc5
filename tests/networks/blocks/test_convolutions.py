"""Convolution blocks of the compact networks."""

import torch

from monai_ext.networks.blocks.convolutions import ContextBlock, ResidualBlock, conv, modulate


def test_modulation_scales_by_one_plus_and_shifts():
    x = torch.tensor([[[[2.0]], [[3.0]]]])
    result = modulate(x, torch.tensor([[0.5, -1.0, 10.0, 20.0]]))
    assert result.flatten().tolist() == [13.0, 20.0]


def test_a_convolution_of_stride_two_halves_even_sides():
    assert conv(3, 4, stride=2)(torch.rand(2, 3, 8, 6)).shape == (2, 4, 4, 3)


def test_a_residual_block_whose_body_is_silent_is_its_activation():
    block = ResidualBlock(4).eval()
    torch.nn.init.zeros_(block.body[1].weight)
    x = torch.randn(1, 4, 5, 5)
    assert torch.equal(block(x), torch.nn.functional.silu(x))


def test_a_context_block_depends_on_its_condition_only_where_it_has_one():
    torch.manual_seed(0)
    x, text = torch.rand(1, 4, 9, 9), torch.rand(1, 6)
    conditioned, plain = ContextBlock(4, condition=6).eval(), ContextBlock(4).eval()
    assert not torch.allclose(conditioned(x, text), conditioned(x, 2 * text))
    assert torch.equal(plain(x, text), plain(x))
    assert plain(x).shape == x.shape
