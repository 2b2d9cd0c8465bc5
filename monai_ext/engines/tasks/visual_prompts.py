"""Masks by visual prompts: a decoder learns from boxes, points and rough masks of objects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from monai.engines import PrepareBatch
from torch import Tensor

from monai_ext.engines.tasks.base import Move, TrainingTask, full_precision
from monai_ext.networks.decoders.base import VisualPromptDecoder

KINDS = ("box", "box+points", "points", "point", "box+mask", "point+mask")


class VisualPromptTask(TrainingTask):
    """A decoder learns masks from one kind of visual prompt at a time, which is drawn for each batch.

    - "box", "box+points", "box+mask", "point+mask": one mask is asked for.
    - "points": several masks, of which the best counts, since a point alone is ambiguous; "point": one mask.

    The number of points is drawn, too, up to all that there are (one for "point" and "point+mask"). The draws are
    torch's, whose state the checkpoint holds.

    Args:
        network: segments by visual prompts.
        loss: takes logits (R, M, H, W), predicted IoU (R, M) and label (R, 1, H, W) of R prompts, such as
            :class:`monai_ext.losses.visual_prompt.VisualPromptLoss`.
        kinds: relative probability of each kind; those that are not named are never drawn.
        single: probability that "points" are a single one, as segment-everything asks.
        module: see :class:`TrainingTask`.

    Raises:
        ValueError: when a kind is unknown.
    """

    find_unused_parameters = True  # a box leaves the weights for points and for rough masks alone

    def __init__(
        self,
        network: VisualPromptDecoder,
        loss: Callable[..., Tensor],
        kinds: Mapping[str, float],
        single: float = 0.6,
        module: str = "",
    ) -> None:
        super().__init__(network, module=module)
        _check_kinds(kinds)
        self.loss, self.kinds, self.single = loss, dict(kinds), single

    def prepare_batch(self, batchdata: Mapping[str, Any], move: Move) -> dict[str, Any]:
        """The images, the labels of their objects, and one kind of visual prompt for all of them.

        Args:
            batchdata: collated items of :class:`monai_ext.data.visual_prompt_dataset.VisualPromptDataset`, which hold
                every kind of prompt.
            move: see :meth:`TrainingTask.prepare_batch`.

        Returns:
            ``image`` (B, 3, H, W), ``label`` (B, N, H, W) and ``prompts``, the keywords of the decoder's `forward`.
        """
        image, label = move(batchdata["image"]), move(batchdata["label"])
        names = list(self.kinds)
        kind = names[int(torch.multinomial(torch.tensor([float(self.kinds[name]) for name in names]), 1))]
        count = self._count(kind, batchdata["points"].shape[2]) if "point" in kind else 0
        return {"image": image, "label": label, "prompts": _asked(batchdata, kind, count, image.device)}

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        logits, iou = self.network(batch["image"], **batch["prompts"])
        label = batch["label"].flatten(0, 1)[:, None]
        with full_precision(label.device):
            return {"loss": self.loss(logits.flatten(0, 1), iou.flatten(0, 1).float(), label)}

    def _count(self, kind: str, most: int) -> int:
        """How many of the points are given."""
        if kind in ("point", "point+mask") or (kind == "points" and float(torch.rand(())) < self.single):
            return 1
        return int(torch.randint(1, most + 1, ()))


class PrepareVisualPrompts(PrepareBatch):
    """For evaluation: MONAI's evaluator asks the decoder by one kind of visual prompt.

    Args:
        kind: as in :class:`VisualPromptTask`; of several points the first is given.

    Raises:
        ValueError: when the kind is unknown.
    """

    def __init__(self, kind: str) -> None:
        _check_kinds([kind])
        self.kind = kind

    def __call__(
        self,
        batchdata: Mapping[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor, tuple, dict[str, Any]]:
        """Image (B, 3, H, W), label (B, 1, H, W), () and the keywords of the decoder's `forward`."""
        image, label = (
            batchdata[key].to(device, non_blocking=non_blocking, **kwargs) for key in ("image", "label")
        )
        return image, label, (), _asked(batchdata, self.kind, 1, image.device)


def _check_kinds(kinds: Collection[str]) -> None:
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise ValueError(f"kinds of prompts {unknown}; choose from {', '.join(KINDS)}.")


def _asked(batchdata: Mapping[str, Any], kind: str, count: int, device: torch.device) -> dict[str, Any]:
    """The keywords of the decoder's `forward`: the visual prompts of this kind, with the first `count` points."""
    asked: dict[str, Any] = {"multimask": kind == "points"}
    if "box" in kind:
        asked["boxes"] = batchdata["boxes"].to(device)
    if "mask" in kind:
        asked["masks"] = batchdata["masks"].to(device)
    if "point" in kind:
        points, labels = (batchdata[key][:, :, :count] for key in ("points", "point_labels"))
        asked["points"] = points.to(device), labels.to(device)
    return asked
