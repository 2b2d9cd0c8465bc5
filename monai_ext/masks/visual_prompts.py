"""From a coarse mask to visual prompts: boxes and points."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.random import RandomState
from scipy.ndimage import find_objects
from torch import Tensor

from monai_ext.errors import InputError, check_choice
from monai_ext.masks.components import label_components

KINDS = ("boxes", "points", "boxes_and_points")
BOXES = ("components", "union")


@dataclass(frozen=True)
class BoxesAndPoints:
    """Visual prompts made from one mask, on its device.

    Attributes:
        boxes: (N, 4) float32, (x0, y0, x1, y1): first and last column and row, in pixels.
        points: (M, 2) float32, (x, y) in pixels, all in the foreground.
    """

    boxes: Tensor
    points: Tensor


class VisualPrompts:
    """Boxes around the components of a mask, points in it, or both.

    The points are a random choice of the mask's pixels without repetition. It depends on the mask, the seed and the run
    alone, neither on the other masks of a batch nor on earlier calls.

    Args:
        kind: ``boxes``, ``points`` or ``boxes_and_points``.
        boxes: ``components``, one box for each component in reading order, or ``union``, one box around all.
        count: number of points; MedCLIP-SAMv2 uses 5 to 10. Of a mask with fewer pixels all are points.
        seed: of the points.

    Raises:
        InputError: when a value is out of its range.
    """

    def __init__(
        self, kind: str = "boxes", boxes: str = "components", count: int = 10, seed: int = 0
    ) -> None:
        check_choice("kind", kind, KINDS)
        check_choice("boxes", boxes, BOXES)
        if count < 1 or seed < 0:
            raise InputError(f"count {count}, seed {seed}: one point is the least, and no seed is negative.")
        self.kind, self.boxes, self.count, self.seed = kind, boxes, count, seed

    def __call__(self, mask: Tensor, run: int = 0) -> BoxesAndPoints:
        """Visual prompts of one mask.

        Args:
            mask: (H, W) bool; an empty one has neither boxes nor points.
            run: number of the member of an ensemble; each draws points of its own, with seed + run.
        """
        none = mask.new_zeros(0, dtype=torch.float32)
        boxes = none.reshape(0, 4) if self.kind == "points" else self._boxes(mask)
        points = none.reshape(0, 2) if self.kind == "boxes" else self._points(mask, run)
        return BoxesAndPoints(boxes, points)

    def _boxes(self, mask: Tensor) -> Tensor:
        """Boxes (N, 4) of a mask (H, W)."""
        found = [
            [columns.start, rows.start, columns.stop - 1, rows.stop - 1]
            for rows, columns in find_objects(label_components(mask))
        ]
        boxes = torch.tensor(found, dtype=torch.float32, device=mask.device).reshape(-1, 4)
        if self.boxes == "union" and found:
            return torch.cat([boxes[:, :2].amin(0), boxes[:, 2:].amax(0)])[None]
        return boxes

    def _points(self, mask: Tensor, run: int) -> Tensor:
        """Points (M, 2) in a mask (H, W)."""
        pixels = mask.nonzero()
        if len(pixels) > self.count:  # numpy guarantees that the stream of this generator never changes
            chosen = RandomState(self.seed + run).permutation(len(pixels))[: self.count]
            pixels = pixels[torch.from_numpy(chosen).to(mask.device)]
        return pixels.flip(1).float()
