"""How well the best candidate of an image would have done: what the proposals allow, whoever picks among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from monai.data import MetaTensor
from torch import Tensor

from monai_ext.data.slices import SliceView, slice_view
from monai_ext.handlers.packed import PackedMasks
from monai_ext.networks.segmenter import Features, Prompt, PromptedSegmenter, Segmentation


class CandidateRecorder(PromptedSegmenter):
    """A network that keeps the candidates of every slice it encodes until a metric takes them.

    It stands between inferer and network, so that neither has to know of the metric, and candidates are made once.

    Args:
        network: whose features hold ``candidates``, one :class:`~monai_ext.masks.Candidates` for each image.
    """

    def __init__(self, network: PromptedSegmenter) -> None:
        super().__init__()
        self.network = network
        self.default_prompt = network.default_prompt
        self.kept: list[PackedMasks] = []

    def encode(self, image: Tensor) -> Features:
        """As the network; raises ValueError when its features hold no candidates."""
        features = self.network.encode(image)
        if "candidates" not in features:
            raise ValueError(f"{type(self.network).__name__} proposes no candidates: leave the recorder out.")
        self.kept += [PackedMasks.of(found.masks.cpu().numpy()) for found in features["candidates"]]
        return features

    def segment(self, features: Features, prompts: Sequence[Prompt]) -> Segmentation:
        return self.network.segment(features, prompts)

    def segment_all(
        self, features: Features, prompts: Sequence[Prompt], images: int
    ) -> Iterator[Segmentation]:
        return self.network.segment_all(features, prompts, images)

    def why_unknown(self, prompt: Prompt) -> str:
        return self.network.why_unknown(prompt)

    def take(self, count: int) -> list[PackedMasks]:
        """The candidates of the slices that were encoded first, which are then forgotten.

        Raises:
            ValueError: when fewer were encoded.
        """
        if count > len(self.kept):
            raise ValueError(f"candidates of {count} slices asked for, and {len(self.kept)} were encoded.")
        taken, self.kept = self.kept[:count], self.kept[count:]
        return taken


def shown_as(masks: Tensor) -> SliceView:
    """How :class:`monai_ext.inferers.PromptInferer` cut the case of these (P, H, W) or (P, X, Y, Z) masks."""
    if masks.ndim == 3:
        return SliceView(2, 0, 1)
    affine = masks.affine.cpu().numpy() if isinstance(masks, MetaTensor) else None
    return slice_view(masks.shape[1:], affine)


def oracle_iou(candidates: Sequence[PackedMasks], reference: Tensor, view: SliceView) -> float:
    """IoU of a reference with the candidate that is most like it, in each slice.

    Args:
        candidates: of each slice, in the order of the view.
        reference: (H, W) or (X, Y, Z), nonzero = inside.
        view: how it was cut.

    Returns:
        in [0, 1]; of a volume over all its slices, with nothing chosen where a slice has nothing of the reference; NaN
        where the reference is empty.
    """
    volume = reference[None, ..., None] if reference.ndim == 2 else reference[None]
    slices = (view.show(volume)[:, 0] != 0).cpu().numpy()
    common = united = 0
    for packed, truth in zip(candidates, slices, strict=True):
        if not truth.any():
            continue
        masks = packed.masks()
        both = (masks & truth).sum((1, 2), dtype=np.int64)
        either = masks.sum((1, 2), dtype=np.int64) + truth.sum() - both
        best = int((both / either).argmax()) if len(masks) else None
        common += 0 if best is None else int(both[best])
        united += int(truth.sum() if best is None else either[best])
    return common / united if united else float("nan")
