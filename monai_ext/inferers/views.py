"""Views of a slice that show the same thing elsewhere: mirrored, or moved a little. A mask is put back from each."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class View:
    """A view of slices: they are mirrored, then moved by a margin at some of their edges, in which the edge goes on.

    A margin moves what a slice shows against the grid of the network, and loses nothing of it.

    Attributes:
        mirrored: left and right are exchanged.
        left, top, right, bottom: width of each margin as a share of the width or the height, rounded to whole pixels,
            one at least where it is not 0.
    """

    mirrored: bool = False
    left: float = 0
    top: float = 0
    right: float = 0
    bottom: float = 0

    def show(self, slices: Tensor) -> Tensor:
        """(N, C, H, W) slices as the network sees them, a copy, (N, C, H + top + bottom, W + left + right)."""
        shown = slices.flip(-1) if self.mirrored else slices.clone()
        margins = self._margins(*slices.shape[-2:])
        return F.pad(shown, margins, mode="replicate") if any(margins) else shown

    def undo(self, found: Tensor, height: int, width: int) -> Tensor:
        """What was found in a view, (N, C, ...), where it lies in the slices, (N, C, height, width)."""
        left, _, top, _ = self._margins(height, width)
        inside = found[..., top : top + height, left : left + width]
        return inside.flip(-1) if self.mirrored else inside

    def _margins(self, height: int, width: int) -> tuple[int, int, int, int]:
        def pixels(share: float, size: int) -> int:
            return max(1, round(share * size)) if share else 0

        return (
            pixels(self.left, width),
            pixels(self.right, width),
            pixels(self.top, height),
            pixels(self.bottom, height),
        )


AS_IT_IS = View()
