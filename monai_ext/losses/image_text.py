"""Loss of vision-language encoders, for pairs of image and caption that are true, false, or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from torch import Tensor, nn


@dataclass(frozen=True)
class ImageTextLogits:
    """Logits of a vision-language encoder for B images with P captions each.

    Attributes:
        pairs: (B, B, P), of each image with the captions of each image.
        patch_tokens: (B, P, h, w), of the patch tokens of each image with its own captions.
    """

    pairs: Tensor
    patch_tokens: Tensor


class ImageTextLoss(nn.Module):
    """Sigmoid contrastive loss of images (SigLIP, Zhai et al. 2023, arXiv:2303.15343), and a loss of patch tokens.

    The loss of images is a cross-entropy: the mean over each image with its own captions, whose truth may be soft, plus
    the mean over each image with the captions of other images where their truth is known. A plain contrastive loss would
    take the caption of one chest X-ray as false of another, though both show lungs. The loss of patch tokens is
    cross-entropy plus Dice of the token grid against the masks.

    Args:
        others: weight of the captions of other images.
        patch_tokens: weight of the token grid; 0 for a plain contrastive loss.
    """

    def __init__(self, others: float = 1.0, patch_tokens: float = 1.0) -> None:
        super().__init__()
        self.others, self.patch_tokens = others, patch_tokens
        self.dice = DiceLoss(sigmoid=True, reduction="none", smooth_nr=1.0, smooth_dr=1.0)

    def forward(self, logits: ImageTextLogits, label: Mapping[str, Tensor]) -> Tensor:
        """The loss, a scalar.

        Args:
            logits: of the encoder.
            label: ``truth``, ``located``, ``label``, ``asks`` and ``shows`` of a batch of
                :class:`monai_ext.data.image_text_dataset.ImageTextDataset`.
        """
        own = torch.arange(len(label["truth"]), device=logits.pairs.device)
        loss = F.binary_cross_entropy_with_logits(logits.pairs[own, own].float(), label["truth"])
        if self.others:
            truth = self.truth_of_others(label["asks"], label["shows"])
            known = truth >= 0
            each = F.binary_cross_entropy_with_logits(logits.pairs.float(), truth.float(), reduction="none")
            loss = loss + self.others * (each * known).sum() / known.sum().clamp_min(1)
        if self.patch_tokens:
            tokens = logits.patch_tokens.float()
            grid = F.interpolate(label["label"], tokens.shape[-2:], mode="area")
            each = F.binary_cross_entropy_with_logits(tokens, grid, reduction="none").mean((2, 3))
            dice = self.dice(tokens, grid)[:, :, 0, 0] * grid.any(-1).any(-1)
            located = label["located"]
            loss = loss + self.patch_tokens * ((each + dice) * located).sum() / located.sum().clamp_min(1)
        return loss

    @staticmethod
    def truth_of_others(asks: Tensor, shows: Tensor) -> Tensor:
        """Truth (B, B, P) of the captions of each image about every other: 1, 0, or -1 where it is unknown.

        It is -1, too, for an image with its own captions. `asks` (B, P) and `shows` (B, T) are those of
        :class:`monai_ext.data.image_text_dataset.ImageTextDataset`.
        """
        images, number = asks.shape
        truth = shows[:, asks.clamp_min(0).flatten()].unflatten(1, (images, number))
        truth = truth.masked_fill((asks < 0)[None], -1)
        own = torch.eye(images, dtype=torch.bool, device=asks.device)
        return truth.masked_fill(own[:, :, None], -1)
