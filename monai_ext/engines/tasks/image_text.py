"""Images and captions: a vision-language encoder learns which belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from monai_ext.engines.prepare_batch import item_prompts
from monai_ext.engines.tasks.base import Move, TrainingTask, full_precision

LABELS = ("label", "truth", "located", "asks", "shows")


class ImageTextTask(TrainingTask):
    """A vision-language encoder learns from images with P captions each, true or not.

    Args:
        network: a :class:`~monai_ext.networks.encoders.vision_language.VisionLanguageEncoder`.
        loss: takes its :class:`~monai_ext.losses.image_text.ImageTextLogits` and the labels of the batch, such as
            :class:`~monai_ext.losses.image_text.ImageTextLoss`.
        module: see :class:`TrainingTask`.
    """

    def __init__(self, network: nn.Module, loss: Callable[..., Tensor], module: str = "") -> None:
        super().__init__(network, module=module)
        self.loss = loss

    def prepare_batch(self, batchdata: Mapping[str, Any], move: Move) -> dict[str, Any]:
        """``image``, ``captions`` (B lists of P) and ``labels``.

        Args:
            batchdata: collated items of :class:`monai_ext.data.image_text_dataset.ImageTextDataset`.
            move: see :meth:`TrainingTask.prepare_batch`.
        """
        image = move(batchdata["image"])
        labels = {key: move(batchdata[key]) for key in LABELS}
        return {"image": image, "captions": item_prompts(batchdata, len(image)), "labels": labels}

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        logits = self.network(batch["image"], captions=batch["captions"])
        with full_precision(batch["image"].device):
            return {"loss": self.loss(logits, batch["labels"])}
