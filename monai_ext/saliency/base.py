"""What the localisers share: an image goes through the encoder once, a text then asks where it is."""

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

FLAT = 1e-6  # of the largest value: a map that varies less is constant but for rounding


@dataclass(frozen=True)
class SaliencyFeatures:
    """What a method keeps of B images, whatever the text.

    Attributes:
        embedding: (B, D) unit vectors, float32.
        prepared: (B, 3, S, S), normalised, as the image tower takes it.
        state: of the tower, after the blocks that run once per image.
        tokens: (B, D, h, w), what each place of the grid would give, not of length one; None where the
            architecture mixes places.
    """

    embedding: Tensor
    prepared: Tensor
    state: Tensor
    tokens: Tensor | None

    def __len__(self) -> int:
        return len(self.embedding)

    def part(self, images: slice) -> SaliencyFeatures:
        """Those of some of the images."""
        tokens = None if self.tokens is None else self.tokens[images]
        return SaliencyFeatures(self.embedding[images], self.prepared[images], self.state[images], tokens)


class SaliencyMethod(ABC):
    """Where in an image is what a text says?

    ``features = method.encode(encoder, image)`` runs the image tower once; ``method(encoder, features, text)`` may then
    be asked for any number of texts. The encoder is in evaluation mode. Both work under ``no_grad`` and in inference
    mode; the weights get no gradients and stay as they are.

    A map does not depend on what else is in the batch. Bringing it to [0, 1] enlarges what a convolution's rounding
    makes of the size of its batch, so images go through the encoder one by one.
    """

    images_per_call = 1  # of grid

    def once(self, encoder: VisionLanguageEncoder) -> int:
        """How many blocks of the image tower run once per image; the method goes on from their output.

        Raises:
            InputError: when the method cannot be used with this encoder.
        """
        return len(encoder.tower.blocks)

    @abstractmethod
    def grid(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """(B, h, w): the map at the encoder's own resolution, in any range; called without gradients."""

    def encode(self, encoder: VisionLanguageEncoder, image: Tensor) -> SaliencyFeatures:
        """What is needed of images.

        Args:
            encoder: in evaluation mode.
            image: (B, 3, H, W) in [0, 1], of any size, also smaller than a patch.

        Raises:
            InputError: when the method cannot be used with this encoder.
            ValueError: images of another shape.
        """
        once = self.once(encoder)
        with (
            torch.inference_mode(False),
            torch.no_grad(),
        ):  # no gradient could pass a tensor of inference mode
            tower, prepared = encoder.tower, encoder.prepare(image)
            states = [tower.advance(tower.stem(one), 0, once) for one in prepared.split(1)]
            ends = [tower.finish(tower.advance(state, once)) for state in states]
            embedding = F.normalize(torch.cat([pooled for pooled, _ in ends]).float(), dim=-1)
            grids = [tokens for _, tokens in ends if tokens is not None]
            return SaliencyFeatures(
                embedding, prepared, torch.cat(states), torch.cat(grids) if grids else None
            )

    def __call__(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """Maps of B images, for one text each.

        Args:
            encoder: that made the features and the text.
            features: of :meth:`encode`.
            text: (B, D) unit vectors.

        Returns:
            (B, 1, S, S) float32 in [0, 1], at the size that the encoder sees; a map that is the same everywhere
            is all zeros.

        Raises:
            ValueError: text of another shape.
        """
        if text.shape != features.embedding.shape:
            raise ValueError(f"texts {tuple(text.shape)} for images {tuple(features.embedding.shape)}.")
        starts = range(0, len(features), self.images_per_call)
        calls = [slice(start, start + self.images_per_call) for start in starts]
        with torch.inference_mode(False), torch.no_grad():
            text = text.clone()  # which may be a tensor of inference mode
            grids = [self.grid(encoder, features.part(images), text[images]) for images in calls]
            return self.enlarged(torch.cat(grids), encoder.image_size)

    def enlarged(self, grid: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, h, w) to (B, 1, *size) float32 in [0, 1], bilinear.

        The range is set before, so that what the values have in common takes no part in the interpolation's
        rounding, and again after, since interpolation cuts peaks.
        """
        maps = unit_range(grid[:, None].float())
        return unit_range(F.interpolate(maps, size, mode="bilinear", align_corners=False))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"


def unit_range(maps: Tensor) -> Tensor:
    """(..., h, w), each map brought to [0, 1]; one that is constant up to rounding becomes 0."""
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    spread = high - low
    flat = spread <= FLAT * torch.maximum(low.abs(), high.abs())
    return torch.where(flat, 0, (maps - low) / torch.where(flat, 1, spread))


def scaled_cosines(encoder: VisionLanguageEncoder, pooled: Tensor, text: Tensor) -> Tensor:
    """(N,) of (N, D) embeddings, of any length, and (N, D) or (D,) unit vectors of texts, times the learnt scale.

    Without the bias of an encoder trained with a sigmoid loss: its gradient is 0, and where logits are compared with
    0 the bias would decide.
    """
    cosines = (F.normalize(pooled.float(), dim=-1) * text).sum(-1)
    return encoder.model.logit_scale.exp() * cosines


def block_index(encoder: VisionLanguageEncoder, layer: int) -> int:
    """The block of the image tower that a layer is, negative ones counted from the end.

    Raises:
        InputError: when there is no such layer.
    """
    depth = len(encoder.tower.blocks)
    if not -depth <= layer < depth:
        has = f"0 to {depth - 1} or -1 to {-depth}" if depth else "none that can be asked for"
        raise InputError(f"layer {layer}: the image tower of {encoder.config.name} has {has}.")
    return layer % depth
