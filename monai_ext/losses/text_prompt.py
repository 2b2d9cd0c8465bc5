"""Loss of text-prompted segmenters: of the mask where the target is present, of the presence everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from torch import Tensor, nn

from monai_ext.networks.segmenter import Segmentation


class TextPromptLoss(nn.Module):
    """Dice and cross-entropy of the mask, cross-entropy of the presence, and deep supervision.

    Dice is taken over the images whose target is present, since with an empty label it only counts false positives.
    Cross-entropy is taken over all images, with a lower weight where the target is absent.

    Args:
        dice: weight of the soft Dice loss.
        cross_entropy: weight of the mask's cross-entropy.
        presence: weight of the presence logit's cross-entropy.
        coarse: weight of Dice and cross-entropy of the logits (B, 1, H, W) in `aux["coarse"]`, where the network
            returns them (deep supervision).
        absent: weight of the mask's cross-entropy on images whose target is absent.
        medical: weight of the cross-entropy of the logit (B,) in `aux["medical"]`, where the network returns it and
            the label says which pictures are medical ones.
        fits: weight of the cross-entropy of the logits (B, N) in ``aux["fits"]``, where the network returns them, that
            each image is of a kind which may show what each of N further sentences names: half of it of those that it
            shows, half of those that it does not, since these are many more.
    """

    def __init__(
        self,
        dice: float = 1.0,
        cross_entropy: float = 1.0,
        presence: float = 0.3,
        coarse: float = 0.3,
        absent: float = 0.3,
        medical: float = 0.3,
        fits: float = 1.0,
    ) -> None:
        super().__init__()
        self.dice = DiceLoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0, reduction="none")
        self.weights = {"dice": dice, "cross_entropy": cross_entropy, "presence": presence, "coarse": coarse}
        self.absent = absent
        self.medical, self.fits = medical, fits

    def forward(
        self, result: Segmentation | Sequence[Segmentation], label: Tensor | Mapping[str, Tensor]
    ) -> Tensor:
        """The loss, a scalar.

        Args:
            result: of B images for one prompt each, or P such results, of P prompts for each image.
            label: (B, 1, H, W), or (B, P, H, W) for P results, in {0, 1}; or a mapping that holds it as ``label``, and maybe
                ``medical`` (B,), 1 for medical pictures and 0 for others, and ``asks`` (B, K), ``shows`` (B, T) of
                :class:`monai_ext.data.text_prompt_dataset.TextPromptDataset`, where N is B * K.
        """
        results = [result] if isinstance(result, Segmentation) else list(result)
        truth = {"label": label} if isinstance(label, Tensor) else label
        label = truth["label"]
        label = label.transpose(0, 1).flatten(0, 1).unsqueeze(1)  # prompt by prompt, as the results come
        there = label.flatten(1).amax(1)
        presence = torch.cat([one.presence for one in results])
        total = self.weights["presence"] * F.binary_cross_entropy_with_logits(presence, there)
        total = total + self._mask(torch.cat([one.logits for one in results]), label, there)
        if self.weights["coarse"] and all("coarse" in one.aux for one in results):
            coarse = torch.cat([one.aux["coarse"] for one in results])
            total = total + self.weights["coarse"] * self._mask(coarse, label, there)
        aux = results[0].aux
        if "medical" in truth and "medical" in aux:
            entropy = F.binary_cross_entropy_with_logits(aux["medical"].float(), truth["medical"])
            total = total + self.medical * entropy
        if "asks" in truth and "fits" in aux:
            total = total + self.fits * balanced_entropy(
                aux["fits"], truth["shows"][:, truth["asks"].flatten()]
            )
        return total

    def _mask(self, logits: Tensor, label: Tensor, there: Tensor) -> Tensor:
        weight = there + self.absent * (1 - there)
        entropy = F.binary_cross_entropy_with_logits(logits, label, reduction="none").flatten(1).mean(1)
        dice = self.dice(logits, label).flatten(1).mean(1)
        loss = self.weights["cross_entropy"] * (weight * entropy).mean()
        return loss + self.weights["dice"] * (there * dice).sum() / there.sum().clamp_min(1)


def balanced_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """The mean of the cross-entropy of what is true and of that of what is not, a scalar.

    Args:
        logits: (B, N).
        truth: (B, N), 1 for true, 0 for untrue, and negative where it is not known.
    """
    each = F.binary_cross_entropy_with_logits(logits.float(), (truth > 0).float(), reduction="none")
    parts = [(each * known).sum() / known.sum().clamp_min(1) for known in (truth > 0, truth == 0)]
    return torch.stack(parts).mean()
