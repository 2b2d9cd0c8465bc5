"""Loss of vision-language encoders whose pairs of image and text are true, false, or not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from torch import Tensor, nn


@dataclass(frozen=True)
class ImageTextLogits:
    """What a vision-language encoder says of B images with P captions each.

    Attributes:
        pairs: (B, B, P), of each image with the captions of each image.
        places: (B, P, h, w), of each place of an image with the image's own captions.
    """

    pairs: Tensor
    places: Tensor


class ImageTextLoss(nn.Module):
    """Sigmoid contrastive loss (Zhai et al. 2023, SigLIP, arXiv:2303.15343), and one for each place of the image.

    The loss of images is the mean over each image with its own captions, of soft truth, plus the mean over each image
    with the captions of others where their truth is known: two chest X-rays both show lungs, which a plain
    contrastive loss would deny. The loss of places is cross-entropy plus Dice of the token grid against the masks.

    Args:
        others: weight of the captions of other images.
        places: weight of the token grid; 0 for a plain contrastive loss.
    """

    def __init__(self, others: float = 1.0, places: float = 1.0) -> None:
        super().__init__()
        self.others, self.places = others, places
        self.dice = DiceLoss(sigmoid=True, reduction="none", smooth_nr=1.0, smooth_dr=1.0)

    def forward(self, logits: ImageTextLogits, label: Mapping[str, Tensor]) -> Tensor:
        """A scalar.

        Args:
            logits: of the encoder.
            label: ``truth``, ``located``, ``label``, ``asks`` and ``shows`` of a batch of
                :class:`monai_ext.data.image_text_dataset.ImageTextDataset`.
        """
        own = torch.arange(len(label["truth"]), device=logits.pairs.device)
        loss = F.binary_cross_entropy_with_logits(logits.pairs[own, own].float(), label["truth"])
        if self.others:
            known = self.known_of_others(label["asks"], label["shows"])
            sure = known >= 0
            each = F.binary_cross_entropy_with_logits(logits.pairs.float(), known.float(), reduction="none")
            loss = loss + self.others * (each * sure).sum() / sure.sum().clamp_min(1)
        if self.places:
            places = logits.places.float()
            grid = F.interpolate(label["label"], places.shape[-2:], mode="area")
            each = F.binary_cross_entropy_with_logits(places, grid, reduction="none").mean((2, 3))
            dice = self.dice(places, grid)[:, :, 0, 0] * grid.any(-1).any(-1)
            located = label["located"]
            loss = loss + self.places * ((each + dice) * located).sum() / located.sum().clamp_min(1)
        return loss

    @staticmethod
    def known_of_others(asks: Tensor, shows: Tensor) -> Tensor:
        """Truth (B, B, P) of the captions of each image about each other: 1, 0, or -1 where it is not known."""
        images, number = asks.shape
        known = shows[:, asks.clamp_min(0).flatten()].unflatten(1, (images, number))
        known = known.masked_fill((asks < 0)[None], -1)
        own = torch.eye(images, dtype=torch.bool, device=asks.device)
        return known.masked_fill(own[:, :, None], -1)
