"""Loss of promptable decoders: SAM's and SAM-Med2D's focal and Dice loss, and the error of the predicted IoU."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss, FocalLoss
from torch import Tensor, nn


class VisualPromptLoss(nn.Module):
    """20 x focal loss (gamma 2, alpha .25) + Dice loss + mean squared error of the predicted IoU.

    Dice and IoU are taken of each mask, the IoU of the thresholded mask, which is what the prediction is used to
    rank. Of several masks for one prompt only the best is trained, so that they come to differ (Kirillov et al. 2023);
    the IoU is learnt for all of them. With `as_published` both are of all masks of the batch together, and the IoU is that of probabilities
    (the code of SAM-Med2D, Cheng et al. 2023).

    Args:
        focal: weight of the focal loss.
        dice: weight of the Dice loss.
        iou: weight of the error of the predicted IoU.
        as_published: see above.
        gamma, alpha: of the focal loss; 0 and None make it the plain cross-entropy.
    """

    def __init__(
        self,
        focal: float = 20.0,
        dice: float = 1.0,
        iou: float = 1.0,
        as_published: bool = False,
        gamma: float = 2.0,
        alpha: float | None = 0.25,
    ) -> None:
        super().__init__()
        self.weights = {"focal": focal, "dice": dice, "iou": iou}
        self.as_published = as_published
        self.focal = FocalLoss(gamma=gamma, alpha=alpha)
        self.dice = DiceLoss(sigmoid=True, batch=as_published, smooth_nr=1.0, smooth_dr=1.0)
        self.each_focal = FocalLoss(gamma=gamma, alpha=alpha, reduction="none")
        self.each_dice = DiceLoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0, reduction="none")

    def parts(self, logits: Tensor, iou: Tensor, label: Tensor) -> dict[str, Tensor]:
        """The three scalars, unweighted; see :meth:`forward`."""
        rows, number = logits.shape[:2]
        if label.shape != (rows, 1, *logits.shape[2:]) or iou.shape != (rows, number):
            raise ValueError(
                f"logits {tuple(logits.shape)}, IoU {tuple(iou.shape)}, label {tuple(label.shape)}; "
                "(R, M, H, W), (R, M) and (R, 1, H, W) are needed."
            )
        if self.as_published and number > 1:
            raise ValueError(f"{number} masks for each prompt; as published there is one.")
        mask = logits.detach() > 0 if not self.as_published else logits.sigmoid()
        axes = (0, 1, 2, 3) if self.as_published else (2, 3)
        common = (mask * label).sum(axes)
        true_iou = (common + 1e-7) / (mask.sum(axes) + label.sum(axes) - common + 1e-7)
        best = logits if number == 1 else self._best(logits, label)
        return {
            "focal": self.focal(best, label),
            "dice": self.dice(best, label),
            "iou": (iou - true_iou).square().mean(),
        }

    @torch.no_grad()
    def _which(self, logits: Tensor, label: Tensor) -> Tensor:
        """(R,): of each prompt's masks the one with the least focal and Dice loss."""
        every = label.expand_as(logits)
        focal = self.each_focal(logits, every).mean((2, 3))
        dice = self.each_dice(logits, every).flatten(1)
        return (self.weights["focal"] * focal + self.weights["dice"] * dice).argmin(1)

    def _best(self, logits: Tensor, label: Tensor) -> Tensor:
        """(R, 1, H, W): that one's logits."""
        rows = torch.arange(len(logits), device=logits.device)
        return logits[rows, self._which(logits, label)][:, None]

    def forward(self, logits: Tensor, iou: Tensor, label: Tensor) -> Tensor:
        """Weighted sum, a scalar; (B, N, M, H, W) of a promptable decoder goes in as ``flatten(0, 1)``.

        Args:
            logits: (R, M, H, W), M masks for each of R prompts.
            iou: predicted, (R, M).
            label: (R, 1, H, W) in {0, 1}.

        Raises:
            ValueError: when the shapes do not fit, or M is not 1 as published.
        """
        parts = self.parts(logits, iou, label)
        return sum((self.weights[name] * part for name, part in parts.items()), logits.new_zeros(()))


class DecodedLoss(VisualPromptLoss):
    """:class:`VisualPromptLoss` of what a promptable decoder returns, as a trainer hands it over."""

    def forward(self, found: tuple[Tensor, Tensor], label: Tensor) -> Tensor:  # type: ignore[override]
        """A scalar.

        Args:
            found: logits (B, N, M, H, W) and predicted IoU (B, N, M) of N prompts for each image.
            label: (B, N, H, W) in {0, 1}.
        """
        logits, iou = found
        return super().forward(logits.flatten(0, 1), iou.flatten(0, 1).float(), label.flatten(0, 1)[:, None])
