"""Loss of visual-prompt decoders: SAM's and SAM-Med2D's focal and Dice loss, and the error of the predicted IoU."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss, FocalLoss
from torch import Tensor, nn


class VisualPromptLoss(nn.Module):
    """20 x focal loss (gamma 2, alpha .25) + Dice loss + mean squared error of the predicted IoU.

    Dice and IoU are computed for each mask, and the IoU is that of the thresholded mask, since its prediction ranks
    masks. Of several alternative masks of a prompt only the best is trained, so that they learn to differ (Kirillov et
    al. 2023); the predicted IoU is trained for all of them. With `as_published` Dice and IoU are those of all masks of
    the batch together, and the IoU is that of probabilities (the code of SAM-Med2D, Cheng et al. 2023).

    Args:
        focal: weight of the focal loss.
        dice: weight of the Dice loss.
        iou: weight of the error of the predicted IoU.
        as_published: see above.
        gamma, alpha: of the focal loss; with 0 and None it is the cross-entropy.
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

    def terms(self, logits: Tensor, iou: Tensor, label: Tensor) -> dict[str, Tensor]:
        """The three losses as unweighted scalars, ``focal``, ``dice`` and ``iou``; see :meth:`forward`."""
        prompts, number = logits.shape[:2]
        if label.shape != (prompts, 1, *logits.shape[2:]) or iou.shape != (prompts, number):
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
    def _best_index(self, logits: Tensor, label: Tensor) -> Tensor:
        """(R,): the index of each prompt's mask with the lowest focal and Dice loss."""
        every = label.expand_as(logits)
        focal = self.each_focal(logits, every).mean((2, 3))
        dice = self.each_dice(logits, every).flatten(1)
        return (self.weights["focal"] * focal + self.weights["dice"] * dice).argmin(1)

    def _best(self, logits: Tensor, label: Tensor) -> Tensor:
        """(R, 1, H, W): the logits of each prompt's mask with the lowest loss."""
        prompts = torch.arange(len(logits), device=logits.device)
        return logits[prompts, self._best_index(logits, label)][:, None]

    def forward(self, logits: Tensor, iou: Tensor, label: Tensor) -> Tensor:
        """The weighted sum of all terms, a scalar.

        Args:
            logits: (R, M, H, W), M masks for each of R prompts; of a decoder's (B, N, M, H, W) ``flatten(0, 1)``.
            iou: predicted IoU (R, M).
            label: (R, 1, H, W) in {0, 1}.

        Raises:
            ValueError: when the shapes do not fit, or with `as_published` M is not 1.
        """
        terms = self.terms(logits, iou, label)
        return sum((self.weights[name] * term for name, term in terms.items()), logits.new_zeros(()))
