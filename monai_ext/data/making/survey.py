"""Open the images and masks of a source once: do they fit, what do the masks hold, which images repeat others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np

from monai_ext.data.making.found import Found, Mask
from monai_ext.data.making.layers import Layers
from monai_ext.data.making.mask_values import MaskValues
from monai_ext.data.near_duplicates import look_of
from monai_ext.errors import InputError
from monai_ext.io.datalists import NIFTI
from monai_ext.io.read_image import load_image
from monai_ext.prompts.modalities import DICOM_MODALITIES

OFF = 0.1
"""Voxels by which a mask may be off its image, as by rounded headers; it is then taken to lie on it."""


@dataclass(frozen=True)
class Surveyed:
    """A case that was opened.

    Attributes:
        found: the case.
        names: of all that its masks say: label values, colours, names of files, labels of segments.
        mapped: whether one of its masks is a label map, which annotates every value that label maps have.
        shown: the sets of these that some voxel has.
        pixels: hash of the image.
        look: see :func:`monai_ext.data.near_duplicates.look_of`.
        shape, meta: of the image, without its channels.
        thresholded: masks whose values near 0 and 255 were taken for these.
    """

    found: Found
    names: frozenset[str]
    mapped: bool
    shown: frozenset[frozenset[str]]
    pixels: str
    look: tuple[str, ...]
    shape: tuple[int, ...]
    meta: Mapping[str, Any]
    thresholded: int


def survey(
    cases: Sequence[Found],
    modality: str,
    named: Collection[str] = (),
    track: Callable[[Sequence[Found]], Iterable[Found]] = iter,
) -> list[Surveyed]:
    """Open all cases.

    Args:
        cases: as a source gives them.
        modality: one of ``prompts.modalities.MODALITIES``; DICOM that states another is refused.
        named: values that have a name, see :class:`~monai_ext.data.making.mask_values.MaskValues`.
        track: passes on the cases, and may show the progress.

    Raises:
        InputError: with the first of the cases that cannot be used, and their number.
    """
    done, problems = [], []
    for case in track(cases):
        try:
            done.append(_surveyed(case, modality, named))
        except InputError as error:
            problems.append(f"{case.name}: {error}")
    if problems:
        more = (
            f" ({len(problems)} of {len(cases)} cases cannot be used; this is the first)"
            if len(problems) > 1
            else ""
        )
        raise InputError(problems[0] + more)
    return done


def _surveyed(case: Found, modality: str, named: Collection[str]) -> Surveyed:
    image, meta = open_image(case)
    stated = DICOM_MODALITIES.get(meta["modality"].upper(), modality)
    if stated != modality:
        raise InputError(f"its DICOM modality is {meta['modality']}, that of the set {modality}.")
    if not np.isfinite(image).all():
        raise InputError("the image holds NaN or infinite values; replace them.")
    layers, names, thresholded = read_layers(case, image.shape[1:], meta["affine"], named)
    digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).hexdigest()
    pixels = f"{digest}{image.shape}"
    mapped = any(not mask.target and not mask.names and mask.read is None for mask in case.masks)
    shown, look = frozenset(layers.shown()), look_of(image, meta["affine"])
    return Surveyed(case, frozenset(names), mapped, shown, pixels, look, image.shape[1:], meta, thresholded)


def open_image(case: Found) -> tuple[np.ndarray, dict[str, Any]]:
    """(C, ...) float32 of the image of a case, and its ``meta``; the volumes of a 4D NIfTI file are channels.

    Raises:
        InputError: as :func:`monai_ext.io.read_image.load_image`.
    """
    if case.read is not None:
        return case.read()
    count = volumes(case)
    return load_image(case.images, channels=range(count) if count > 1 else None)


def volumes(case: Found) -> int:
    """How many volumes a single NIfTI file of a case holds; 1 of every other file."""
    (file, *others) = case.images
    if others or not file.name.lower().endswith(NIFTI):
        return 1
    try:
        shape = nib.load(file).header.get_data_shape()  # type: ignore[attr-defined]
    except Exception:  # load_image says what is wrong
        return 1
    return int(shape[3]) if len(shape) == 4 else 1


def read_layers(
    case: Found, shape: tuple[int, ...], affine: np.ndarray, named: Collection[str]
) -> tuple[Layers, set[str], int]:
    """All masks of a case, laid over each other on the grid of its image.

    Args:
        shape, affine: of the image, without channels.
        named: see :func:`survey`.

    Returns:
        the layers; the names of all that they might show; how many masks were thresholded.

    Raises:
        InputError: when a mask is on another grid than the image, or cannot be read.
    """
    layers, names, thresholded = Layers(shape), set[str](), 0
    for mask in case.masks:
        if mask.target:
            names.add(mask.target)
        names.update(mask.names.values())
        if mask.read is not None:
            regions = mask.read()
        else:
            values = MaskValues(mask.file, mask.names or (() if mask.target else named))
            thresholded += values.thresholded
            regions = _called(mask, values.regions(_on_grid(mask, values, shape, affine)))
        for name, where in regions:
            names.add(mask.target or name)
            layers.add(mask.target or name, where)
    return layers, names, thresholded


def _called(mask: Mask, regions: Iterator[tuple[str, np.ndarray]]) -> Iterator[tuple[str, np.ndarray]]:
    """The regions of a mask by what it calls them.

    Raises:
        InputError: when it has names, and none of this value.
    """
    for value, where in regions:
        if mask.names and value not in mask.names:
            known = ", ".join(f"{one} ({name})" for one, name in mask.names.items())
            raise InputError(
                f"the mask {mask.file.name} holds {value}, and was saved with names of {known} only."
            )
        yield mask.names.get(value, value), where


def _on_grid(mask: Mask, values: MaskValues, shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """The values of a mask in the order of the axes of its image.

    Raises:
        InputError: when its size or position is another.
    """
    turn = nib.orientations.ornt_transform(nib.io_orientation(values.affine), nib.io_orientation(affine))
    own, own_affine = values.values, values.affine
    if own.ndim == 3 and not np.array_equal(turn, [[0, 1], [1, 1], [2, 1]]):
        own_affine = own_affine @ nib.orientations.inv_ornt_aff(turn, own.shape)
        own = nib.orientations.apply_orientation(own, turn)
    if own.shape != shape:
        its, other = ("×".join(map(str, size)) for size in (own.shape, shape))
        raise InputError(f"the mask {mask.file.name} is {its}, the image {other}; draw it on this image.")
    corners = np.stack(np.meshgrid(*[(0, size - 1) for size in (*shape, 1)[:3]], (1,)), -1).reshape(-1, 4)
    furthest = np.linalg.norm(corners @ (own_affine - affine).T, axis=1).max()
    if furthest > OFF * np.linalg.norm(affine[:3, :3], axis=0).min():
        raise InputError(
            f"the mask {mask.file.name} lies up to {furthest:.2g} mm off the image by its affine; if it was drawn on this"
            " image, save it with the header of it."
        )
    return own


def modality_of(cases: Iterable[Found]) -> set[str]:
    """The modalities that DICOM files state, of those that say which it is."""
    return {DICOM_MODALITIES[case.modality] for case in cases if case.modality in DICOM_MODALITIES}
