"""How a batch of pictures with captions reaches a vision-language encoder in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from monai_ext.engines.prepare_batch import item_prompts

LABELS = ("label", "truth", "located", "asks", "shows")


def prepare_image_text_batch(
    batchdata: Mapping[str, Any],
    device: str | torch.device | None = None,
    non_blocking: bool = False,
    **kwargs: Any,
) -> tuple[Tensor, dict[str, Tensor], tuple, dict[str, Any]]:
    """Image, what :class:`monai_ext.losses.image_text.ImageTextLoss` reads, () and ``{"captions": B lists of P}``.

    Args:
        batchdata: collated items of :class:`monai_ext.data.image_text_dataset.ImageTextDataset`.
        device: where tensors move.
        non_blocking: see :meth:`torch.Tensor.to`.
        kwargs: other arguments of :meth:`torch.Tensor.to`.
    """
    image = batchdata["image"].to(device, non_blocking=non_blocking, **kwargs)
    labels = {key: batchdata[key].to(device, non_blocking=non_blocking) for key in LABELS}
    return image, labels, (), {"captions": item_prompts(batchdata, len(image))}
