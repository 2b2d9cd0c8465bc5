"""The series of DICOM files: which planes belong together, which one is meant, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from monai_ext.errors import InputError
from monai_ext.io.dicom.files import MAX_FILES, dicom_files
from monai_ext.io.dicom.headers import LIGHT, PROJECTIONS, Plane, read_planes
from monai_ext.io.dicom.stack import stack

LISTED = 20
"""Series that an error lists at most."""


@dataclass(frozen=True)
class Series:
    """One series: its slices ordered along their normal.

    Attributes:
        planes: the slices, first to last; several may be frames of one file.
        affine: (4, 4) from indices (column, row, plane) to RAS millimetres.
        modality: such as "CT"; "" if unknown.
        warnings: sentences on what is doubtful, without anything that names a patient.
    """

    planes: tuple[Plane, ...]
    affine: np.ndarray
    modality: str
    warnings: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the planes, in their order, without repetitions."""
        return tuple(dict.fromkeys(plane.file for plane in self.planes))


def read_series(path: Path, series: str = "", name: str = "") -> Series:
    """The series meant in a DICOM file, or in a folder with its sub-folders.

    Args:
        path: DICOM file or folder; files of other formats are passed over.
        series: the SeriesNumber, or the start of the SeriesInstanceUID; "" if there is only one series.
        name: what errors call it instead of the name of `path`.

    Raises:
        InputError: there is no image, there is more than one series to choose from, or the series is no straight and
            even stack of equal grey slices (see :func:`monai_ext.io.dicom.stack.stack`).
    """
    name = name or path.name
    files = list(islice(dicom_files(path), MAX_FILES + 1)) if path.is_dir() else [path]
    if len(files) > MAX_FILES:
        raise InputError(f"{name}: more than {MAX_FILES} DICOM files; give the folder of one study.")
    planes = [plane for file in files for plane in read_planes(file)]
    if series:
        planes = _chosen(name, planes, str(series).strip())
    slices = [plane for plane in planes if not plane.no_slice]
    others = _count(plane.no_slice for plane in planes if plane.no_slice)
    if not slices:
        held = f"no slices in it, only {others}" if others else "no DICOM image in it"
        raise InputError(f"{name}: {held}; give the folder that holds the slices.")
    groups = _by_series(slices)
    if len(groups) > 1:
        raise InputError(
            f"{name}: {len(groups)} DICOM series: {_listing(groups)}; choose one by its number with --series"
            " (or the start of its SeriesInstanceUID)."
        )
    ordered, affine, notes = stack(name, slices)
    if others:
        notes.insert(0, f"left out {others}")
    return Series(tuple(ordered), affine, ordered[0].modality, tuple(notes))


def image_files(folder: Path, deep: bool = False) -> list[tuple[Path, list[Plane]]]:
    """(file, its planes) of the DICOM images in `folder`, and with `deep` in its sub-folders, by name.

    Objects that are no images (SEG, SR, …) and files of other formats are left out. A damaged file is listed,
    without planes: reading the series reports what is wrong with it.
    """
    found: list[tuple[Path, list[Plane]]] = []
    for file in dicom_files(folder, deep):
        try:
            planes = read_planes(file)
        except InputError:
            found.append((file, []))
            continue
        if any(not plane.no_slice.endswith("object") for plane in planes):
            found.append((file, planes))
    return found


def case_folders(folder: Path) -> list[Path]:
    """The cases in `folder`, or `folder` itself if it is one, by name: folders of slices, and single X-ray pictures and photographs.

    A case is one of the deepest folders with DICOM images, or, where a series is spread over several, the folder that
    holds them all. Folders of nothing but localisers and captures are passed over, unless there are no others.
    """
    images = image_files(folder, deep=True)
    slices = [(file, planes) for file, planes in images if not planes or any(not p.no_slice for p in planes)]
    return _cases(folder, slices or images)


def _cases(folder: Path, images: list[tuple[Path, list[Plane]]]) -> list[Path]:
    below: dict[Path, list[tuple[Path, list[Plane]]]] = {}
    for file, planes in images:
        below.setdefault(folder / file.relative_to(folder).parts[0], []).append((file, planes))
    direct = {file for file, _ in images if file.parent == folder}
    if direct:
        modalities = {plane.modality for _, planes in images for plane in planes}
        pictures = direct == set(below) and modalities and modalities <= PROJECTIONS | LIGHT
        return sorted(direct) if pictures else [folder]
    held = [{plane.series for _, planes in files for plane in planes} for files in below.values()]
    if sum(map(len, held)) > len(set().union(*held)):
        return [folder]
    return [case for child in sorted(below) for case in _cases(child, below[child])]


def _chosen(name: str, planes: list[Plane], series: str) -> list[Plane]:
    chosen = [plane for plane in planes if plane.number == series]
    if not chosen and "." in series:
        chosen = [plane for plane in planes if plane.series.startswith(series)]
    slices = [plane for plane in planes if not plane.no_slice]
    if not chosen and slices:
        raise InputError(
            f"{name}: no series of that number or SeriesInstanceUID; there is {_listing(_by_series(slices))}."
        )
    groups = _by_series(chosen)
    if len(groups) > 1:
        raise InputError(
            f"{name}: {len(groups)} DICOM series fit: {_listing(groups)}; choose one with --series and more of the"
            " start of its SeriesInstanceUID."
        )
    return chosen


def _by_series(planes: list[Plane]) -> list[list[Plane]]:
    groups: dict[str, list[Plane]] = {}
    for plane in planes:
        groups.setdefault(plane.series, []).append(plane)
    return sorted(groups.values(), key=lambda group: (len(group[0].number), group[0].number))


def _listing(groups: list[list[Plane]]) -> str:
    """Numbers, modalities and sizes only: descriptions and identifiers can name a patient."""
    lines = [
        f"series {g[0].number or 'without a number'} ({g[0].modality or 'unknown modality'}, {len(g)}"
        f" slice{'s' * (len(g) > 1)} of {g[0].columns} × {g[0].rows})"
        for g in groups[:LISTED]
    ]
    return "; ".join(lines) + (f"; and {len(groups) - LISTED} more" if len(groups) > LISTED else "")


def _count(kinds: Iterable[str]) -> str:
    return ", ".join(f"{n} {kind}{'s' * (n > 1)}" for kind, n in sorted(Counter(kinds).items()))
