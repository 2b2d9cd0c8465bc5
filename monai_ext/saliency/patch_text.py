"""Patch-text similarity: every patch token is compared with the text (as in MaskCLIP, Zhou et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from monai_ext.errors import InputError
from monai_ext.saliency.base import SaliencyFeatures, SaliencyMethod

if TYPE_CHECKING:
    from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder


class PatchText(SaliencyMethod):
    """The cosine of every patch token's embedding with the text; the encoder runs once per image and never per text.

    The map of a constant image shows the effect of borders and position embeddings, and is seldom constant.
    """

    def encode(self, encoder: VisionLanguageEncoder, image: Tensor) -> SaliencyFeatures:
        """As :meth:`SaliencyMethod.encode`.

        Raises:
            InputError: when the encoder has no embeddings of patch tokens.
        """
        features = super().encode(encoder, image)
        if features.tokens is None:
            raise InputError(
                f"PatchText needs a token grid, and {encoder.config.name} mixes its patch tokens in pooling; "
                "choose another saliency method."
            )
        return features

    def grid(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """Cosines (B, h, w)."""
        assert features.tokens is not None
        return (F.normalize(features.tokens.float(), dim=1) * text[:, :, None, None]).sum(1)
