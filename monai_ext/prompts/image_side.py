"""Sides and places of the image in a text, which are not those of the patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from monai_ext.prompts.vocabulary import vocabulary


class ImageSide(NamedTuple):
    """A side of the image in a text: "left" or "right", and the positions of its words."""

    side: str
    start: int
    stop: int


def image_side(words: Sequence[str], foreign: bool = False) -> ImageSide | None:
    """The side of the image that folded words name, as "the left side of the image" or "viewer's left" do."""
    speech = vocabulary()
    images, pieces = speech.single("image"), speech.single("image pieces")
    prepositions = {"of"} | (speech.single("foreign of") if foreign else set())
    for at, word in enumerate(words):
        side = speech.sides.get(word, "") if foreign or word in ("left", "right") else ""
        if not side:
            continue
        stop = at + 1
        while stop < len(words) and words[stop] in pieces:
            stop += 1
        if stop < len(words) and words[stop] in prepositions:
            stop += 1
            while stop < len(words) and len(words[stop]) < 5 and words[stop] not in images:
                stop += 1
            if stop < len(words) and words[stop] in images:
                return ImageSide(side, _first(words, at), stop + 1)
        before = at - 2 if at > 1 and words[at - 1] == "s" else at - 1
        looked_at = images if before == at - 2 else speech.single("image viewers")
        if before >= 0 and words[before] in looked_at:
            stop = at + 1
            while stop < len(words) and words[stop] in pieces:
                stop += 1
            return ImageSide(side, _first(words, before), stop)
    return None


def place_in_image(words: Sequence[str]) -> list[str]:
    """The words that name a place in the image other than a side: "upper half of the image"; [] if none do."""
    images, places = vocabulary().single("image"), vocabulary().single("image places")
    for at, word in enumerate(words):
        following = list(words[at + 1 : at + 6]) if word in places else []
        if "of" in following:
            start = at + 2 + following.index("of")
            for stop in range(start, min(start + 2, len(words))):
                if words[stop] in images:
                    return list(words[at : stop + 1])
    return []


def _first(words: Sequence[str], at: int) -> int:
    """The position of the first of the small words before a place."""
    while at > 0 and words[at - 1] in vocabulary().single("before image sides"):
        at -= 1
    return at
