"""Segment Anything (Kirillov et al. 2023) and MedSAM (Ma et al. 2024), built of segment_anything's own modules.

Names and shapes of the weights are those of the public files, which load without conversion. Nothing is downloaded.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
from skimage.transform import resize as spline_resize
from torch import Tensor, nn
from torchvision.transforms.v2.functional import pil_to_tensor, resize, to_pil_image

from monai_ext.networks.decoders.base import EncodedImages, FlatPrompts, VisualPromptDecoder
from monai_ext.networks.decoders.letterbox import Letterbox

MEAN = (123.675, 116.28, 103.53)  # of SAM's training images, RGB, in grey levels
STD = (58.395, 57.12, 57.375)

ENCODERS: dict[str, dict[str, Any]] = {
    "vit_b": {"embed_dim": 768, "depth": 12, "num_heads": 12, "global_attn_indexes": (2, 5, 8, 11)},
    "vit_l": {"embed_dim": 1024, "depth": 24, "num_heads": 16, "global_attn_indexes": (5, 11, 17, 23)},
    "vit_h": {"embed_dim": 1280, "depth": 32, "num_heads": 16, "global_attn_indexes": (7, 15, 23, 31)},
}
PATCH = 16


def grey_levels(image: Tensor) -> Tensor:
    """Images in [0, 1] as uint8: the networks were trained on whole grey levels."""
    return (image.clamp(0, 1) * 255).round().to(torch.uint8)


def resize_by_pillow(levels: Tensor, height: int, width: int) -> Tensor:
    """(B, 3, H, W) grey levels resized by Pillow, as SAM's own predictor does, to the last bit on every device.

    torch's kernels are a grey level off in one pixel of a thousand on a CPU, and in one of five elsewhere.
    """
    if levels.shape[-2:] == (height, width):
        return levels
    images = [resize(to_pil_image(one), [height, width]) for one in levels.cpu()]
    return torch.stack([pil_to_tensor(one) for one in images]).to(levels.device)


def resize_by_skimage(levels: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 3, H, W) grey levels resized by scikit-image's splines of order 3 and cut off, as MedSAM's code does."""
    images = [
        spline_resize(one, size, order=3, preserve_range=True, anti_aliasing=True).astype(np.uint8)
        for one in levels.permute(0, 2, 3, 1).cpu().numpy()
    ]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).to(levels.device)


def standardise(image: Tensor, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Tensor:
    """(B, 3, H, W) less a mean, by a standard deviation of its channels, in float32; SAM's are of grey levels."""
    image = image.float()
    # Made at each call instead of kept as buffers: no public file holds them, and on `meta` they would be lost.
    return (image - image.new_tensor(mean)[:, None, None]) / image.new_tensor(std)[:, None, None]


class SegmentAnything(VisualPromptDecoder):
    """The three modules of Segment Anything behind the interface; subclasses say how an image becomes the input.

    Args:
        image_encoder: (B, 3, image_size, image_size) to (B, dim, image_size / stride, image_size / stride).
        image_size: side of the square in pixels, a multiple of `stride`.
        stride: of the features.
        dim: channels of the features, and length of a token.
        decoder: `depth`, `num_heads` and `mlp_dim` of the two-way transformer, and `iou_dim`, the width of the
            head that predicts the IoU.

    Raises:
        ValueError: when `image_size` is no multiple of `stride`.
    """

    def __init__(
        self,
        image_encoder: nn.Module,
        image_size: int,
        stride: int = PATCH,
        dim: int = 256,
        decoder: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        if image_size % stride:
            raise ValueError(f"image_size {image_size} is no multiple of the stride {stride}.")
        sizes = {"depth": 2, "num_heads": 8, "mlp_dim": 2048, "iou_dim": 256, **(decoder or {})}
        grid = image_size // stride
        self.image_encoder = image_encoder
        self.prompt_encoder = PromptEncoder(
            embed_dim=dim,
            image_embedding_size=(grid, grid),
            input_image_size=(image_size, image_size),
            mask_in_chans=16,
        )
        self.mask_decoder = MaskDecoder(
            num_multimask_outputs=self.num_multimask_outputs,
            transformer=TwoWayTransformer(
                depth=sizes["depth"],
                embedding_dim=dim,
                num_heads=sizes["num_heads"],
                mlp_dim=sizes["mlp_dim"],
            ),
            transformer_dim=dim,
            iou_head_depth=3,
            iou_head_hidden_dim=sizes["iou_dim"],
        )
        self.image_size, self.mask_size, self.token_size = image_size, 4 * grid, dim

    @abstractmethod
    def letterbox(self, height: int, width: int) -> Letterbox:
        """Where an image of this size lies in the square."""

    @abstractmethod
    def prepare(self, image: Tensor, letterbox: Letterbox) -> Tensor:
        """(B, 3, H, W) images in [0, 1] as (B, 3, image_size, image_size) input of the image encoder."""

    def encode(self, image: Tensor) -> EncodedImages:
        letterbox = self.letterbox(image.shape[-2], image.shape[-1])
        return EncodedImages((self.image_encoder(self.prepare(image, letterbox)),), letterbox)

    def predict_flat(
        self, maps: tuple[Tensor, ...], prompts: FlatPrompts, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        (features,) = maps
        points = None if prompts.points is None else (prompts.points, prompts.labels)
        with torch.autocast(features.device.type, enabled=False):  # half precision would move coordinates
            sparse, dense = self.prompt_encoder(points=points, boxes=prompts.boxes, masks=prompts.masks)
        sparse = sparse.expand(len(features), -1, -1)  # without boxes and points the encoder returns one row
        if prompts.tokens is not None:
            sparse = torch.cat([sparse, prompts.tokens.to(sparse.dtype)], dim=1)
        # segment_anything's decoder repeats one image for all prompts and adds the dense embedding to it. Here each
        # row has an image of its own, so the image is zero and its features are part of the dense embedding.
        return self.mask_decoder(
            image_embeddings=features.new_zeros(1, features.shape[1], 1, 1),
            image_pe=self.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=features + dense,
            multimask_output=multimask,
        )


class SAM(SegmentAnything):
    """Segment Anything: longest side to 1024, SAM's mean and standard deviation, padding below and on the right.

    The result is that of ``segment_anything.SamPredictor`` on the same weights.

    Args:
        encoder: "vit_b", "vit_l", "vit_h", or `embed_dim`, `depth`, `num_heads` and `global_attn_indexes` of
            another ViT (any argument of segment_anything's ``ImageEncoderViT``).
        image_size: side of the square in pixels.
        dim: channels of the features.
        decoder: see :class:`SegmentAnything`.
    """

    def __init__(
        self,
        encoder: str | Mapping[str, Any] = "vit_b",
        image_size: int = 1024,
        dim: int = 256,
        decoder: Mapping[str, int] | None = None,
    ) -> None:
        sizes = vit_sizes(encoder)
        super().__init__(
            ImageEncoderViT(img_size=image_size, out_chans=dim, **sizes), image_size, PATCH, dim, decoder
        )

    def letterbox(self, height: int, width: int) -> Letterbox:
        return Letterbox.longest_side(height, width, self.image_size)

    def prepare(self, image: Tensor, letterbox: Letterbox) -> Tensor:
        small = resize_by_pillow(grey_levels(image), letterbox.inner_height, letterbox.inner_width)
        return letterbox.pad(standardise(small))


class MedSAM(SAM):
    """MedSAM: SAM ViT-B whose images are squashed to 1024 x 1024 and each scaled to [0, 1], without mean and std.

    As published, probabilities instead of logits are enlarged to the image.

    Args:
        encoder, image_size, dim, decoder: see :class:`SAM`.
        as_published: resize images by scikit-image's splines of order 3 on the CPU, to the last bit as MedSAM's own
            code does, in a second or more an image. Otherwise by torch's antialiased bicubic in a hundredth of that:
            half a grey level off on average, some 15 of 255 at the sharpest edges of a sonogram.
    """

    def __init__(
        self,
        encoder: str | Mapping[str, Any] = "vit_b",
        image_size: int = 1024,
        dim: int = 256,
        decoder: Mapping[str, int] | None = None,
        as_published: bool = False,
    ) -> None:
        super().__init__(encoder, image_size, dim, decoder)
        self.as_published = as_published

    def letterbox(self, height: int, width: int) -> Letterbox:
        return Letterbox.squash(height, width, self.image_size)

    def prepare(self, image: Tensor, letterbox: Letterbox) -> Tensor:
        size = (letterbox.side, letterbox.side)
        if self.as_published:
            levels = resize_by_skimage(grey_levels(image), size)
        else:
            same = image.shape[-2:] == size
            levels = grey_levels(
                image if same else F.interpolate(image, size, mode="bicubic", antialias=True)
            )
        image = levels.float()
        low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
        return (image - low) / (high - low).clamp_min(1)  # whole grey levels: an image of one level becomes 0

    def upscale(self, low: Tensor, features: EncodedImages) -> Tensor:
        size = (features.letterbox.height, features.letterbox.width)
        large = F.interpolate(low.flatten(0, 1).float().sigmoid(), size, mode="bilinear")
        return torch.logit(large, eps=1e-6).unflatten(0, low.shape[:2])


def vit_sizes(encoder: str | Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of segment_anything's image encoder: those of a name, or the given ones, with defaults filled in.

    Raises:
        ValueError: when there is no encoder of this name.
    """
    if isinstance(encoder, str):
        if encoder not in ENCODERS:
            raise ValueError(f"no image encoder {encoder!r}; known are {', '.join(ENCODERS)}.")
        encoder = ENCODERS[encoder]
    return {
        "patch_size": PATCH,
        "norm_layer": partial(nn.LayerNorm, eps=1e-6),
        "use_rel_pos": True,
        "window_size": 14,
        **encoder,
    }
