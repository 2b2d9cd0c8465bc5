"""Image pyramids: the encoders of the compact networks, which see no prompt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from monai_ext.networks.blocks.convolutions import ContextBlock, ResidualBlock, conv


def pool(x: Tensor, normalised: bool = False) -> Tensor:
    """Mean and maximum of (B, C, H, W) over all positions, as (B, 2C).

    Args:
        normalised: to a mean of 0 and a variance of 1. Sums over a residual stream differ by orders of magnitude between
            images, and without it most units that judge them soon answer nothing.
    """
    pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1)
    return F.layer_norm(pooled, pooled.shape[1:]) if normalised else pooled


def judge(channels: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    """A small network that judges pooled features (B, C)."""
    return nn.Sequential(
        nn.Linear(channels, hidden), nn.SiLU(), nn.Dropout(dropout), nn.Linear(hidden, outputs)
    )


def pixel_blocks(guide: Tensor) -> Tensor:
    """(B, C, 2H, 2W) as (B, C, 4, H, W): the four pixels of each 2 x 2 block along one axis."""
    return F.pixel_unshuffle(guide, 2).unflatten(1, (-1, 4)).contiguous()


class TopDown(nn.Module, ABC):
    """An image pyramid, fused top-down: (B, 3, S, S) to maps at strides 8 and 16, and the guide at stride 2 in blocks.

    It also returns what the whole picture says, so that the network learns it once, and not for every prompt: `medical`
    (B,), the logit that the picture is a medical one, since a photograph shows no target; and `kind` (B, K), which kind of
    image it is, to be compared with the kind that the words state or imply (:class:`monai_ext.networks.vlsm.KindMatch`).

    Args:
        channels: at strides 2, 4, 8 and 16.
        guide: channels of the guide, the fine image features that the masks of all prompts are combined from.
        dropout: probability for features from which the whole picture is judged.
        kind: K, length of the vector of the kind of image, 0 for none.
    """

    def __init__(self, channels: Sequence[int], guide: int, dropout: float, kind: int) -> None:
        super().__init__()
        c2, c4, c8, c16 = channels
        self.lateral8, self.lateral4 = nn.Conv2d(c16, c8, 1), nn.Conv2d(c8, c4, 1)
        self.lateral2 = nn.Conv2d(c4, c2, 1)
        self.fuse8, self.fuse4 = conv(c8, c8), conv(c4, c4)
        self.fuse2 = nn.Sequential(conv(c2, c2), nn.Conv2d(c2, guide, 1))
        self.medical = judge(2 * c16, 32, 1, dropout)
        self.kind = judge(2 * c16, 2 * kind, kind, dropout) if kind else None
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")

    @abstractmethod
    def stages(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps (B, C, S / n, S / n) of (B, 3, S, S) images at strides n of 2, 4, 8 and 16."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x2, x4, x8, x16 = self.stages(x)
        whole = pool(x16, normalised=self.kind is not None)
        medical = self.medical(whole)[:, 0]
        x8 = self.fuse8(x8 + self.up(self.lateral8(x16)))
        x4 = self.fuse4(x4 + self.up(self.lateral4(x8)))
        guide = pixel_blocks(self.fuse2(x2 + self.up(self.lateral2(x4))))
        maps = {"guide": guide, "8": x8, "16": x16, "medical": medical}
        return maps if self.kind is None else {**maps, "kind": self.kind(whole)}


class Pyramid(TopDown):
    """Convolutions of our own, which learn from few images.

    Args:
        context: number of context blocks at stride 16.
        channels, guide, dropout, kind: see :class:`TopDown`; dropout is of whole channels at stride 16, too.
    """

    def __init__(
        self, channels: Sequence[int], guide: int, context: int, dropout: float, kind: int = 0
    ) -> None:
        super().__init__(channels, guide, dropout, kind)
        c2, c4, c8, c16 = channels
        self.down2 = nn.Sequential(conv(3, c2, stride=2), conv(c2, c2))
        self.down4 = nn.Sequential(conv(c2, c4, stride=2), ResidualBlock(c4), ResidualBlock(c4))
        self.down8 = nn.Sequential(conv(c4, c8, stride=2), ResidualBlock(c8))
        self.down16 = nn.Sequential(
            conv(c8, c16, stride=2), *(ContextBlock(c16) for _ in range(context)), nn.Dropout2d(dropout)
        )

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x2 = self.down2(x)
        x4 = self.down4(x2)
        x8 = self.down8(x4)
        return x2, x4, x8, self.down16(x8)


class BackbonePyramid(TopDown):
    """Features of a network of timm at strides 2 to 32, that of 32 merged into that of 16.

    Its weights are random until some are loaded: nothing is downloaded.

    Args:
        backbone: name in timm of a network that returns features at strides 2, 4, 8, 16 and 32.
        context: number of context blocks at stride 16.
        channels, guide, dropout, kind: see :class:`TopDown`; dropout is of whole channels at stride 16, too.
    """

    def __init__(
        self,
        backbone: str,
        channels: Sequence[int],
        guide: int,
        context: int,
        dropout: float,
        kind: int = 0,
    ) -> None:
        super().__init__(channels, guide, dropout, kind)
        trunk: Any = timm.create_model(backbone, pretrained=False, features_only=True)
        self.trunk, own = trunk, trunk.feature_info.channels()
        self.skips = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(own[:4], channels, strict=True))
        self.lateral16 = nn.Conv2d(own[4], channels[3], 1)
        self.context = nn.Sequential(
            *(ContextBlock(channels[3]) for _ in range(context)), nn.Dropout2d(dropout)
        )

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        *features, x32 = self.trunk(x)
        x2, x4, x8, x16 = (skip(one) for skip, one in zip(self.skips, features, strict=True))
        coarse = F.interpolate(self.lateral16(x32), x16.shape[-2:], mode="bilinear")
        return x2, x4, x8, self.context(x16 + coarse)


class MergedFeatures(nn.Module):
    """(B, 3, S, S) images to (B, width, S / 8, S / 8): features of an EfficientNet of timm at strides 8 to 32, merged.

    Its weights are random until some are loaded: nothing is downloaded.

    Args:
        backbone: name in timm.
        width: channels of the result.
        stages: how many of its stages are used, the first ones; the last of them has stride 32.
    """

    def __init__(self, backbone: str, width: int, stages: int) -> None:
        super().__init__()
        network: Any = timm.create_model(backbone, pretrained=False)
        ends = {info["reduction"]: int(info["module"].split(".")[1]) for info in network.feature_info}
        self.ends = ends[8], ends[16], stages - 1
        parts = {"conv_stem": network.conv_stem, "bn1": network.bn1, "blocks": network.blocks[:stages]}
        self.trunk = nn.ModuleDict(parts)
        channels = [_convolutions(network.blocks[end])[-1].out_channels for end in self.ends]
        self.laterals = nn.ModuleList(nn.Conv2d(one, width, 1) for one in channels)

    def forward(self, x: Tensor) -> Tensor:
        conv_stem, bn1, blocks = self.trunk.values()
        x = bn1(conv_stem(x))
        features = [x := stage(x) for stage in blocks.children()]
        *finer, merged = (
            lateral(features[end]) for lateral, end in zip(self.laterals, self.ends, strict=True)
        )
        for one in reversed(finer):
            merged = one + F.interpolate(merged, one.shape[-2:], mode="bilinear")
        return merged


def _convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [one for one in module.modules() if isinstance(one, nn.Conv2d)]
