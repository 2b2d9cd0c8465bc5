"""A folder for each case: an image, or one for each sequence, with a label map or a mask for each target."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

from monai_ext.data.making.found import Found, Mask, Source, image_paths
from monai_ext.data.making.names import Named

KIND = "a folder for each case"


def find_case_folders(source: Path) -> Source:
    """Each folder that holds images, with the masks in it and in folders of masks below it.

    Several images are sequences, in the order of their names. Several masks, some of whose names occur in other cases,
    are named after their targets (``segmentations/liver.nii.gz``, ``liver_mask.nii.gz``); all others are united.
    """
    folders: dict[str, list[Named]] = defaultdict(list)
    for path in image_paths(source):
        file = Named(path)
        if file.place:
            folders[file.place].append(file)
    cases = {
        place: (images, masks)
        for place, files in folders.items()
        if (images := [f for f in files if not f.is_mask]) and (masks := [f for f in files if f.is_mask])
    }
    targets = _targets(cases)
    found = [
        Found(
            place,
            tuple(source / image.path for image in images),
            tuple(Mask(source / mask.path, targets.get((place, mask), "")) for mask in masks),
        )
        for place, (images, masks) in cases.items()
    ]
    lacking = {place: files for place, files in folders.items() if place not in cases}
    unmatched = {
        "folder without a mask": [p for p, files in lacking.items() if not any(f.is_mask for f in files)],
        "folder of masks without an image": [
            p for p, files in lacking.items() if any(f.is_mask for f in files)
        ],
    }
    return Source(KIND, found, unmatched)


def _targets(cases: dict[str, tuple[list[Named], list[Named]]]) -> dict[tuple[str, Named], str]:
    """What each mask shows by its name, where a case has several and some of the names occur in other cases, too."""
    names = {(place, mask): _own_name(place, mask) for place, (_, masks) in cases.items() for mask in masks}
    several = any(len(masks) > 1 for _, masks in cases.values())
    shared = any(name and count > 1 for name, count in Counter(names.values()).items())
    return names if several and shared else {}


def _own_name(place: str, mask: Named) -> str:
    """The name of a mask without that of its case at the beginning; "" if that leaves no letter."""
    own = mask.base.removeprefix(place.rsplit("/", 1)[-1]).strip(" _-.")
    return own if re.search("[^\\W\\d_]", own) else ""
