"""The interface of all saliency methods: an image is encoded once, then each text gets a map of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from monai_ext.errors import InputError

if TYPE_CHECKING:
    from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder

FLAT = 1e-6  # relative to the largest value: a map that varies less is constant up to rounding


@dataclass(frozen=True)
class SaliencyFeatures:
    """What a method keeps of B images for any number of texts.

    Attributes:
        embedding: (B, D) unit vectors, float32.
        prepared: (B, 3, S, S) normalised images, as the image tower takes them.
        state: of the image tower, after the blocks that run once per image.
        tokens: (B, D, h, w) embeddings of the patch tokens, not of unit length; None where the pooling of the
            architecture mixes the patch tokens.
    """

    embedding: Tensor
    prepared: Tensor
    state: Tensor
    tokens: Tensor | None

    def __len__(self) -> int:
        return len(self.embedding)

    def select(self, images: slice) -> SaliencyFeatures:
        """The features of some of the images."""
        tokens = None if self.tokens is None else self.tokens[images]
        return SaliencyFeatures(self.embedding[images], self.prepared[images], self.state[images], tokens)


class SaliencyMethod(ABC):
    """A map of where an image shows what a text names.

    ``features = method.encode(encoder, image)`` runs the image tower once; ``method(encoder, features, text)`` then makes
    the map of any text. The encoder is in evaluation mode. Both work under ``no_grad`` and in inference mode; the
    weights of the encoder get no gradients and do not change.

    A map does not depend on the other images of the batch. Images go through the encoder one at a time, since the
    rounding of a convolution depends on the size of its batch, and scaling a map to [0, 1] enlarges that rounding.
    """

    images_per_call = 1  # images in one call of `grid`

    def shared_blocks(self, encoder: VisionLanguageEncoder) -> int:
        """How many blocks of the image tower run once per image; the map of a text starts from their output.

        Raises:
            InputError: when the method cannot be used with this encoder.
        """
        return len(encoder.tower.blocks)

    @abstractmethod
    def grid(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """Maps (B, h, w) at the encoder's own resolution, in any range; called without gradients."""

    def encode(self, encoder: VisionLanguageEncoder, image: Tensor) -> SaliencyFeatures:
        """Encode images once for any number of texts.

        Args:
            encoder: in evaluation mode.
            image: (B, 3, H, W) in [0, 1], of any size, also smaller than a patch.

        Raises:
            InputError: when the method cannot be used with this encoder.
            ValueError: when images have another shape.
        """
        shared = self.shared_blocks(encoder)
        # no gradient could pass through a tensor of inference mode later
        with torch.inference_mode(False), torch.no_grad():
            tower, prepared = encoder.tower, encoder.prepare(image)
            states = [tower.advance(tower.stem(one), 0, shared) for one in prepared.split(1)]
            ends = [tower.finish(tower.advance(state, shared)) for state in states]
            embedding = F.normalize(torch.cat([pooled for pooled, _ in ends]).float(), dim=-1)
            grids = [tokens for _, tokens in ends if tokens is not None]
            return SaliencyFeatures(
                embedding, prepared, torch.cat(states), torch.cat(grids) if grids else None
            )

    def __call__(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """Maps of B images, for one text each.

        Args:
            encoder: that made the features and the text.
            features: that :meth:`encode` returned.
            text: (B, D) unit vectors.

        Returns:
            (B, 1, S, S) float32 in [0, 1], at the size of the encoder's input; a constant map is all zeros.

        Raises:
            ValueError: when there is not one text for each image.
        """
        if text.shape != features.embedding.shape:
            raise ValueError(f"texts {tuple(text.shape)} for images {tuple(features.embedding.shape)}.")
        starts = range(0, len(features), self.images_per_call)
        calls = [slice(start, start + self.images_per_call) for start in starts]
        with torch.inference_mode(False), torch.no_grad():
            text = text.clone()  # it may be a tensor of inference mode
            grids = [self.grid(encoder, features.select(images), text[images]) for images in calls]
            return self.enlarged(torch.cat(grids), encoder.image_size)

    def enlarged(self, grid: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, h, w) to (B, 1, *size) float32 in [0, 1], bilinear.

        The range is set before the interpolation, so that an offset of all values does not add to its rounding, and
        again afterwards, since interpolation lowers peaks.
        """
        maps = unit_range(grid[:, None].float())
        return unit_range(F.interpolate(maps, size, mode="bilinear", align_corners=False))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"


def unit_range(maps: Tensor) -> Tensor:
    """(..., h, w) maps, each scaled to [0, 1]; one that is constant up to rounding becomes 0."""
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    spread = high - low
    flat = spread <= FLAT * torch.maximum(low.abs(), high.abs())
    return torch.where(flat, 0, (maps - low) / torch.where(flat, 1, spread))


def scaled_cosines(encoder: VisionLanguageEncoder, pooled: Tensor, text: Tensor) -> Tensor:
    """(N,) cosines of (N, D) embeddings of any length with (N, D) or (D,) unit vectors, times the learnt scale.

    The bias of an encoder that was trained with a sigmoid loss is left out: its gradient is 0, and where logits are
    compared with 0 the bias would decide.
    """
    cosines = (F.normalize(pooled.float(), dim=-1) * text).sum(-1)
    return encoder.model.logit_scale.exp() * cosines


def block_index(encoder: VisionLanguageEncoder, layer: int) -> int:
    """The index of a layer's block in the image tower; negative layers count from the end.

    Raises:
        InputError: when there is no such layer.
    """
    depth = len(encoder.tower.blocks)
    if not -depth <= layer < depth:
        has = f"0 to {depth - 1} or -1 to {-depth}" if depth else "no layers"
        raise InputError(f"layer {layer}: the image tower of {encoder.config.name} has {has}.")
    return layer % depth
