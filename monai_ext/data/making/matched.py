"""Images and masks in folders, matched by their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from monai_ext.data.making.found import Found, Mask, Source, image_paths
from monai_ext.data.making.names import Named, without_image_words

KIND = "images and masks matched by name"
Key = Callable[[Named], tuple[str, str]]
Pairs = dict[tuple[Named, ...], list[Named]]
"""The masks of each image, which may be of several sequences."""


def find_matched(source: Path) -> Source:
    """Each image with the masks of its name.

    Names are compared as they are, or else without what says that a file is an image; with their folders (those called
    images, masks, labels, … do not count), or else without them. Or several images are the sequences of one case, called
    as its mask with an ending each ("x_flair", "x_t1"), the same in all cases. The way that matches most images is taken.
    Several masks of one image are united; where they lie in folders of different names, these are their targets.
    """
    files = [Named(path) for path in image_paths(source)]
    ways = [
        _pairs(files, _key(inside, shortened)) for inside, shortened in product((True, False), (False, True))
    ]
    best = max([*ways, _sequences(files)], key=lambda pairs: sum(map(len, pairs)))
    targets = _folders_as_targets(best)
    cases = [
        Found(
            images[0].path.as_posix(),
            tuple(source / image.path for image in images),
            tuple(Mask(source / mask.path, targets.get(mask, "")) for mask in masks),
            id="" if len(images) == 1 else masks[0].base,
        )
        for images, masks in best.items()
    ]
    used = {file for images, masks in best.items() for file in (*images, *masks)}
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


def _pairs(files: Sequence[Named], key: Key) -> Pairs:
    """The masks of each image whose key no other image has."""
    images: dict[tuple[str, str], list[Named]] = defaultdict(list)
    masks: dict[tuple[str, str], list[Named]] = defaultdict(list)
    for file in files:
        (masks if file.is_mask else images)[key(file)].append(file)
    return {(found[0],): masks[one] for one, found in images.items() if len(found) == 1 and one in masks}


def _sequences(files: Sequence[Named]) -> Pairs:
    """The images of each mask that are called as it is and then by an ending; none unless all cases have the same ones."""
    masks = {(file.place, file.base): file for file in files if file.is_mask and file.base}
    images: dict[Named, list[Named]] = defaultdict(list)
    endings: dict[Named, list[str]] = defaultdict(list)
    for file in files:
        breaks = [found.start() for found in re.finditer(r"[_\-. ]", file.base)] if not file.is_mask else []
        for at in reversed(breaks):  # the longest name of a mask
            if (mask := masks.get((file.place, file.base[:at]))) is not None:
                images[mask].append(file)
                endings[mask].append(file.base[at:])
                break
    same = len({tuple(one) for one in endings.values()}) == 1 and all(
        len(one) > 1 for one in endings.values()
    )
    return {tuple(found): [mask] for mask, found in images.items()} if same else {}


def _folders_as_targets(pairs: Pairs) -> dict[Named, str]:
    """The name of its folder for each mask, where an image has masks of one name in several folders."""
    if not any(len({mask.place for mask in masks}) > 1 for masks in pairs.values()):
        return {}
    return {mask: mask.place.rsplit("/", 1)[-1] for masks in pairs.values() for mask in masks}
