"""What names of files and folders say: image or mask, and which belong together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from monai_ext.io.datalists import stem

MASK_WORDS = (
    *("mask", "masks", "seg", "segm", "segs", "segmentation", "segmentations", "label", "labels", "labelmap"),
    *("gt", "groundtruth", "annotation", "annotations", "annot", "truth"),
)
IMAGE_WORDS = ("image", "images", "img", "imgs", "scan", "scans", "orig", "original", "originals", "input")
LISTS = {
    **dict.fromkeys(("train", "training"), "training"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Lists of a data set by what they are called, in small letters."""
_MASK, _IMAGE = ("|".join(words) for words in (MASK_WORDS, IMAGE_WORDS))
_BREAK = r"[\s_.\-]+"


def _affixes(words: str) -> re.Pattern[str]:
    """Matches a name with one of the words, and perhaps a number, at its end, at its beginning, or as all of it."""
    number = rf"(?:(?:{_BREAK})?\(?\d+\)?)?"
    return re.compile(
        rf"(?P<end>.+?){_BREAK}(?:{words}){number}|(?:{words}){_BREAK}(?P<start>.+)|(?:{words}){number}",
        re.IGNORECASE,
    )


_MASK_AFFIX, _IMAGE_AFFIX = _affixes(_MASK), _affixes(_IMAGE)


def without_mask_words(name: str) -> str | None:
    """A name without the word that makes it that of a mask ("x_mask", "x_mask_1", "seg-x", "seg"); None without one."""
    return _without(_MASK_AFFIX, re.sub("ground[ _-]truth", "groundtruth", name, flags=re.IGNORECASE))


def without_image_words(name: str) -> str:
    """A name without nnU-Net's ``_0000``, and without a word that says that it is an image."""
    name = name.removesuffix("_0000")
    found = _without(_IMAGE_AFFIX, name)
    return name if found is None else found


def _without(pattern: re.Pattern[str], name: str) -> str | None:
    if (found := pattern.fullmatch(name)) is None:
        return None
    return str(found["end"] or found["start"] or "")


def folder_role(name: str) -> str:
    """ "mask" or "image" for a folder of masks or images by one of its words, else ""."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold()
    spaced = re.sub("ground[ _-]truth", "groundtruth", spaced)
    words = set(re.split(r"[\W_]+", spaced))
    if words & set(MASK_WORDS):
        return "mask"
    return "image" if words & set(IMAGE_WORDS) else ""


def folder_list(path: Path) -> str:
    """The list that a folder on the way to a file is called after ("train/images/x.png"), "" if none is."""
    return next((LISTS[part.casefold()] for part in path.parts[:-1] if part.casefold() in LISTS), "")


@dataclass(frozen=True)
class Named:
    """A file of a source, by its path relative to it, and what its names say."""

    path: Path

    @cached_property
    def is_mask(self) -> bool:
        """Whether its own name or, nearest first, that of a folder says that it is a mask."""
        if without_mask_words(stem(self.path.name)) is not None:
            return True
        roles = [role for part in reversed(self.path.parts[:-1]) if (role := folder_role(part))]
        return roles[:1] == ["mask"]

    @cached_property
    def place(self) -> str:
        """Its folder, without the folders that only say whether it is an image or a mask."""
        return "/".join(part for part in self.path.parts[:-1] if not folder_role(part))

    @cached_property
    def base(self) -> str:
        """Its name without extension, of a mask without the words that say so."""
        name = stem(self.path.name)
        found = without_mask_words(name) if self.is_mask else None
        return name if found is None else found
