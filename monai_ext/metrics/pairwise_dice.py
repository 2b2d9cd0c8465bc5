"""Agreement of several masks of one thing with each other: mean pairwise Dice, also of masks that come piece by piece."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

MOST_MEMBERS = 12
"""Members are bits of an integer, and every combination of them is counted."""


class PairwiseDice:
    """Mean Dice over all pairs of M masks, of which a piece, such as a slice, is in memory at a time.

    The masks of all members lie in one integer per pixel, member i in bit i (:func:`member_bits`). How often each of the
    2**M combinations occurs is all that is kept: the sizes of the masks and of their intersections follow from it, to the
    last voxel, whatever the pieces were.

    Args:
        members: M, from 1 to :data:`MOST_MEMBERS`.

    Attributes:
        counts: (2**M,) int64, pixels by combination.

    Raises:
        ValueError: when the number of members is out of its range.
    """

    def __init__(self, members: int) -> None:
        if not 1 <= members <= MOST_MEMBERS:
            raise ValueError(f"{members} members; from 1 to {MOST_MEMBERS} are counted.")
        self.members = members
        self.counts = torch.zeros(2**members, dtype=torch.int64)

    def update(self, bits: Tensor) -> None:
        """Take a piece of the masks: integers of any shape, see :func:`member_bits`."""
        self.counts += torch.bincount(bits.flatten().long(), minlength=len(self.counts)).cpu()

    def sizes(self, kept: Sequence[bool] | None = None) -> Tensor:
        """(M, M) float64: voxels of each intersection, and on the diagonal of each mask.

        Args:
            kept: for each member whether its mask counts; one that does not is an empty mask. All count if None.
        """
        combinations = torch.arange(len(self.counts))[:, None]
        inside = ((combinations >> torch.arange(self.members)) & 1).double()
        if kept is not None:
            inside *= torch.tensor(list(kept)).double()
        return inside.T @ (self.counts.double()[:, None] * inside)

    def mean(self, kept: Sequence[bool] | None = None) -> float:
        """The mean Dice, in [0, 1], of all M (M - 1) / 2 pairs; NaN for a single member.

        Two empty masks agree: their Dice is 1. That of an empty mask and one that is not is 0.

        Args:
            kept: see :meth:`sizes`.
        """
        common = self.sizes(kept)
        size = common.diagonal()
        both = size[:, None] + size
        dice = torch.where(both > 0, 2 * common / both.clamp_min(1), 1.0)
        first, second = torch.triu_indices(self.members, self.members, offset=1)
        return float(dice[first, second].mean())


def member_bits(masks: Tensor) -> Tensor:
    """(...) int32 of (M, ...) masks: bit i is set where mask i is not 0."""
    weights = 2 ** torch.arange(len(masks), dtype=torch.int32, device=masks.device)
    return ((masks != 0).int() * weights.reshape(-1, *[1] * (masks.ndim - 1))).sum(0, dtype=torch.int32)


def mean_pairwise_dice(masks: Tensor) -> float:
    """Mean Dice over all pairs of (M, ...) masks that are all in memory, see :class:`PairwiseDice`."""
    counted = PairwiseDice(len(masks))
    counted.update(member_bits(masks))
    return counted.mean()
