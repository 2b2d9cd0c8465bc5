"""SAM 2.1 (Ravi et al. 2024) for single images, built of transformers' modules. Nothing is downloaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2.functional import resize
from transformers.models.sam2 import (
    Sam2Config,
    Sam2HieraDetConfig,
    Sam2MaskDecoderConfig,
    Sam2Model,
    Sam2PromptEncoderConfig,
    Sam2VisionConfig,
)

from monai_ext.networks.decoders.base import EncodedImages, FlatPrompts, VisualPromptDecoder
from monai_ext.networks.decoders.letterbox import Letterbox
from monai_ext.networks.decoders.sam import grey_levels, standardise
from monai_ext.weights.formats import without_prefix
from monai_ext.weights.load import copy_into

MEAN = (0.485, 0.456, 0.406)  # of ImageNet
STD = (0.229, 0.224, 0.225)
STRIDES = (4, 8, 16)  # of the feature maps
PREFIX = "model."

HIERA: dict[str, dict[str, Any]] = {
    "tiny": {},  # transformers' own defaults
    "small": {"blocks_per_stage": [1, 2, 11, 2], "global_attention_blocks": [7, 10, 13]},
    "base-plus": {
        "hidden_size": 112,
        "embed_dim_per_stage": [112, 224, 448, 896],
        "num_attention_heads_per_stage": [2, 4, 8, 16],
        "blocks_per_stage": [2, 3, 16, 3],
        "global_attention_blocks": [12, 16, 20],
        "window_positional_embedding_background_size": [14, 14],
    },
    "large": {
        "hidden_size": 144,
        "embed_dim_per_stage": [144, 288, 576, 1152],
        "num_attention_heads_per_stage": [2, 4, 8, 16],
        "blocks_per_stage": [2, 6, 36, 4],
        "global_attention_blocks": [23, 33, 43],
        "window_size_per_stage": [8, 4, 16, 8],
    },
}
"""Encoders of the public models: what differs from transformers' defaults."""


class SAM2(VisualPromptDecoder):
    """SAM 2.1: 1024 x 1024 squashed, ImageNet's mean and standard deviation, features at strides 4, 8 and 16.

    In evaluation mode a single mask that is unstable gives way to the best of the three alternatives, as
    published. Names of weights are transformers' with the prefix "model."; :func:`published_weights` gives those of
    the public files this prefix.

    Args:
        encoder: "tiny", "small", "base-plus", "large", or what differs from transformers' ``Sam2HieraDetConfig``.
        image_size: side of the square in pixels.
        dim: channels of the features.
        decoder: what differs from transformers' ``Sam2MaskDecoderConfig``.
    """

    def __init__(
        self,
        encoder: str | Mapping[str, Any] = "tiny",
        image_size: int = 1024,
        dim: int = 256,
        decoder: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if isinstance(encoder, str):
            if encoder not in HIERA:
                raise ValueError(f"no image encoder {encoder!r}; known are {', '.join(HIERA)}.")
            encoder = HIERA[encoder]
        hiera = Sam2HieraDetConfig(image_size=[image_size, image_size], **encoder)
        channels: list[int] = hiera.to_dict()["embed_dim_per_stage"]
        vision = Sam2VisionConfig(
            backbone_config=hiera,
            backbone_channel_list=channels[::-1],
            backbone_feature_sizes=[[image_size // stride] * 2 for stride in STRIDES],
            fpn_hidden_size=dim,
        )
        prompts = Sam2PromptEncoderConfig(hidden_size=dim, image_size=image_size, patch_size=STRIDES[-1])
        masks = Sam2MaskDecoderConfig(
            hidden_size=dim, num_multimask_outputs=self.num_multimask_outputs, **(decoder or {})
        )
        config = Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=masks)
        self.model = Sam2Model(config)
        self.image_size, self.mask_size, self.token_size = image_size, image_size // STRIDES[0], dim

    def load(self, state: Mapping[str, Tensor], description: str) -> None:
        """Copy the weights of a public file, or this module's own, into it; all must fit.

        Args:
            state: tensors by name.
            description: what messages call the weights.

        Raises:
            WeightsError: naming the keys that do not fit.
        """
        copy_into(self, published_weights(without_prefix(state, PREFIX)), description)

    def encode(self, image: Tensor) -> EncodedImages:
        letterbox = Letterbox.squash(image.shape[-2], image.shape[-1], self.image_size)
        levels = resize(grey_levels(image), [letterbox.side, letterbox.side], antialias=True).float() / 255
        pixels = standardise(levels, MEAN, STD)
        maps = list(self.model.get_image_features(pixels, return_dict=True).fpn_hidden_states)
        maps[-1] = maps[-1] + self.model.no_memory_embedding
        sides = [self.image_size // stride for stride in STRIDES]
        # transformers returns (h * w, B, C)
        grids = tuple(one.permute(1, 2, 0).unflatten(2, (side, side)) for one, side in zip(maps, sides))
        return EncodedImages(grids, letterbox)

    def predict_flat(
        self, maps: tuple[Tensor, ...], prompts: FlatPrompts, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        number = len(maps[-1])
        points, labels = prompts.points, prompts.labels
        if points is None and prompts.boxes is None:  # as transformers does: one padding point
            points = maps[-1].new_zeros(number, 1, 2)
            labels = -torch.ones(number, 1, dtype=torch.int32, device=points.device)
        with torch.autocast(maps[-1].device.type, enabled=False):  # half precision would move coordinates
            sparse, dense = self.model.prompt_encoder(
                input_points=None if points is None else points[:, None],
                input_labels=None if labels is None else labels[:, None],
                input_boxes=None if prompts.boxes is None else prompts.boxes[:, None],
                input_masks=prompts.masks,
            )
        if prompts.tokens is not None:
            sparse = torch.cat([sparse, prompts.tokens[:, None].to(sparse.dtype)], dim=2)
        low, iou, _, _ = self.model.mask_decoder(
            image_embeddings=maps[-1],
            image_positional_embeddings=self.model.get_image_wide_positional_embeddings().repeat(
                number, 1, 1, 1
            ),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            high_resolution_features=list(maps[:-1]),
        )
        return low[:, 0], iou[:, 0]

    def upscale(self, low: Tensor, features: EncodedImages) -> Tensor:
        size = (features.letterbox.height, features.letterbox.width)  # as published in one step
        large = F.interpolate(low.flatten(0, 1).float(), size, mode="bilinear")
        return large.unflatten(0, low.shape[:2])


def published_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a public SAM 2.1 file as :class:`SAM2` names them, without those that only videos need."""
    video = [re.compile(pattern) for pattern in Sam2Model._keys_to_ignore_on_load_unexpected]
    return {PREFIX + key: value for key, value in state.items() if not any(one.search(key) for one in video)}
