"""Grad-CAM (Selvaraju et al. 2017) of a vision-language encoder: the "class" is the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from monai_ext.saliency.base import SaliencyFeatures
from monai_ext.saliency.cam import ClassActivationMethod, weighted

if TYPE_CHECKING:
    from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder


class GradCAM(ClassActivationMethod):
    """Channels weighted by the mean, over the places, of the gradient of the text's logit.

    Per text only the blocks from the layer on run, once forward and once backward. A map without anything above 0, which
    is common for a text that the image does not show, is all zeros; a constant image gives what borders and positions
    do to the activations.

    Args:
        layer: see :class:`~monai_ext.saliency.cam.ClassActivationMethod`.
    """

    def grid(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """(B, h, w), not below 0."""
        activation, gradient = (encoder.tower.as_map(x) for x in self.activation(encoder, features, text))
        return weighted(activation, gradient.float().mean((2, 3)))
