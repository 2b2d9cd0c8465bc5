"""Class activation mapping: the activations of one layer, and the gradient of a text's logit with respect to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from monai_ext.errors import InputError
from monai_ext.saliency.base import SaliencyFeatures, SaliencyMethod, block_index, scaled_cosines

if TYPE_CHECKING:
    from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder


class ClassActivationMethod(SaliencyMethod):
    """A method whose map is a weighted sum of the channels of one layer.

    Args:
        layer: 0-based block whose output is used, negative ones from the end. None for the tower's `cam_layer`: in a
            transformer with a class token the patch tokens of the last block's output have no gradient, those of its
            first norm have.
    """

    def __init__(self, layer: int | None = None) -> None:
        self.layer = layer

    def shared_blocks(self, encoder: VisionLanguageEncoder) -> int:
        if self.layer is not None:
            return block_index(encoder, self.layer) + 1
        module = encoder.tower.cam_layer
        if module is None:
            raise InputError(
                f"{type(self).__name__} needs a layer with patch tokens, and the image tower of {encoder.config.name} "
                "has none; choose another encoder."
            )
        blocks = enumerate(encoder.tower.blocks)
        return next(index for index, block in blocks if any(one is module for one in block.modules()))

    def activation(
        self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The layer's output and the gradient of the texts' logits with respect to it, both in the layout of a state."""
        tower, shared = encoder.tower, self.shared_blocks(encoder)
        recorded: list[Tensor] = []

        def record(*hooked: Any) -> Tensor:
            recorded.append(hooked[-1].detach().requires_grad_())
            return recorded[0]

        with torch.enable_grad():
            if self.layer is not None:
                pooled = tower.finish(tower.advance(record(features.state), shared))[0]
            else:
                assert tower.cam_layer is not None
                hook = tower.cam_layer.register_forward_hook(record)
                try:
                    pooled = tower.finish(tower.advance(features.state, shared))[0]
                finally:
                    hook.remove()
            logits = scaled_cosines(encoder, pooled, text)
            (gradient,) = torch.autograd.grad(logits.sum(), recorded[0])  # none of the weights
        return recorded[0].detach(), gradient


def weighted(activation: Tensor, weights: Tensor) -> Tensor:
    """(B, h, w): the sum over the channels of (B, C, h, w) times (B, C) weights, with 0 for negative values.

    With nearly equal weights the map is a small difference of large numbers, and rounding shows in it. NumPy adds channel
    after channel, as the published methods do, for any batch and memory layout; torch's order depends on both.
    """
    products = activation.float() * weights.float()[:, :, None, None]
    return torch.from_numpy(products.cpu().contiguous().numpy().sum(1)).to(activation.device).relu()
