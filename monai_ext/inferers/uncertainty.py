"""How sure a result is: each batch of slices is segmented by all members of each prompt, and only sums are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from monai_ext.inferers.gating import case_presence, gated_probabilities
from monai_ext.inferers.observer import StageObserver
from monai_ext.inferers.perturbations import Member
from monai_ext.inferers.traversal import device_of
from monai_ext.inferers.views import AS_IT_IS, View
from monai_ext.io.slices import SliceView
from monai_ext.metrics.pairwise_dice import PairwiseDice
from monai_ext.networks.segmenter import Features, Segmentation, TextPromptedSegmenter

LEVELS = 255
"""Entropy is kept as uint8: this many levels are one bit."""


class Gating(NamedTuple):
    """How presence empties masks, and where masks are cut, see :class:`monai_ext.inferers.PromptInferer`."""

    presence_threshold: float
    neighbour_share: float
    gate: bool
    mask_threshold: float


class UncertaintyObserver(StageObserver):
    """Measures one case while it is segmented: it sees each batch of slices, and asks the members about them.

    In memory there are the masks and summed probabilities of one batch of slices, whatever the number of slices. A member
    is gated by its own presence: in slices, and, for its mask, in the case as a whole, which is known at the end.

    Args:
        volume: (3, X, Y, Z), float in [0, 1].
        view: how it is cut.
        network: that is asked.
        members: by number of each prompt that is asked, the first being the prompt itself.
        gating: of the inferer.
        entropy: (P, X, Y, Z) uint8, zeros, that the entropy of the mean probability of the members is written into.
        observer: receives all that this one does.
    """

    def __init__(
        self,
        volume: Tensor,
        view: SliceView,
        network: TextPromptedSegmenter,
        members: Mapping[int, Sequence[Member]],
        gating: Gating,
        entropy: Tensor,
        observer: StageObserver | None = None,
    ) -> None:
        self.volume, self.view, self.network = volume, view, network
        self.members, self.gating, self.entropy, self.observer = members, gating, entropy, observer
        self.agreement = {prompt: PairwiseDice(len(several)) for prompt, several in members.items()}
        depth = volume.shape[1 + view.axis]
        self.presence = {prompt: torch.zeros(len(several), depth) for prompt, several in members.items()}
        self._slices = slice(0, 0)
        self._sums: dict[int, Tensor] = {}
        self._bits: dict[int, Tensor] = {}

    def start_case(self, view: SliceView, asked: Sequence[bool]) -> None:
        if self.observer is not None:
            self.observer.start_case(view, asked)

    def encoded(self, features: Features, start: int, stop: int) -> None:
        """Ask all members but the first, view by view: one encoding at a time is in memory."""
        if self.observer is not None:
            self.observer.encoded(features, start, stop)
        self._slices = slice(start, stop)
        device = device_of(self.network, self.volume.device)
        slices = self.view.show(self.volume, start, stop).to(device, torch.float32)
        shape = (len(slices), 1, *slices.shape[2:])
        self._sums = {prompt: torch.zeros(shape, device=device) for prompt in self.members}
        self._bits = {prompt: torch.zeros(shape, dtype=torch.int32, device=device) for prompt in self.members}
        for view, asked in self._by_view().items():
            shown = features if view == AS_IT_IS else self.network.encode(view.show(slices))
            prompts = [self.members[prompt][number].prompt for prompt, number in asked]
            results = self.network.segment_all(shown, prompts, len(slices))
            for (prompt, number), found in zip(asked, results, strict=True):
                self._take(prompt, number, found, view)

    def segmented(self, prompt: int, result: Segmentation) -> None:
        """Take the first member, which is the result itself; the slices are then complete for this prompt."""
        if self.observer is not None:
            self.observer.segmented(prompt, result)
        self._take(prompt, 0, result, AS_IT_IS)
        levels = LEVELS * binary_entropy(self._sums.pop(prompt) / len(self.members[prompt]))
        self.view.restore(levels.round().byte(), self.entropy[prompt : prompt + 1], self._slices.start)
        self.agreement[prompt].update(self._bits.pop(prompt))

    def figures(self, prompt: int) -> tuple[float, int, int]:
        """Of a prompt its quality, NaN where it has no mask; its number of members, and of those that found something."""
        if prompt not in self.members:
            return math.nan, 0, 0
        presence = case_presence(self.presence[prompt], self.gating.neighbour_share)
        kept = [not self.gating.gate or one >= self.gating.presence_threshold for one in presence.tolist()]
        sizes = self.agreement[prompt].sizes(kept).diagonal()
        quality = self.agreement[prompt].mean(kept) if sizes[0] else math.nan
        return quality, len(kept), int(sizes.count_nonzero())

    def _by_view(self) -> dict[View, list[tuple[int, int]]]:
        """The number of each prompt and of its member, by the view that the member has; without the first members."""
        views: dict[View, list[tuple[int, int]]] = {}
        for prompt, several in self.members.items():
            for number, member in enumerate(several[1:], start=1):
                views.setdefault(member.view, []).append((prompt, number))
        return views

    def _take(self, prompt: int, number: int, found: Segmentation, view: View) -> None:
        presence, probabilities = gated_probabilities(found, self.gating.presence_threshold, self.gating.gate)
        self.presence[prompt][number, self._slices] = presence
        if probabilities is not None:
            sums, bits = self._sums[prompt], self._bits[prompt]
            there = view.undo(probabilities, *sums.shape[2:])
            sums += there
            bits += (there > self.gating.mask_threshold).int() << number


def binary_entropy(probability: Tensor) -> Tensor:
    """Entropy in bits, in [0, 1], of probabilities (...) in [0, 1]: 0 where they are 0 or 1, 1 where they are 0.5."""
    entropy = torch.special.entr(probability) + torch.special.entr(1 - probability)
    return (entropy / math.log(2)).clamp(0, 1)


def uncertainty_meta(cases: Sequence[UncertaintyObserver], entropy: Tensor) -> dict[str, Any]:
    """What the metadata of the result of B cases say of its uncertainty.

    Args:
        cases: what observed each.
        entropy: (B, P, ...) uint8 of all of them.

    Returns:
        ``quality`` (B, P) float32, ``members`` and ``members_found`` (B, P) int64, and ``entropy`` as given.
    """
    rows = [[case.figures(prompt) for prompt in range(entropy.shape[1])] for case in cases]
    quality, members, found = (
        torch.tensor([[one[part] for one in row] for row in rows]) for part in range(3)
    )
    return {"quality": quality, "members": members, "members_found": found, "entropy": entropy}
