"""From a batch with every kind of prompt to what a promptable decoder is asked in this step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from monai.engines import PrepareBatch
from torch import Tensor

KINDS = ("box", "box+points", "points", "point", "box+mask", "point+mask")


class PrepareVisualPrompts(PrepareBatch):
    """Draw one kind of prompt for the batch: what the network is given of the prompts that its items hold.

    - "box", "box+points", "box+mask", "point+mask": one mask is asked for.
    - "points": several masks, of which the best counts, since a point alone is ambiguous; "point": one mask.

    The number of points is drawn, too, up to all that there are (one for "point" and "point+mask"). Draws are
    torch's, whose state the checkpoint holds.

    Args:
        kinds: relative chance of each kind; those that are not named are never drawn.
        single: chance that "points" are a single one, as segment-everything asks.

    Raises:
        ValueError: when a kind is unknown.
    """

    def __init__(self, kinds: Mapping[str, float], single: float = 0.6) -> None:
        unknown = sorted(set(kinds) - set(KINDS))
        if unknown or not kinds:
            raise ValueError(f"kinds of prompts {unknown}; choose from {', '.join(KINDS)}.")
        self.kinds, self.single = dict(kinds), single

    def __call__(
        self,
        batchdata: Mapping[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor, tuple, dict[str, Any]]:
        """Image (B, 3, H, W), label (B, P, H, W), () and the keywords of the network's `forward`."""
        image, label = (
            batchdata[key].to(device, non_blocking=non_blocking, **kwargs) for key in ("image", "label")
        )
        names = list(self.kinds)
        kind = names[int(torch.multinomial(torch.tensor([float(self.kinds[name]) for name in names]), 1))]
        asked: dict[str, Any] = {"multimask": kind == "points"}
        if "box" in kind:
            asked["boxes"] = batchdata["boxes"].to(image.device)
        if "mask" in kind:
            asked["masks"] = batchdata["masks"].to(image.device)
        if "point" in kind:
            count = self._count(kind, batchdata["points"].shape[2])
            points, labels = batchdata["points"][:, :, :count], batchdata["point_labels"][:, :, :count]
            asked["points"] = points.to(image.device), labels.to(image.device)
        return image, label, (), asked

    def _count(self, kind: str, most: int) -> int:
        """How many of the points are given."""
        if kind in ("point", "point+mask") or (kind == "points" and float(torch.rand(())) < self.single):
            return 1
        return int(torch.randint(1, most + 1, ()))
