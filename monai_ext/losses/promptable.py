"""Loss of promptable decoders: SAM's and SAM-Med2D's focal and Dice loss, and the error of the predicted IoU."""

from __future__ import annotations

from monai.losses import DiceLoss, FocalLoss
from torch import Tensor, nn


class PromptableLoss(nn.Module):
    """20 x focal loss (gamma 2, alpha .25) + Dice loss + mean squared error of the predicted IoU.

    Dice and IoU are taken of each mask, the IoU of the thresholded mask, which is what the prediction is used to
    rank. With `as_published` both are of all masks of the batch together, and the IoU is that of probabilities
    (the code of SAM-Med2D, Cheng et al. 2023).

    Args:
        focal: weight of the focal loss.
        dice: weight of the Dice loss.
        iou: weight of the error of the predicted IoU.
        as_published: see above.
    """

    def __init__(
        self, focal: float = 20.0, dice: float = 1.0, iou: float = 1.0, as_published: bool = False
    ) -> None:
        super().__init__()
        self.weights = {"focal": focal, "dice": dice, "iou": iou}
        self.as_published = as_published
        self.focal = FocalLoss(gamma=2.0, alpha=0.25)
        self.dice = DiceLoss(sigmoid=True, batch=as_published, smooth_nr=1.0, smooth_dr=1.0)

    def parts(self, logits: Tensor, iou: Tensor, label: Tensor) -> dict[str, Tensor]:
        """The three scalars, unweighted, of R masks: logits and label (R, 1, H, W), predicted IoU (R, 1)."""
        if logits.shape != label.shape or iou.shape != logits.shape[:2]:
            raise ValueError(
                f"logits {tuple(logits.shape)}, IoU {tuple(iou.shape)}, label {tuple(label.shape)}; "
                "(R, 1, H, W), (R, 1) and (R, 1, H, W) are needed."
            )
        mask = logits.detach() > 0 if not self.as_published else logits.sigmoid()
        axes = (0, 1, 2, 3) if self.as_published else (2, 3)
        common = (mask * label).sum(axes)
        true_iou = (common + 1e-7) / (mask.sum(axes) + label.sum(axes) - common + 1e-7)
        return {
            "focal": self.focal(logits, label),
            "dice": self.dice(logits, label),
            "iou": (iou - true_iou).square().mean(),
        }

    def forward(self, logits: Tensor, iou: Tensor, label: Tensor) -> Tensor:
        """Weighted sum, a scalar; (B, N, M, H, W) of a promptable decoder goes in as ``flatten(0, 1)``.

        Args:
            logits: (R, 1, H, W).
            iou: predicted, (R, 1).
            label: (R, 1, H, W) in {0, 1}.

        Raises:
            ValueError: when the shapes differ.
        """
        parts = self.parts(logits, iou, label)
        return sum((self.weights[name] * part for name, part in parts.items()), logits.new_zeros(()))
