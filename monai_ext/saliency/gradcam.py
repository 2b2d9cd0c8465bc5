"""Grad-CAM (Selvaraju et al. 2017) of a vision-language encoder; the similarity with the text is the class score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from monai_ext.saliency.base import SaliencyFeatures
from monai_ext.saliency.cam import ClassActivationMethod, weighted

if TYPE_CHECKING:
    from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder


class GradCAM(ClassActivationMethod):
    """Channels weighted by the gradient of the text's logit, averaged over the patch tokens.

    For each text only the blocks from the layer on run, once forward and once backward. A map without positive values,
    which is common for a text that the image does not show, is all zeros. The map of a constant image shows the effect of
    borders and position embeddings on the activations.

    Args:
        layer: see :class:`~monai_ext.saliency.cam.ClassActivationMethod`.
    """

    def grid(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """Maps (B, h, w), not negative."""
        activation, gradient = (encoder.tower.as_map(x) for x in self.activation(encoder, features, text))
        return weighted(activation, gradient.float().mean((2, 3)))
