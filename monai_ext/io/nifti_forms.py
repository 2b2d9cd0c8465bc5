"""Which affine a NIfTI header states: that of its sform or qform by their codes, never the one that fits pixdim."""

from __future__ import annotations

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from monai_ext.errors import InputError
from monai_ext.io.slices import check_affine
from monai_ext.io.volumes import FORMS_DISAGREE, ORIENTATION_UNKNOWN, missing_geometry

TURN = 1.0
"""Degrees between the axes of two forms up to which they agree. Quaternions in float32 are off by some 0.04."""
SIZES = 0.01
"""Share by which voxel sizes and those of the affine may differ."""


def stated_affine(header: nib.Nifti1Header, pixdim: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The (4, 4) voxel index to RAS, in the units of the header, and notes on what is in doubt.

    It is the sform if its code is above 0, else the qform if its code is, as the format wants it. A form with a code
    that is singular or not finite gives way to the other one, with a note. Without a form voxels have the sizes of
    `pixdim`, and the axes are taken for left, anterior, superior, as in Analyze; a note says that this is not known.

    Args:
        header: as nibabel mends it.
        pixdim: (3,) voxel sizes as they stand in the file, 0 or negative ones, too.
    """
    axes = min(int(header["dim"][0]), 3)
    coded = [name for name in ("sform", "qform") if header[f"{name}_code"] > 0]
    if not coded:
        spacing = bool((pixdim[:axes] != 0).all())
        return header.get_best_affine(), missing_geometry(spacing, orientation=False, origin=False)
    usable = {name: affine for name in coded if (affine := _form(header, name)) is not None}
    if not usable:
        return getattr(header, f"get_{coded[0]}")(), []  # is refused with the reason
    name, affine = next(iter(usable.items()))
    notes = []
    if name != coded[0]:
        notes.append(f"the header's {coded[0]} is no affine; its {name} was used")
    elif len(usable) == 2 and _turn(affine, usable["qform"]) > TURN:
        notes.append(FORMS_DISAGREE)
    if name == "qform" and (pixdim[:axes] < 0).any():
        notes.append(f"negative voxel sizes were taken for positive ones: {ORIENTATION_UNKNOWN}")
    sizes = np.linalg.norm(affine[:3, :3], axis=0)[:axes]
    if not np.allclose(sizes, np.abs(pixdim[:axes]), rtol=SIZES, atol=0):
        by_pixdim, by_form = (" × ".join(f"{size:g}" for size in s) for s in (pixdim[:axes], sizes))
        notes.append(f"voxels are {by_pixdim} by pixdim, but {by_form} by the {name}, which was used")
    return affine, notes


def _form(header: nib.Nifti1Header, name: str) -> np.ndarray | None:
    """The (4, 4) affine of a form; None where it is none."""
    try:
        return check_affine(getattr(header, f"get_{name}")())
    except (InputError, ValueError, HeaderDataError):
        return None


def _turn(one: np.ndarray, other: np.ndarray) -> float:
    """Largest angle between the same axis of two affines, in degrees."""
    first, second = (affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0) for affine in (one, other))
    return float(np.degrees(np.arccos((first * second).sum(axis=0).clip(-1, 1)).max()))
