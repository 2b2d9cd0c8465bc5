"""What class activation methods share: the activations of one layer and the gradient of a text's logit by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from monai_ext.errors import InputError
from monai_ext.saliency.base import SaliencyFeatures, SaliencyMethod, block_index, scaled_cosines

if TYPE_CHECKING:
    from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder


class ClassActivationMethod(SaliencyMethod):
    """A method that weights the channels of one layer.

    Args:
        layer: 0-based block whose output is taken, negative ones from the end. None for the tower's
            `cam_layer`: in a transformer with a class token the last block's output has no gradient at its places,
            its first norm has.
    """

    def __init__(self, layer: int | None = None) -> None:
        self.layer = layer

    def once(self, encoder: VisionLanguageEncoder) -> int:
        if self.layer is not None:
            return block_index(encoder, self.layer) + 1
        module = encoder.tower.cam_layer
        if module is None:
            raise InputError(
                f"{type(self).__name__} needs a layer with places, and the image tower of {encoder.config.name} "
                "shows none; choose another encoder."
            )
        blocks = enumerate(encoder.tower.blocks)
        return next(index for index, block in blocks if any(part is module for part in block.modules()))

    def activation(
        self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The layer's output and the gradient of the logit by it, both as the tower's states are."""
        tower, once = encoder.tower, self.once(encoder)
        taken: list[Tensor] = []

        def take(*hooked: Any) -> Tensor:
            taken.append(hooked[-1].detach().requires_grad_())
            return taken[0]

        with torch.enable_grad():
            if self.layer is not None:
                pooled = tower.finish(tower.advance(take(features.state), once))[0]
            else:
                assert tower.cam_layer is not None
                hook = tower.cam_layer.register_forward_hook(take)
                try:
                    pooled = tower.finish(tower.advance(features.state, once))[0]
                finally:
                    hook.remove()
            logits = scaled_cosines(encoder, pooled, text)
            (gradient,) = torch.autograd.grad(logits.sum(), taken[0])  # by nothing else: no weights
        return taken[0].detach(), gradient


def weighted(activation: Tensor, weights: Tensor) -> Tensor:
    """(B, h, w): the channels of (B, C, h, w) by (B, C) weights, what is below 0 left out.

    With nearly equal weights the map is the small rest of a large sum, and its rounding shows. NumPy adds channel after
    channel, as the published methods do, whatever the batch and the layout; torch's order depends on both.
    """
    parts = activation.float() * weights.float()[:, :, None, None]
    return torch.from_numpy(parts.cpu().contiguous().numpy().sum(1)).to(activation.device).relu()
