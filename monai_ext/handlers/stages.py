"""How well the stages of a method do before its last one: the best of its candidates, its saliency, its coarse mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from monai_ext.errors import InputError
from monai_ext.inferers.observer import StageObserver
from monai_ext.io.slices import SliceView
from monai_ext.masks.compressed import CompressedMasks
from monai_ext.networks.segmenter import Features, Segmentation


@dataclass
class RecordedSlice:
    """What a network found in one slice on its way to the masks.

    Attributes:
        candidates: (K, H, W) masks among which prompts choose, or None.
        masks: by the number of the prompt, (1, H, W) masks by the name of their stage.
        drawings: likewise ``saliency`` (h, w) float16, ``boxes`` (N, 4) and ``points`` (M, 2), for a picture of them.
    """

    candidates: CompressedMasks | None
    masks: dict[int, dict[str, CompressedMasks]] = field(default_factory=dict)
    drawings: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)


@dataclass
class RecordedCase:
    """The slices of one case.

    Attributes:
        view: how the case was cut.
        asked: for each prompt whether the network was asked it.
        slices: in the order of the view.
    """

    view: SliceView
    asked: Sequence[bool]
    slices: list[RecordedSlice] = field(default_factory=list)


class StageRecorder(StageObserver):
    """Keeps the stages of every case until a handler takes them, so that nothing is computed twice.

    A network's features hold ``candidates``, one :class:`~monai_ext.masks.Candidates` for each image, or its stages hold
    ``masks``, (B, 1, H, W) bool by the name of the stage.

    Args:
        explain: also keep what a picture of the stages needs, of a network whose stages hold ``saliency``
            (B, 1, h, w), ``boxes`` and ``points``, a list of (N, 4) and one of (M, 2).
    """

    def __init__(self, explain: bool = False) -> None:
        self.explain = explain
        self.cases: list[RecordedCase] = []
        self._batch: list[RecordedSlice] = []  # the slices that were encoded last

    def start_case(self, view: SliceView, asked: Sequence[bool]) -> None:
        self.cases.append(RecordedCase(view, tuple(asked)))

    def encoded(self, features: Features, start: int, stop: int) -> None:
        found = features.get("candidates") or [None] * (stop - start)
        self._batch = [
            RecordedSlice(None if one is None else CompressedMasks.of(one.masks.cpu().numpy()))
            for one in found
        ]
        self.cases[-1].slices += self._batch

    def segmented(self, prompt: int, result: Segmentation) -> None:
        """Keep the masks of the stages.

        Raises:
            InputError: when there are neither masks nor candidates, or nothing to explain.
        """
        stages = result.stages.get("masks", {})
        if not stages and any(one.candidates is None for one in self._batch):
            raise InputError(
                "the network has neither candidates nor masks of stages; leave the StageRecorder out."
            )
        for number, one in enumerate(self._batch):
            one.masks[prompt] = {
                name: CompressedMasks.of(mask[number].cpu().numpy()) for name, mask in stages.items()
            }
            if self.explain:
                one.drawings[prompt] = _drawing(result.stages, number)

    def clear(self) -> None:
        """Forget all cases, as at the start of a run."""
        self.cases.clear()

    def take(self) -> RecordedCase:
        """The case that was segmented first, which is then forgotten.

        Raises:
            ValueError: when there is none.
        """
        if not self.cases:
            raise ValueError("stages of a case were asked for, and none was segmented since.")
        return self.cases.pop(0)


def _drawing(stages: Mapping[str, Any], number: int) -> dict[str, np.ndarray]:
    """What a picture shows of one image's stages; raises InputError where the method has no such stages."""
    if "saliency" not in stages:
        raise InputError(
            "the method makes no saliency map and no coarse mask: there is nothing to explain; choose another"
            " method, or leave explain out."
        )
    kept = {"saliency": stages["saliency"][number, 0].half()}
    kept |= {name: stages[name][number] for name in ("boxes", "points")}
    return {name: one.cpu().numpy() for name, one in kept.items()}


def stage_scores(case: RecordedCase, prompt: int, reference: Tensor) -> dict[str, float]:
    """How well each stage agrees with a reference.

    Args:
        case: as it was recorded.
        prompt: its number; where the network was not asked it, all masks count as empty.
        reference: (H, W) or (X, Y, Z), nonzero = inside.

    Returns:
        ``oracle_iou``, if there are candidates, and for each stage NAME of masks ``NAME_dice``; in [0, 1], NaN where
        the reference is empty.
    """
    volume = reference[None, ..., None] if reference.ndim == 2 else reference[None]
    slices = (case.view.show(volume)[:, 0] != 0).cpu().numpy()
    scores = {}
    candidates = [one.candidates for one in case.slices if one.candidates is not None]
    if candidates:
        scores["oracle_iou"] = _oracle_iou(candidates, slices)
    names = {name: None for one in case.slices for stages in one.masks.values() for name in stages}
    for name in names:
        masks = [one.masks[prompt][name] if case.asked[prompt] else None for one in case.slices]
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
