"""Several DICOM images at one position: copies of one image, or images of which nobody has said which is meant."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from monai_ext.errors import InputError, quoted_name
from monai_ext.io.dicom.acquisition import difference
from monai_ext.io.dicom.headers import Plane
from monai_ext.io.dicom.pixels import plane_values

SAME = 1e-3
"""Millimetres, and parts of a direction, within which positions and orientations are equal."""
OWNED = {
    "FrameOfReferenceUID": ("frames of reference", "their positions cannot be compared"),
    "StudyInstanceUID": ("studies", "they cannot be one volume"),
    "PatientID": ("patients", "they cannot be one volume"),
    "PatientName": ("patients", "they cannot be one volume"),
}
"""What several values of a tag in one series mean."""


def check_owners(name: str, planes: Sequence[Plane]) -> None:
    """Refuse planes that state different patients, studies or frames of reference; what is empty states nothing."""
    for tag, (owners, consequence) in OWNED.items():
        values = {value for plane in planes for owner, value in plane.owners if owner == tag}
        if len(values) > 1:
            raise InputError(
                f"{name}: images of {len(values)} {owners} in one series ({tag} differs), so {consequence}; give one"
                " folder for each."
            )


def without_copies(name: str, planes: Sequence[Plane]) -> tuple[list[Plane], list[str]]:
    """The planes, in their order, without those that show the same as an earlier one at their position.

    What counts are the values of the pixels. Careless anonymisers give one SOPInstanceUID to all images, and
    archives a new one to a copy.

    Returns:
        the planes; a note on copies.

    Raises:
        InputError: two images at one position differ; the pixels of images at one position cannot be decoded.
    """
    repeated = [group for group in _by_place(planes) if len(group) > 1]
    copies: set[int] = set()
    # where the first images at one position differ, the others need not be decoded
    for groups in (repeated[:1], repeated[1:]):
        digests = _digests(planes, [index for group in groups for index in group])
        for group in groups:
            first = {digests[index]: index for index in reversed(group)}
            copies |= set(group) - set(first.values())
            if len(first) > 1 and planes[group[0]].position:
                raise InputError(f"{name}: {_both([planes[index] for index in sorted(first.values())])}")
    notes = [f"{len(copies)} of {len(planes)} DICOM images are copies of others and were left out"]
    return [plane for index, plane in enumerate(planes) if index not in copies], notes if copies else []


def _by_place(planes: Sequence[Plane]) -> list[list[int]]:
    """Indices of the planes, together where position and orientation are equal; all without a position are together."""
    first = next((p.orientation for p in planes if p.orientation), (1, 0, 0, 0, 1, 0))
    normal = np.cross(first[:3], first[3:])
    places = np.array(
        [(*(p.position or (0,) * 3), *(p.orientation or (0,) * 6), not p.position) for p in planes]
    )
    depths = places[:, :3] @ normal
    order = np.argsort(depths, kind="stable")
    groups = []
    for rest in np.split(order, np.flatnonzero(np.diff(depths[order]) >= SAME) + 1):
        while rest.size:
            same = np.abs(places[rest] - places[rest[0]]).max(axis=1) < SAME
            groups.append(sorted(rest[same].tolist()))
            rest = rest[~same]
    return groups


def _digests(planes: Sequence[Plane], indices: Sequence[int]) -> dict[int, bytes]:
    """A hash of size and values of each of these planes, in which all padding is equal."""
    digests = {}
    for number, values, padding in plane_values([planes[index] for index in indices]):
        shown = np.array(values, np.float32, order="C")
        if padding is not None:
            shown[padding] = np.nan
        digests[indices[number]] = hashlib.sha256(f"{shown.shape}".encode() + shown.tobytes()).digest()
    return digests


def _both(planes: Sequence[Plane]) -> str:
    """That several images lie at one position, which ones, what differs, and what to do."""
    first, second = planes[:2]
    if first.file == second.file:
        which = f"frames {first.frame + 1} and {second.frame + 1} of {quoted_name(first.file)}"
    else:
        which = f"{quoted_name(first.file)} and {quoted_name(second.file)}"
    marks = difference([plane.marks for plane in planes]) or "nothing but their pixels"
    return (
        f"two images at one position; they differ in {marks} ({which}); give one folder per time point, echo or"
        " reconstruction."
    )
