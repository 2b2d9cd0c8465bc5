"""Convolution blocks of the compact networks, and the modulation of feature maps by a vector (FiLM)."""

from __future__ import annotations

from torch import Tensor, nn


def conv(in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, batch norm and SiLU; `kernel` is odd, and the size is kept but for `stride`."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.SiLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a skip; input and output are (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x + self.body(x))


class ContextBlock(nn.Module):
    """A wide depthwise convolution and a pointwise MLP (ConvNeXt, Liu et al. 2022), optionally under FiLM.

    Args:
        channels: of input and output.
        condition: length of the vector that scales and shifts the convolved features; 0 for none.
        kernel: side of the depthwise convolution.
        expansion: width of the hidden layer of the MLP, as a multiple of `channels`.
    """

    def __init__(self, channels: int, condition: int = 0, kernel: int = 7, expansion: int = 2) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.film = nn.Linear(condition, 2 * channels) if condition else None
        hidden = expansion * channels
        self.mlp = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.GELU(), nn.Conv2d(hidden, channels, 1))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        y = self.mix(x)
        if self.film is not None and condition is not None:
            y = modulate(y, self.film(condition))
        return x + self.mlp(y)


def modulate(x: Tensor, scale_and_shift: Tensor) -> Tensor:
    """FiLM (Perez et al. 2018): (B, C, H, W) times one plus scale, plus shift, both from (B, 2C)."""
    scale, shift = scale_and_shift[..., None, None].chunk(2, dim=1)
    return x * (1 + scale) + shift
