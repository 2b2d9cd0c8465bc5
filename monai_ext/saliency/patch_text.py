"""Patch-text similarity: each place of the token grid compared with the text (as MaskCLIP, Zhou et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from monai_ext.errors import InputError
from monai_ext.saliency.base import SaliencyFeatures, SaliencyMethod

if TYPE_CHECKING:
    from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder


class PatchText(SaliencyMethod):
    """The cosine of every place's embedding with the text; nothing runs but the encoder, once.

    A constant image gives what positions and borders alone do to the places: seldom a constant map.
    """

    def encode(self, encoder: VisionLanguageEncoder, image: Tensor) -> SaliencyFeatures:
        """As :meth:`SaliencyMethod.encode`.

        Raises:
            InputError: when the encoder has no token grid.
        """
        features = super().encode(encoder, image)
        if features.tokens is None:
            raise InputError(
                f"PatchText needs a token grid, and {encoder.config.name} mixes places in its pooling; "
                "choose another saliency method."
            )
        return features

    def grid(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """(B, h, w) cosines."""
        assert features.tokens is not None
        return (F.normalize(features.tokens.float(), dim=1) * text[:, :, None, None]).sum(1)
