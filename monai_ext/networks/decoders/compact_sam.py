"""A visual-prompt decoder small enough to be embedded: a convolutional encoder before segment_anything's decoder."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from segment_anything.modeling.common import LayerNorm2d
from torch import Tensor, nn

from monai_ext.networks.blocks.convolutions import ContextBlock, ResidualBlock, conv
from monai_ext.networks.blocks.pyramid import MergedFeatures
from monai_ext.networks.decoders.base import FlatPrompts
from monai_ext.networks.decoders.letterbox import Letterbox
from monai_ext.networks.decoders.sam import SegmentAnything

STRIDE = 8
EDGE_SLOPE = 10.0  # of a drawn box: logits per cell of the mask at its edges, and the largest logit


class CompactEncoder(nn.Module):
    """(B, 3, S, S) images to (B, dim, S / 8, S / 8) features, with context from strides 16 and 32.

    Args:
        channels: at strides 2, 4, 8, 16 and 32.
        context: context blocks at each of the strides 16 and 32.
        dim: channels of the features.
    """

    def __init__(self, channels: Sequence[int], context: int, dim: int) -> None:
        super().__init__()
        c2, c4, c8, c16, c32 = channels
        self.down8 = nn.Sequential(
            conv(3, c2, stride=2),
            conv(c2, c2),
            conv(c2, c4, stride=2),
            ResidualBlock(c4),
            conv(c4, c8, stride=2),
            ResidualBlock(c8),
        )
        self.down16 = nn.Sequential(conv(c8, c16, stride=2), *(ContextBlock(c16) for _ in range(context)))
        self.down32 = nn.Sequential(conv(c16, c32, stride=2), *(ContextBlock(c32) for _ in range(context)))
        self.lateral32, self.lateral16 = nn.Conv2d(c32, c16, 1), nn.Conv2d(c16, c8, 1)
        self.neck = nn.Sequential(ResidualBlock(c8), nn.Conv2d(c8, dim, 1, bias=False), LayerNorm2d(dim))
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")

    def forward(self, x: Tensor) -> Tensor:
        x8 = self.down8(x)
        x16 = self.down16(x8)
        x16 = x16 + self.up(self.lateral32(self.down32(x16)))
        return self.neck(x8 + self.up(self.lateral16(x16)))


class BackboneEncoder(nn.Sequential):
    """As :class:`CompactEncoder`, on six stages of an EfficientNet of timm.

    Args:
        backbone: name in timm.
        dim: channels of the features.
    """

    def __init__(self, backbone: str, dim: int) -> None:
        super().__init__(
            OrderedDict(
                features=MergedFeatures(backbone, dim, stages=6),
                context=ContextBlock(dim),
                neck=nn.Sequential(nn.Conv2d(dim, dim, 1, bias=False), LayerNorm2d(dim)),
            )
        )


class CompactSAM(SegmentAnything):
    """Segment Anything small enough for a plain CPU; the image is squashed to a small square.

    Features lie at stride 8 instead of SAM's 16, so that low-resolution masks have half of `image_size`. A box is not
    only given as two corners but also drawn, filled, as a mask prompt, unless there is one: the network then need not
    learn where a box lies, for which the training images were hundreds too few.

    Args:
        image_size: side of the square in pixels, a multiple of 32.
        channels: of the encoder at strides 2, 4, 8, 16 and 32.
        context: context blocks at each of the strides 16 and 32.
        dim: channels of the features, a multiple of twice the decoder's heads.
        decoder: see :class:`~monai_ext.networks.decoders.sam.SegmentAnything`; narrower by default.
        backbone: name in timm of an EfficientNet that the encoder is made of; `channels` and `context` are not used then.
    """

    def __init__(
        self,
        image_size: int = 160,
        channels: Sequence[int] = (16, 32, 64, 96, 128),
        context: int = 2,
        dim: int = 96,
        decoder: Mapping[str, int] | None = None,
        backbone: str | None = None,
    ) -> None:
        if image_size % 32:
            raise ValueError(f"image_size {image_size} is no multiple of 32.")
        sizes = {"num_heads": 4, "mlp_dim": 2 * dim, "iou_dim": dim, **(decoder or {})}
        encoder = BackboneEncoder(backbone, dim) if backbone else CompactEncoder(channels, context, dim)
        super().__init__(encoder, image_size, STRIDE, dim, sizes)

    def prepare(self, image: Tensor, letterbox: Letterbox) -> Tensor:
        size = (letterbox.side, letterbox.side)
        if image.shape[-2:] != size:
            image = F.interpolate(image, size, mode="bilinear", antialias=True)
        return 2 * image - 1

    def letterbox(self, height: int, width: int) -> Letterbox:
        return Letterbox.squash(height, width, self.image_size)

    def predict_flat(
        self, maps: tuple[Tensor, ...], prompts: FlatPrompts, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        if prompts.boxes is not None and prompts.masks is None:
            prompts = replace(prompts, masks=self.draw_boxes(prompts.boxes))
        return super().predict_flat(maps, prompts, multimask)

    def draw_boxes(self, boxes: Tensor) -> Tensor:
        """(R, 4) boxes in pixels of the square as filled masks: (R, 1, mask_size, mask_size) logits."""
        cell = self.image_size / self.mask_size
        centres = torch.arange(self.mask_size, device=boxes.device, dtype=torch.float32) + 0.5
        low, high = ((boxes.float() + shift) / cell for shift in (0.0, 1.0))  # of the first and last pixel
        x = torch.minimum(centres - low[:, :1], high[:, 2:3] - centres)
        y = torch.minimum(centres - low[:, 1:2], high[:, 3:] - centres)
        depth = torch.minimum(x[:, None, None, :], y[:, None, :, None])
        return (EDGE_SLOPE * depth).clamp(-EDGE_SLOPE, EDGE_SLOPE)
