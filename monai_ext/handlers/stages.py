"""How well the stages of a method do before its last one: the best of its candidates, its saliency, its coarse mask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from monai.data import MetaTensor
from torch import Tensor

from monai_ext.errors import InputError
from monai_ext.handlers.compressed_masks import CompressedMasks
from monai_ext.io.slices import SliceView, slice_view
from monai_ext.networks.segmenter import Features, Prompt, Segmentation, TextPromptedSegmenter


@dataclass
class RecordedSlice:
    """What a network found in one slice on its way.

    Attributes:
        candidates: (K, H, W) masks among which prompts choose, or None.
        masks: for each prompt that the network was asked, (1, H, W) masks by the name of their stage.
        prompts: likewise ``saliency`` (h, w) float16, ``boxes`` (N, 4) and ``points`` (M, 2), for a picture of them.
    """

    candidates: CompressedMasks | None
    masks: list[dict[str, CompressedMasks]] = field(default_factory=list)
    prompts: list[dict[str, np.ndarray]] = field(default_factory=list)


class StageRecorder(TextPromptedSegmenter):
    """A network that keeps the stages of every slice it segments until a metric takes them.

    It stands between inferer and network, so that neither has to know of the metric, and nothing is done twice.

    Args:
        network: whose features hold ``candidates``, one :class:`~monai_ext.masks.Candidates` for each image, or whose
            stages hold ``masks``, (B, 1, H, W) bool by the name of the stage.
        explain: also keep what a picture of the stages needs, of a network whose stages hold ``saliency``
            (B, 1, h, w), ``boxes`` and ``points``, a list of (N, 4) and one of (M, 2).
    """

    def __init__(self, network: TextPromptedSegmenter, explain: bool = False) -> None:
        super().__init__()
        self.network = network
        self.explain = explain
        self.default_prompt = network.default_prompt
        self.kept: list[RecordedSlice] = []
        self._batch: list[RecordedSlice] = []  # the slices that were encoded last

    def encode(self, image: Tensor) -> Features:
        features = self.network.encode(image)
        found = features.get("candidates") or [None] * len(image)
        self._batch = [
            RecordedSlice(None if one is None else CompressedMasks.of(one.masks.cpu().numpy()))
            for one in found
        ]
        self.kept += self._batch
        return features

    def segment(self, features: Features, prompts: Sequence[Prompt]) -> Segmentation:
        return self._recorded(self.network.segment(features, prompts))

    def segment_all(
        self, features: Features, prompts: Sequence[Prompt], images: int
    ) -> Iterator[Segmentation]:
        for result in self.network.segment_all(features, prompts, images):
            yield self._recorded(result)

    def _recorded(self, result: Segmentation) -> Segmentation:
        """The result, its masks noted; raises ValueError when there are neither masks nor candidates."""
        stages = result.stages.get("masks", {})
        if not stages and any(one.candidates is None for one in self._batch):
            name = type(self.network).__name__
            raise ValueError(f"{name} has neither candidates nor masks of stages: leave the recorder out.")
        for number, one in enumerate(self._batch):
            one.masks.append(
                {name: CompressedMasks.of(mask[number].cpu().numpy()) for name, mask in stages.items()}
            )
            if self.explain:
                one.prompts.append(_drawable(result.stages, number, type(self.network).__name__))
        return result

    def why_unknown(self, prompt: Prompt) -> str:
        return self.network.why_unknown(prompt)

    def take(self, count: int) -> list[RecordedSlice]:
        """The slices that were encoded first, which are then forgotten.

        Raises:
            ValueError: when fewer were encoded.
        """
        if count > len(self.kept):
            raise ValueError(f"stages of {count} slices asked for, and {len(self.kept)} were encoded.")
        taken, self.kept = self.kept[:count], self.kept[count:]
        return taken


def _drawable(stages: Mapping[str, Any], number: int, network: str) -> dict[str, np.ndarray]:
    """What a picture shows of one image's stages; raises InputError where the method has no such stages."""
    if "saliency" not in stages:
        raise InputError(f"{network} makes no saliency map and no coarse mask: there is nothing to explain.")
    kept = {"saliency": stages["saliency"][number, 0].half()}
    kept |= {name: stages[name][number] for name in ("boxes", "points")}
    return {name: one.cpu().numpy() for name, one in kept.items()}


def shown_as(masks: Tensor) -> SliceView:
    """How :class:`monai_ext.inferers.PromptInferer` cut the case of these (P, H, W) or (P, X, Y, Z) masks."""
    if masks.ndim == 3:
        return SliceView(2, 0, 1)
    affine = masks.affine.cpu().numpy() if isinstance(masks, MetaTensor) else None
    return slice_view(masks.shape[1:], affine)


def stage_scores(
    recorded: Sequence[RecordedSlice], prompt: int | None, reference: Tensor, view: SliceView
) -> dict[str, float]:
    """How well each stage agrees with a reference.

    Args:
        recorded: the slices of a case, in the order of the view.
        prompt: which of the prompts that the network was asked, in their order; None: it was not asked.
        reference: (H, W) or (X, Y, Z), nonzero = inside.
        view: how it was cut.

    Returns:
        ``oracle_iou``, if there are candidates, and for each stage NAME of masks ``NAME_dice``; in [0, 1], NaN where
        the reference is empty.
    """
    volume = reference[None, ..., None] if reference.ndim == 2 else reference[None]
    slices = (view.show(volume)[:, 0] != 0).cpu().numpy()
    scores = {}
    candidates = [one.candidates for one in recorded if one.candidates is not None]
    if candidates:
        scores["oracle_iou"] = _oracle_iou(candidates, slices)
    for name in recorded[0].masks[0] if recorded and recorded[0].masks else ():
        masks = [None if prompt is None else one.masks[prompt][name] for one in recorded]
        scores[f"{name}_dice"] = _dice(masks, slices)
    return scores


def _oracle_iou(candidates: Sequence[CompressedMasks], slices: np.ndarray) -> float:
    """IoU of the candidate most like the reference; of a volume over all its slices, with nothing chosen where a slice
    has nothing of the reference."""
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


def _dice(masks: Sequence[CompressedMasks | None], slices: np.ndarray) -> float:
    common = total = 0
    for packed, truth in zip(masks, slices, strict=True):
        mask = np.zeros_like(truth) if packed is None else packed.masks()[0]
        common += int((mask & truth).sum())
        total += int(mask.sum()) + int(truth.sum())
    return 2 * common / total if slices.any() else float("nan")
