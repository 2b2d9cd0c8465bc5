"""gScoreCAM (Chen et al. 2022, "What is CLIP looking at?"): channels chosen by gradient, weighted by masking the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from monai_ext.errors import InputError, check_choice
from monai_ext.saliency.base import SaliencyFeatures
from monai_ext.saliency.cam import ClassActivationMethod, weighted

if TYPE_CHECKING:
    from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder

EPS = 1e-6  # of a channel's range, as published
GRADIENTS = ("patch_tokens", "prefix_tokens")


class GScoreCAM(ClassActivationMethod):
    """Channels weighted by the text's logit of the image masked by them.

    The channels with the largest signed mean gradient are chosen. Each of them, enlarged to the image and scaled to
    [0, 1], masks the normalised image, and the encoder scores the masked image. The weights are the softmax over *all*
    channels, with the score 0 for those that were not chosen, as published. For each text the blocks from the layer on
    run once forward and backward, then the whole tower once for every chosen channel.

    The map of a constant image shows the effect of borders and position embeddings on the activations. A map without
    positive values is all zeros.

    Args:
        layer: see :class:`~monai_ext.saliency.cam.ClassActivationMethod`. As published -1; the patch tokens of that
            layer have no gradient in a transformer with a class token, so all channels rank the same.
        top_k: the number of channels that are chosen, or, as a float in (0, 1), their share; at most all.
        batch_size: masked images per call of the encoder.
        gradient: the tokens over which the gradient that ranks the channels is averaged: "patch_tokens", or
            "prefix_tokens", the class and register tokens.

    Raises:
        InputError: when a value is out of its range.
    """

    def __init__(
        self,
        layer: int | None = None,
        top_k: int | float = 300,
        batch_size: int = 32,
        gradient: str = "patch_tokens",
    ) -> None:
        super().__init__(layer)
        whole = isinstance(top_k, int) and top_k >= 1
        if not whole and not (isinstance(top_k, float) and 0 < top_k < 1):
            raise InputError(f"top_k is {top_k!r}; a number of channels, or a share of them between 0 and 1.")
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; one is the least.")
        check_choice("gradient", gradient, GRADIENTS)
        self.top_k, self.batch_size, self.gradient = top_k, batch_size, gradient

    def grid(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """Maps (B, h, w), not negative."""
        state, gradient = self.activation(encoder, features, text)
        activation = encoder.tower.as_map(state).float()
        importance = self.importance(encoder, gradient)
        return weighted(activation, self.weights(encoder, features.prepared, activation, importance, text))

    def importance(self, encoder: VisionLanguageEncoder, gradient: Tensor) -> Tensor:
        """(B, C): the mean of the gradient over the patch tokens, or over the prefix tokens.

        Raises:
            InputError: when the encoder has no prefix tokens.
        """
        if self.gradient == "patch_tokens":
            return encoder.tower.as_map(gradient).float().mean((2, 3))
        prefix = getattr(encoder.tower, "prefix", 0)
        if not prefix:
            raise InputError(
                f'gradient "prefix_tokens" needs a class token, and {encoder.config.name} has none; use "patch_tokens".'
            )
        return gradient[:, :prefix].float().mean(1)

    def weights(
        self,
        encoder: VisionLanguageEncoder,
        prepared: Tensor,
        activation: Tensor,
        importance: Tensor,
        text: Tensor,
    ) -> Tensor:
        """Weights (B, C) of the channels.

        Args:
            encoder: that made the activation.
            prepared: (B, 3, S, S) normalised images.
            activation: (B, C, h, w), their channels.
            importance: (B, C), by which channels are chosen.
            text: (B, D) unit vectors.
        """
        channels = importance.shape[1]
        number = self.top_k if isinstance(self.top_k, int) else round(self.top_k * channels)
        chosen = importance.topk(max(1, min(number, channels)), dim=1).indices
        scores = torch.zeros_like(importance)
        for row, image, maps, indices, vector in zip(scores, prepared, activation, chosen, text):
            row[indices] = self.scores(encoder, image, maps[indices], vector)
        return scores.softmax(1)

    def scores(self, encoder: VisionLanguageEncoder, image: Tensor, channels: Tensor, text: Tensor) -> Tensor:
        """Logits (k,) of a (D,) text with a prepared image (3, S, S) that is masked by each of its channels (k, h, w).

        They come from a matrix product, as published: where maps hardly vary, the rounding of the scores shows in them.
        The bias of an encoder that was trained with a sigmoid loss is left out: it would put the score of every chosen
        channel below the 0 of the others.
        """
        tower, cosines = encoder.tower, []
        for chunk in channels.split(self.batch_size):
            masks = _masks(chunk[:, None], encoder.image_size).to(image.dtype)
            pooled = tower.finish(tower.advance(tower.stem(image * masks)))[0]
            with torch.autocast(pooled.device.type, enabled=False):  # it would round the product
                cosines.append(F.normalize(pooled.float(), dim=-1) @ text.float()[:, None])
        return encoder.model.logit_scale.exp() * torch.cat(cosines)[:, 0]


def _masks(channels: Tensor, size: tuple[int, int]) -> Tensor:
    """(n, 1, h, w) channels to (n, 1, S, S) masks in [0, 1]."""
    masks = F.interpolate(channels, size, mode="bilinear", align_corners=True)
    low, high = masks.amin((2, 3), keepdim=True), masks.amax((2, 3), keepdim=True)
    return (masks - low) / (high - low + EPS)
