"""Images and masks in folders, matched by their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from monai_ext.data.making.found import Found, Mask, Source, image_paths
from monai_ext.data.making.names import Named, without_image_words

KIND = "images and masks matched by name"
Key = Callable[[Named], tuple[str, str]]


def find_matched(source: Path) -> Source:
    """Each image with the masks of its name.

    Names are compared as they are, or else without what says that a file is an image; with their folders (those called
    images, masks, labels, … do not count), or else without them. The way that matches most images is taken. Several
    masks of one image are united; where they lie in folders of different names, these are their targets.
    """
    files = [Named(path) for path in image_paths(source)]
    best: dict[Named, list[Named]] = {}
    for inside, shortened in product((True, False), (False, True)):
        pairs = _pairs(files, _key(inside, shortened))
        if len(pairs) > len(best):
            best = pairs
    targets = _folders_as_targets(best)
    cases = [
        Found(
            image.path.as_posix(),
            (source / image.path,),
            tuple(Mask(source / m.path, targets.get(m, "")) for m in masks),
        )
        for image, masks in best.items()
    ]
    used = {*best, *(mask for masks in best.values() for mask in masks)}
    rest = [file for file in files if file not in used]
    unmatched = {
        "image without a mask": [file.path.as_posix() for file in rest if not file.is_mask],
        "mask without an image": [file.path.as_posix() for file in rest if file.is_mask],
    }
    return Source(KIND, cases, unmatched)


def _key(inside: bool, shortened: bool) -> Key:
    def key(file: Named) -> tuple[str, str]:
        base = without_image_words(file.base) if shortened else file.base
        return (file.place if inside else "", base.casefold())

    return key


def _pairs(files: Sequence[Named], key: Key) -> dict[Named, list[Named]]:
    """The masks of each image whose key no other image has."""
    images: dict[tuple[str, str], list[Named]] = defaultdict(list)
    masks: dict[tuple[str, str], list[Named]] = defaultdict(list)
    for file in files:
        (masks if file.is_mask else images)[key(file)].append(file)
    return {found[0]: masks[one] for one, found in images.items() if len(found) == 1 and one in masks}


def _folders_as_targets(pairs: dict[Named, list[Named]]) -> dict[Named, str]:
    """The name of its folder for each mask, where an image has masks of one name in several folders."""
    if not any(len({mask.place for mask in masks}) > 1 for masks in pairs.values()):
        return {}
    return {mask: mask.place.rsplit("/", 1)[-1] for masks in pairs.values() for mask in masks}
