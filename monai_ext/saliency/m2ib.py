"""M2IB: the multi-modal information bottleneck (Wang, Rudner & Wilson 2023), the saliency of MedCLIP-SAMv2.

Noise replaces as much of one layer as it can while the image still matches the text; the map is what must remain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from monai_ext.errors import InputError
from monai_ext.saliency.base import SaliencyFeatures, SaliencyMethod, block_index

if TYPE_CHECKING:
    from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder

ALPHA = 5.0  # before the first step: noise replaces .7 % of the layer


class M2IB(SaliencyMethod):
    """The information of each patch token that a bottleneck in one layer lets pass.

    With lambda = sigmoid(alpha), the layer's output h becomes lambda h + (1 - lambda) noise, and alpha, one number for
    each token and channel of each image, minimises beta * mean(KL) - mean(cosine of image and text). The map is the KL of
    the last forward pass, summed over the channels. The weights are frozen, and the blocks up to the bottleneck run once
    per image. The last of the published steps needs no forward pass: it only reads the KL, which depends on alpha alone.

    The noise of each step is the same for every image and text, so a map depends on neither the batch nor its order.

    The published noise is standard normal, whatever the scale of the layer: it hides little of the embedded encoder's,
    whose values deviate by 20. `standardise` gives it the mean and deviation that each channel has over the positions of
    the image, as the bottleneck that M2IB comes from (Schulz et al. 2020, arXiv:2001.00396) fits noise to the layer.

    The map of a constant image shows the effect of borders and position embeddings on the layer. Published values: beta
    .1, layer 7 of 12; brain tumours beta 2, breast tumours beta 1, both layer 9.

    Args:
        layer: 0-based block after which the bottleneck lies, negative ones from the end. After the last block of a
            transformer with a class token the patch tokens do not reach the embedding any more.
        beta: weight of the compression.
        steps: number of optimisation steps.
        lr: learning rate of Adam.
        copies: of each image in one step, each with noise of its own.
        seed: of the noise.
        images_per_call: how many images of a batch are optimised together, each with its own alpha; the memory needed
            grows with copies * images_per_call.
        standardise: whether noise has the mean and deviation of the layer; as published if not.

    Raises:
        InputError: when a value is out of its range.
    """

    def __init__(
        self,
        layer: int = 7,
        beta: float = 0.1,
        steps: int = 10,
        lr: float = 1.0,
        copies: int = 10,
        seed: int = 123,
        images_per_call: int = 4,
        standardise: bool = False,
    ) -> None:
        for name, value in (("steps", steps), ("copies", copies), ("images_per_call", images_per_call)):
            if value < 1:
                raise InputError(f"M2IB: {name} is {value}; one is the least.")
        if beta < 0 or lr <= 0:
            raise InputError(f"beta {beta}, lr {lr}: the first is not negative, the second above 0.")
        self.layer, self.beta, self.steps = layer, beta, steps
        self.lr, self.copies, self.seed = lr, copies, seed
        self.images_per_call = images_per_call
        self.standardise = standardise

    def shared_blocks(self, encoder: VisionLanguageEncoder) -> int:
        return block_index(encoder, self.layer) + 1

    def grid(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """Maps (B, h, w) in nats."""
        alpha = self.alpha(encoder, features, text, self.steps - 1)
        state, _, _ = self._scaled(features.state.float())
        return encoder.tower.as_map(capacity(state, alpha)).sum(1)

    def alpha(
        self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor, steps: int
    ) -> Tensor:
        """Alpha after so many steps, in the shape of the state, float32."""
        tower, shared = encoder.tower, self.shared_blocks(encoder)
        state, mean, deviation = self._scaled(features.state.float())
        alpha = torch.full_like(state, ALPHA, requires_grad=True)
        optimizer = torch.optim.Adam([alpha], lr=self.lr)
        noise = torch.Generator().manual_seed(self.seed)  # on the CPU: the same on every device
        for _ in range(steps):
            drawn = torch.randn(self.copies, 1, *state.shape[1:], generator=noise).to(state)
            with torch.enable_grad():
                share = alpha.sigmoid()
                passed = mean + deviation * (share * state + (1 - share) * drawn)
                passed = passed.flatten(0, 1).to(features.state.dtype)
                pooled = tower.finish(tower.advance(passed, shared))[0].unflatten(0, (self.copies, -1))
                fit = (F.normalize(pooled.float(), dim=-1) * text).sum(-1).mean(0)
                compression = capacity(state, alpha).flatten(1).mean(1)
                loss = (self.beta * compression - fit).sum()  # each image has its own alpha
                (alpha.grad,) = torch.autograd.grad(loss, alpha)  # none of the weights
            optimizer.step()
        return alpha.detach()

    def _scaled(self, state: Tensor) -> tuple[Tensor, Tensor | float, Tensor | float]:
        """The state on the scale of the noise, and the mean and deviation that bring it back."""
        if not self.standardise:
            return state, 0.0, 1.0
        places = (2, 3) if state.ndim == 4 else (1,)
        mean = state.mean(places, keepdim=True)
        deviation = state.std(places, keepdim=True).clamp_min(1e-6)
        return (state - mean) / deviation, mean, deviation


def capacity(state: Tensor, alpha: Tensor) -> Tensor:
    """KL divergence of each value of the state, as it passes the bottleneck, from the noise."""
    mean = alpha.sigmoid() * state
    log_variance = 2 * F.logsigmoid(-alpha)  # of (1 - lambda) ** 2, finite also where lambda rounds to 1
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp())
