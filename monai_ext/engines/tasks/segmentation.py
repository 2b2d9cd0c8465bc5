"""Segmentation by text: images with text prompts and a label for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from monai_ext.engines.prepare_batch import item_prompts
from monai_ext.engines.tasks.base import Move, TrainingTask, full_precision
from monai_ext.errors import InputError
from monai_ext.networks.segmenter import TextPromptedSegmenter


class SegmentationTask(TrainingTask):
    """A text-prompted segmenter learns masks, and whether what the prompt names is there.

    Args:
        network: segments.
        loss: takes one :class:`~monai_ext.networks.segmenter.Segmentation`, or a list of P, and the target of
            :meth:`prepare_batch`, such as :class:`monai_ext.losses.TextPromptLoss`.
        reference: of a subclass whose loss compares with one, see :class:`TrainingTask`.
    """

    def __init__(
        self,
        network: TextPromptedSegmenter,
        loss: Callable[..., Tensor],
        reference: TextPromptedSegmenter | None = None,
    ) -> None:
        super().__init__(network, reference)
        self.loss = loss

    def prepare_batch(self, batchdata: Mapping[str, Any], move: Move) -> dict[str, Any]:
        """The images, their text prompts and labels.

        Args:
            batchdata: ``image`` (B, 3, H, W), ``label`` (B, P, H, W), and ``prompt``: a list of P strings, or
                one string where P is 1, for each of the B items; maybe ``medical`` (B,), and ``asked``, K strings an
                item, with ``asks`` (B, K) and ``shows`` (B, T): see the loss.
            move: see :meth:`TrainingTask.prepare_batch`.

        Returns:
            ``image``; ``prompt``, B strings, or B lists of P; ``asked``, B lists of K, or None; ``target``, the label, or
            a mapping of it and what else the batch holds of ``medical``, ``asks`` and ``shows``.

        Raises:
            InputError: when an item has no prompt, there is no label, or one is not for every prompt.
        """
        if "label" not in batchdata:
            raise InputError("training batch without the key 'label'; every training item needs one.")
        images, labels = move(batchdata["image"]), move(batchdata["label"])
        prompts = item_prompts(batchdata, len(images))
        if any(len(one) != labels.shape[1] for one in prompts):
            raise InputError(
                f"training items with {sorted({len(one) for one in prompts})} prompts and {labels.shape[1]} label "
                "channels; one channel per prompt is needed."
            )
        further = {key: move(batchdata[key]) for key in ("asks", "shows") if key in batchdata}
        if "medical" in batchdata:
            further["medical"] = batchdata["medical"].to(labels)
        alone = labels.shape[1] == 1
        return {
            "image": images,
            "prompt": [one[0] for one in prompts] if alone else prompts,
            "asked": item_prompts(batchdata, len(images), "asked") if "asked" in batchdata else None,
            "target": {"label": labels, **further} if further else labels,
        }

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        result = self.network(batch["image"], batch["prompt"], full=True, asked=batch["asked"])
        with full_precision(batch["image"].device):
            return {"loss": self.loss(result, batch["target"])}
