"""One volume stored in each of the 48 ways an array can lie along the axes of the body."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import torch
from monai.data import MetaTensor
from nibabel.orientations import apply_orientation, inv_ornt_aff, ornt_transform

ALL_48 = [
    np.array([[axis, flip] for axis, flip in zip(order, flips)], dtype=float)
    for order in permutations(range(3))
    for flips in product((1, -1), repeat=3)
]
"""nibabel orientations from (X, Y, Z): the axis each array axis goes to, and whether it is turned."""

IDS = [f"{''.join(str(int(a)) for a, _ in o)}{''.join('+' if f > 0 else '-' for _, f in o)}" for o in ALL_48]
_STORED = np.array([[0, 1], [1, 1], [2, 1]], dtype=float)


def stored_as(volume: np.ndarray, affine: np.ndarray, orientation: np.ndarray) -> MetaTensor:
    """(1, 3, ...) batch of a (X, Y, Z) volume stored in another orientation: same voxels, same places."""
    array = apply_orientation(volume, orientation).copy()
    new_affine = affine @ inv_ornt_aff(orientation, volume.shape)
    image = torch.from_numpy(array).float().expand(1, 3, *array.shape)
    return MetaTensor(image, affine=torch.from_numpy(new_affine))


def as_before(volume: np.ndarray, orientation: np.ndarray) -> np.ndarray:
    """A (X', Y', Z') volume in the order it had before ``stored_as``."""
    return apply_orientation(volume, ornt_transform(_STORED, orientation)).copy()


def rotation(*degrees: float) -> np.ndarray:
    """(3, 3) rotation about the RAS x, y and z axis in turn."""
    result = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        turn = np.eye(3)
        i, j = (a for a in range(3) if a != axis)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        result = turn @ result
    return result


def affine_of(spacing: tuple[float, float, float], turned: np.ndarray | None = None) -> np.ndarray:
    """(4, 4) affine of a volume stored along R, A, S with this spacing in mm, or turned from there."""
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if turned is None else turned) * np.array(spacing)
    affine[:3, 3] = (-31.0, 17.0, 5.0)
    return affine
