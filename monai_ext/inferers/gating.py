"""Presence: of a slice, which empties its mask, and of a case, which follows from its slices."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from monai_ext.networks.segmenter import Segmentation


def gated_probabilities(
    found: Segmentation, presence_threshold: float, gate: bool = True
) -> tuple[Tensor, Tensor | None]:
    """Presence and probabilities of N slices.

    Args:
        found: what a network found in them.
        presence_threshold: presence below which a slice is emptied.
        gate: False empties none.

    Returns:
        (N,) presences in [0, 1], CPU; (N, 1, H, W) probabilities in [0, 1], 0 in slices that are emptied, or None where
        all are.
    """
    presence = found.presence.float().sigmoid().cpu()
    absent = (presence < presence_threshold) & gate
    if absent.all():
        return presence, None
    probabilities = found.logits.float().sigmoid()
    probabilities[absent.to(probabilities.device)] = 0
    return presence, probabilities


def case_presence(slice_presence: Tensor, neighbour_share: float) -> Tensor:
    """(P, D) presences of slices to (P,) presences of the case, see :class:`monai_ext.inferers.PromptInferer`."""
    # an outer slice is its own neighbour
    padded = F.pad(slice_presence[:, None], (1, 1), mode="replicate")[:, 0]
    neighbours = (padded[:, :-2] + padded[:, 2:]) / 2
    return torch.lerp(slice_presence, neighbours, neighbour_share).amax(1)
