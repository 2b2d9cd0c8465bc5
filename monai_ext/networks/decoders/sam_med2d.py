"""SAM-Med2D (Cheng et al. 2023): Segment Anything at 256 pixels with an adapter in every block of its encoder.

Prompt encoder and mask decoder are segment_anything's; only the adapters are built here. Names and shapes of the
weights are those below "model" in the public ``sam-med2d_b.pth``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from segment_anything.modeling import ImageEncoderViT
from segment_anything.modeling.image_encoder import Block, window_partition, window_unpartition
from torch import Tensor, nn
from torchvision.transforms.v2.functional import InterpolationMode, resize

from monai_ext.networks.decoders.base import FlatPrompts
from monai_ext.networks.decoders.letterbox import Letterbox
from monai_ext.networks.decoders.sam import PATCH, SegmentAnything, grey_levels, standardise, vit_sizes


class Adapter(nn.Module):
    """Channels weighted by squeeze and excitation, then a convolution down and one up, a skip and a norm.

    Input and output are (B, H, W, C), H and W even.

    Args:
        dim: channels C.
        ratio: width of the squeeze layer, as a share of C.
    """

    def __init__(self, dim: int, ratio: float = 0.25) -> None:
        super().__init__()
        hidden = int(dim * ratio)
        self.norm = nn.LayerNorm(dim)
        self.channel = nn.Sequential(
            nn.Linear(dim, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, dim, bias=False), nn.Sigmoid()
        )
        self.spatial = nn.Sequential(
            nn.Conv2d(dim, dim, 3, stride=2, padding=1, bias=False),
            nn.ReLU(),
            nn.ConvTranspose2d(dim, dim, 4, stride=2, padding=1, bias=False),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        weighted = x * self.channel(x.mean((1, 2)))[:, None, None]
        spatial = self.spatial(weighted.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.norm(x + spatial)


class AdapterBlock(Block):
    """segment_anything's block with an :class:`Adapter` beside the MLP; input and output are (B, H, W, C)."""

    def __init__(self, dim: int, **block: Any) -> None:
        super().__init__(dim=dim, **block)
        self.Adapter = Adapter(dim)  # the name in the public file

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        if self.window_size:
            height, width = y.shape[1:3]
            y, padded = window_partition(y, self.window_size)
            y = window_unpartition(self.attn(y), self.window_size, padded, (height, width))
        else:
            y = self.attn(y)
        x = x + y
        y = self.norm2(x)
        return x + self.mlp(y) + self.Adapter(y)


class AdapterViT(ImageEncoderViT):
    """segment_anything's image encoder with adapters: (B, 3, S, S) to (B, out_chans, S / 16, S / 16).

    The arguments are ``ImageEncoderViT``'s.
    """

    def __init__(
        self,
        img_size: int,
        out_chans: int,
        embed_dim: int,
        depth: int,
        num_heads: int,
        global_attn_indexes: tuple[int, ...],
        window_size: int,
        patch_size: int,
        **block: Any,
    ) -> None:
        super().__init__(
            img_size=img_size,
            out_chans=out_chans,
            embed_dim=embed_dim,
            depth=0,  # the blocks are added below
            num_heads=num_heads,
            patch_size=patch_size,
        )
        grid = img_size // patch_size
        for index in range(depth):
            self.blocks.append(
                AdapterBlock(
                    embed_dim,
                    num_heads=num_heads,
                    window_size=0 if index in global_attn_indexes else window_size,
                    input_size=(grid, grid),
                    **block,
                )
            )


class SAMMed2D(SegmentAnything):
    """SAM-Med2D: an image is centred in 256 x 256 pixels if both its sides are shorter, else squashed to them.

    The mask of a prompt is the one of three alternatives with the highest predicted IoU, as in the training of
    SAM-Med2D; SAM's token for a single mask was not trained. Mask prompts are logits, as in every decoder, and become
    the probabilities that the network was trained on.

    Args:
        encoder: "vit_b" or the sizes of another ViT, see :class:`~monai_ext.networks.decoders.sam.SAM`.
        image_size: side of the square in pixels; an even number of patches.
        dim: channels of the features.
        decoder: see :class:`~monai_ext.networks.decoders.sam.SegmentAnything`.
        bgr: swap red and blue. The authors trained on pictures in the order blue, green, red and apply the
            network to red, green, blue.
    """

    def __init__(
        self,
        encoder: str | Mapping[str, Any] = "vit_b",
        image_size: int = 256,
        dim: int = 256,
        decoder: Mapping[str, int] | None = None,
        bgr: bool = False,
    ) -> None:
        vit = AdapterViT(img_size=image_size, out_chans=dim, **vit_sizes(encoder))
        super().__init__(vit, image_size, PATCH, dim, decoder)
        self.bgr = bgr

    def letterbox(self, height: int, width: int) -> Letterbox:
        return Letterbox.centred(height, width, self.image_size)

    def prepare(self, image: Tensor, letterbox: Letterbox) -> Tensor:
        image = grey_levels(image.flip(1) if self.bgr else image)
        # The authors resize without interpolation, in training too.
        size = [letterbox.inner_height, letterbox.inner_width]
        return letterbox.pad(standardise(resize(image, size, InterpolationMode.NEAREST)))

    def predict_flat(
        self, maps: tuple[Tensor, ...], prompts: FlatPrompts, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        if prompts.masks is not None:
            prompts = replace(prompts, masks=prompts.masks.sigmoid())
        low, iou = super().predict_flat(maps, prompts, multimask=True)
        if multimask:
            return low, iou
        best = iou.argmax(1, keepdim=True)
        return low.take_along_dim(best[..., None, None], 1), iou.take_along_dim(best, 1)
