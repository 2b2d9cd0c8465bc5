"""The image tower of the embedded vision-language encoder: convolutions, then attention; registered in timm.

open_clip builds what timm knows by name, so a config file describes the whole model. A plain vision transformer of this
size needs more training images than there are: see the model card of the bundle clip_sam.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from timm.layers import LayerNorm2d
from timm.models import register_model
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from monai_ext.networks.blocks.convolutions import ContextBlock, ResidualBlock, conv
from monai_ext.networks.blocks.pyramid import MergedFeatures

STRIDE = 8


class AttentionBlock(nn.Module):
    """A block of timm's vision transformer on a feature map; input and output are (B, C, h, w).

    Its layer scale begins at 0.1, so that an untrained block changes its input little.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.block = Block(channels, heads, mlp_ratio=2.0, qkv_bias=True, init_values=0.1)

    @property
    def attn(self) -> nn.Module:
        return self.block.attn

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.block(x.flatten(2).transpose(1, 2))
        return tokens.transpose(1, 2).unflatten(2, x.shape[2:])


class CompactTrunk(nn.Module):
    """(B, 3, S, S) to (B, C, S / 8, S / 8): a stem, then context and attention blocks at one resolution.

    Args:
        stem: (B, 3, S, S) to (B, C, S / 8, S / 8).
        width: C.
        blocks: number of context blocks.
        attention: number of attention blocks after them.
        heads: number of attention heads.
    """

    def __init__(self, stem: nn.Module, width: int, blocks: int, attention: int, heads: int = 4) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = nn.ModuleList(
            [ContextBlock(width) for _ in range(blocks)]
            + [AttentionBlock(width, heads) for _ in range(attention)]
        )
        self.norm = LayerNorm2d(width)
        self.num_features = width
        self.default_cfg: dict[str, Any] = {
            "pool_size": (16, 16)
        }  # from this open_clip knows that features are maps
        self.to(memory_format=torch.channels_last)

    def reset_classifier(self, num_classes: int, global_pool: str = "avg") -> None:
        """open_clip calls this; the trunk has no classifier and pools by averaging.

        Raises:
            ValueError: when a classifier or another pooling is asked for.
        """
        if num_classes or global_pool != "avg":
            raise ValueError(f"{num_classes} classes, pooling {global_pool!r}: this trunk averages features.")

    def forward_features(self, x: Tensor) -> Tensor:
        """Normalised features (B, C, h, w) of (B, 3, S, S) images."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def forward_head(self, x: Tensor) -> Tensor:
        """The mean of the features over all positions, (B, C)."""
        return x.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


def convolutional_stem(channels: Sequence[int]) -> nn.Sequential:
    """Convolutions of our own at strides 2, 4 and 8, with these channels; the last number is that of the result."""
    c2, c4, c8, width = channels
    return nn.Sequential(
        nn.Sequential(conv(3, c2, stride=2), conv(c2, c2)),
        nn.Sequential(conv(c2, c4, stride=2), ResidualBlock(c4), ResidualBlock(c4)),
        nn.Sequential(conv(c4, c8, stride=2), ResidualBlock(c8)),
        conv(c8, width),
    )


@register_model
def monai_ext_compact(pretrained: bool = False, **settings: Any) -> CompactTrunk:
    """The trunk of convolutions of our own by its name in timm, of bundles made before there was :func:`monai_ext_lite`.

    Its weights come with those of the whole encoder. timm's settings all concern pretrained weights and are ignored.

    Raises:
        ValueError: when pretrained weights are asked for.
    """
    _refuse(pretrained)
    return CompactTrunk(convolutional_stem((24, 48, 80, 120)), width=120, blocks=5, attention=2)


@register_model
def monai_ext_lite(pretrained: bool = False, **settings: Any) -> CompactTrunk:
    """The trunk on six stages of EfficientNet-Lite0, which can begin with those of vlsm; else likewise."""
    _refuse(pretrained)
    return CompactTrunk(
        MergedFeatures("tf_efficientnet_lite0", 96, stages=6), width=96, blocks=1, attention=1
    )


def _refuse(pretrained: bool) -> None:
    if pretrained:
        raise ValueError("this trunk has no weights of its own in timm.")
