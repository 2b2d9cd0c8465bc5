"""M2IB: a multi-modal information bottleneck (Wang, Rudner & Wilson 2023), as MedCLIP-SAMv2 localises.

Noise replaces as much of one layer as it can while the image still matches the text; what must stay is the map.
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

ALPHA = 5.0  # before the first step: the layer passes but for .7 %


class M2IB(SaliencyMethod):
    """Bits of each place that an information bottleneck lets pass.

    With lambda = sigmoid(alpha), the layer's output h becomes lambda h + (1 - lambda) noise, and alpha, one number for each
    place and channel of each image, minimises beta * mean(KL) - mean(cosine of image and text). The map is the KL of the last
    forward, summed over the channels. Weights are frozen, the blocks up to the bottleneck run once per image, and of the
    published steps the last one needs no forward: it gives the KL, which depends on alpha alone.

    The noise of each step is the same for every image and text, so a map depends on neither the batch nor its order.

    A constant image gives what borders and positions do to the layer. Published values: beta .1, layer 7 of 12;
    brain tumours beta 2, breast tumours beta 1, both layer 9.

    Args:
        layer: 0-based block after which the bottleneck lies, negative ones from the end. At the last block of a
            transformer with a class token the places do not matter any more.
        beta: weight of the compression.
        steps: of the optimisation.
        lr: of Adam.
        copies: of the image, each with noise of its own, in one step.
        seed: of the noise.
        images_per_call: how many images of a batch are optimised together, each with its own alpha; what that
            needs of memory grows with copies * images_per_call.

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
    ) -> None:
        for name, value in (("steps", steps), ("copies", copies), ("images_per_call", images_per_call)):
            if value < 1:
                raise InputError(f"M2IB: {name} is {value}; one is the least.")
        if beta < 0 or lr <= 0:
            raise InputError(f"beta {beta}, lr {lr}: the first is not negative, the second above 0.")
        self.layer, self.beta, self.steps = layer, beta, steps
        self.lr, self.copies, self.seed = lr, copies, seed
        self.images_per_call = images_per_call

    def once(self, encoder: VisionLanguageEncoder) -> int:
        return block_index(encoder, self.layer) + 1

    def grid(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """(B, h, w) in nats."""
        alpha = self.alpha(encoder, features, text, self.steps - 1)
        return encoder.tower.as_map(capacity(features.state.float(), alpha)).sum(1)

    def alpha(
        self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor, steps: int
    ) -> Tensor:
        """(B, ...) as the state: alpha after so many steps, float32."""
        tower, once = encoder.tower, self.once(encoder)
        state = features.state.float()
        alpha = torch.full_like(state, ALPHA, requires_grad=True)
        optimizer = torch.optim.Adam([alpha], lr=self.lr)
        noise = torch.Generator().manual_seed(self.seed)  # on the CPU: the same on every device
        for _ in range(steps):
            drawn = torch.randn(self.copies, 1, *state.shape[1:], generator=noise).to(state)
            with torch.enable_grad():
                share = alpha.sigmoid()
                passed = (share * state + (1 - share) * drawn).flatten(0, 1).to(features.state.dtype)
                pooled = tower.finish(tower.advance(passed, once))[0].unflatten(0, (self.copies, -1))
                fit = (F.normalize(pooled.float(), dim=-1) * text).sum(-1).mean(0)
                compression = capacity(state, alpha).flatten(1).mean(1)
                loss = (self.beta * compression - fit).sum()  # each image has its own alpha
                (alpha.grad,) = torch.autograd.grad(loss, alpha)  # by nothing else: no weights
            optimizer.step()
        return alpha.detach()


def capacity(state: Tensor, alpha: Tensor) -> Tensor:
    """KL divergence of each value of the state, as it passes the bottleneck, from the noise."""
    mean = alpha.sigmoid() * state
    log_variance = 2 * F.logsigmoid(-alpha)  # of (1 - lambda) ** 2, finite also where lambda rounds to 1
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp())
