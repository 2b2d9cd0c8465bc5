"""What all readers check of a volume before and after its voxels: their number, the affine, the channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.data.utils import affine_to_spacing

from monai_ext.errors import InputError
from monai_ext.io.slices import check_affine

MAX_VOXELS = 2**29
"""Values (voxels or pixels, times channels) of the largest file that is read: 2 GiB as float32, 512 × 512 × 2048."""
MAX_SIDE = 16_384
"""Pixels or voxels along one axis: some four times the largest detector."""
LARGEST_SPACING = 1e3
"""Millimetres between voxels; a metre is no medical image, but a damaged header or another unit."""
FARTHEST = 1e6
"""Millimetres from the origin of the patient's space."""
ORIENTATION_UNKNOWN = "orientation unknown, left and right may be swapped"
FORMS_DISAGREE = (
    "sform and qform disagree by a flip or turn: left and right depend on the sform, which was used"
)
WHOLE = 1e-3
"""How far a label's number may lie from the whole one that is meant."""
SIDES_IN_DOUBT = (ORIENTATION_UNKNOWN, FORMS_DISAGREE)
"""What the warnings of an image hold where its sides are in doubt; previews show these, too."""
AIR = -500.0
"""HU. No MR scanner writes values below it; every CT holds some, of the air around the body or in it."""


def check_size(name: str, shape: Sequence[int], max_voxels: int, max_side: int = MAX_SIDE) -> None:
    """Refuse a shape with an empty axis, or above the limits of all values and of an axis, before it is allocated."""
    sizes = [int(size) for size in shape]
    announced = " × ".join(str(size) for size in sizes)
    if len(sizes) < 2 or min(sizes) < 1:
        raise InputError(f"{name}: no image in it, its size is {announced or 'unknown'}.")
    values = 1
    for size in sizes:
        values *= size  # Python's integers do not overflow
    if values > max_voxels:
        raise InputError(
            f"{name}: {announced} is above the limit of {max_voxels} values; crop it or raise max_voxels."
        )
    if max(sizes) > max_side:
        raise InputError(
            f"{name}: {announced}, the limit of a side is {max_side}; crop it, make it smaller or raise max_side."
        )


def check_channels(name: str, count: int, channels: Sequence[int]) -> None:
    """Refuse `channels` that ask for more than the `count` sequences there are."""
    if max(channels) >= count:
        raise InputError(
            f"{name}: channels {list(channels)} ask for sequence {max(channels)}, but there"
            f" {'is' if count == 1 else 'are'} {count}, counted from 0."
        )


def file_affine(name: str, affine: np.ndarray) -> np.ndarray:
    """The (4, 4) float64 voxel index to RAS mm of a file.

    Raises:
        InputError: when it is not finite or singular, or has voxels of a metre, or lies a kilometre away.
    """
    try:
        affine = check_affine(affine)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.max() > LARGEST_SPACING or np.abs(affine[:3, 3]).max() > FARTHEST:
        raise InputError(
            f"{name}: spacing {', '.join(f'{s:g}' for s in spacing)} mm at"
            f" {', '.join(f'{p:g}' for p in affine[:3, 3])} mm is no patient; repair the orientation header."
        )
    return affine


def missing_geometry(spacing: bool = True, orientation: bool = True, origin: bool = True) -> list[str]:
    """One note on what a header does not state, and what follows from it; none if it states all three."""
    lacking = {
        "voxel spacing": (spacing, "1 mm is assumed, sizes in mm are not right"),
        "orientation": (orientation, ORIENTATION_UNKNOWN),
        "origin": (origin, "positions in mm are not right"),
    }
    missing = {name: effect for name, (stated, effect) in lacking.items() if not stated}
    return [f"no {', '.join(missing)} in the header: {'; '.join(missing.values())}"] if missing else []


def volume_meta(affine: np.ndarray, kind: str, modality: str = "", bits: int = 0) -> dict[str, Any]:
    """The ``meta`` of any volume: affine (4, 4), kind of file, modality, bits of colour, spacing in mm.

    ``slice_normal`` is zero, which means that the file does not state its slices; ``nifti_header`` and ``source`` are
    empty: a reader fills in what it knows and what the writer of its masks needs.
    """
    return {
        "affine": affine,
        "kind": kind,
        "modality": modality,
        "bits": bits,
        "spacing": affine_to_spacing(affine, r=3),
        "slice_normal": np.zeros(3),
        "nifti_header": np.zeros(0, np.uint8),
        "source": "",
    }


def nearly_whole(array: np.ndarray) -> np.ndarray:
    """Any array, in which numbers within :data:`WHOLE` of a whole one are that one."""
    if array.dtype.kind != "f":
        return array
    with np.errstate(invalid="ignore"):  # infinite values stay
        return np.where(np.abs(array - np.round(array)) <= WHOLE, np.round(array), array)


def grey_or_colour(planes: np.ndarray) -> np.ndarray:
    """(1, ...) of (3, ...) planes that are all equal, grey stored as colour; else the planes as they are."""
    if len(planes) == 3 and np.array_equal(planes[0], planes[1]) and np.array_equal(planes[0], planes[2]):
        return planes[:1]
    return planes
