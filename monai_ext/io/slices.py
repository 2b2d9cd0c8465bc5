"""Cut a volume into slices as a radiologist sees them, and put results back in array order."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nibabel.orientations import io_orientation
from torch import Tensor

from monai_ext.errors import InputError

COARSER = 1.25
"""An axis is the slice axis when its spacing is at least this many times each other spacing."""


@dataclass(frozen=True)
class SliceView:
    """How the slices of one volume lie in its array, and how they are turned for display.

    Attributes:
        axis: spatial array axis (0, 1, 2) across which the slices are stacked.
        rows: spatial array axis that runs down the displayed slice.
        columns: spatial array axis that runs to the right of the displayed slice.
        flip_rows: the displayed rows run against the array order.
        flip_columns: the displayed columns run against the array order.
    """

    axis: int
    rows: int
    columns: int
    flip_rows: bool = False
    flip_columns: bool = False

    def show(self, volume: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
        """Slices ``start`` to ``stop`` of a (C, X, Y, Z) volume, as displayed: (slices, C, rows, columns)."""
        return self._turn(self._stack(volume, start, stop))

    def restore(self, shown: Tensor, volume: Tensor, start: int = 0) -> None:
        """Write displayed (slices, C, rows, columns) values into a (C, X, Y, Z) volume, from slice ``start``.

        The values move to the device and dtype of the volume.
        """
        self._stack(volume, start, start + shown.shape[0]).copy_(self._turn(shown))

    def _stack(self, volume: Tensor, start: int, stop: int | None) -> Tensor:
        count = (volume.shape[1 + self.axis] if stop is None else stop) - start
        slices = volume.narrow(1 + self.axis, start, count)
        return slices.permute(1 + self.axis, 0, 1 + self.rows, 1 + self.columns)

    def _turn(self, slices: Tensor) -> Tensor:
        dims = [dim for dim, flip in ((2, self.flip_rows), (3, self.flip_columns)) if flip]
        return slices.flip(dims) if dims else slices


def view_of(volume: Tensor) -> SliceView:
    """The :func:`slice_view` of a volume (C, X, Y, Z), by affine and ``slice_normal`` of its metadata if it has any."""
    affine = getattr(volume, "affine", None)
    normal = getattr(volume, "meta", {}).get("slice_normal")
    return slice_view(volume.shape[1:], None if affine is None else np.asarray(affine.cpu()), normal=normal)


def slice_view(
    shape: Sequence[int],
    affine: np.ndarray | None,
    axis: int | None = None,
    normal: Sequence[float] | np.ndarray | Tensor | None = None,
) -> SliceView:
    """Choose the slice axis of a volume and the radiological display of its slices.

    The slice axis is one of size 1; else the one along the stated `normal`, where the largest spacing is at least 1.25
    times the smallest; else the axis whose spacing is at least 1.25 times both others; else the one closest to the
    body's long axis (axial slices). Axial slices show anterior at the top
    and the patient's right on the left; coronal ones superior at the top and the patient's right on
    the left; sagittal ones superior at the top and anterior on the left. Oblique volumes are shown
    along the closest axes.

    Args:
        shape: (X, Y, Z) voxels.
        affine: (4, 4) voxel index to RAS millimetres; None where unknown: the last axis is cut and
            shown as stored, with a warning.
        axis: cut across this array axis (0, 1, 2) instead.
        normal: (3,) RAS, across the slices that the scanner made, as the file states it; zeros or None if it
            does not.

    Raises:
        InputError: when the affine is not 4 x 4, not finite or singular.
    """
    single = [a for a in range(3) if shape[a] == 1]
    if affine is None:
        if axis is None:
            axis = single[-1] if single else 2
        warnings.warn(
            f"The volume has no affine: slices are cut across array axis {axis} and shown as stored. "
            "Pass a MetaTensor with an affine if left and right matter.",
            stacklevel=2,
        )
        rows, columns = (a for a in range(3) if a != axis)
        return SliceView(axis, rows, columns)

    orientation = io_orientation(check_affine(affine))
    world = [int(w) for w in orientation[:, 0]]  # the RAS axis closest to each array axis
    if axis is None:
        directions = np.asarray(affine, dtype=np.float64)[:3, :3]
        spacing = np.linalg.norm(directions, axis=0)
        along = np.zeros(3) if normal is None else np.abs(np.asarray(normal) @ directions) / spacing
        axis = _slice_axis(single, spacing, world, int(along.argmax()) if along.any() else None)
    # All three displays run against RAS: rows to posterior or inferior, columns to left or posterior.
    row_world, column_world = {2: (1, 0), 1: (2, 0), 0: (2, 1)}[world[axis]]
    rows, columns = world.index(row_world), world.index(column_world)
    return SliceView(axis, rows, columns, bool(orientation[rows, 1] > 0), bool(orientation[columns, 1] > 0))


def check_affine(affine: np.ndarray) -> np.ndarray:
    """The affine as (4, 4) float64.

    Raises:
        InputError: when it is not 4 x 4, not finite or singular.
    """
    affine = np.asarray(affine, dtype=np.float64)
    if affine.shape != (4, 4):
        raise InputError(f"affine of shape {affine.shape}: a volume needs 4 x 4 (voxel index to RAS mm).")
    if not np.isfinite(affine).all():
        raise InputError("affine with NaN or infinite values: repair the file's orientation header.")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if abs(np.linalg.det(affine[:3, :3])) <= 1e-6 * spacing.prod():
        raise InputError(
            f"singular affine (spacing {', '.join(f'{s:g}' for s in spacing)} mm): "
            "two axes coincide or one has no length; repair the file's orientation header."
        )
    return affine


def _slice_axis(single: Sequence[int], spacing: np.ndarray, world: Sequence[int], stated: int | None) -> int:
    axial = world.index(2)
    if single:
        return axial if axial in single else single[0]
    # Affines stored as float32 miss a spacing ratio of exactly 1.25 by some 1e-7.
    coarser = spacing >= spacing.min() * COARSER * (1 - 1e-5)
    if stated is not None and coarser.any():
        return stated
    coarsest = int(spacing.argmax())
    if (np.delete(spacing, coarsest) * COARSER * (1 - 1e-5) <= spacing[coarsest]).all():
        return coarsest
    return axial
