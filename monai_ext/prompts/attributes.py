"""Attributes of a structure in words, as its mask shows them: size, number and position in the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import RandomState
from skimage.measure import label as components

SMALL, LARGE = 0.02, 0.08
"""Fractions of the picture below and above which a structure is called small and large; between them it has no size."""
LEAST_COMPONENT = 0.1
"""Fraction of the largest connected component that another must have to be counted."""

WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "size": {
        "small": ("small", "small in size", "of small size"),
        "large": ("large", "large in size", "big"),
    },
    "number": {
        "one": ("one of them", "a single one", "in one piece"),
        "two": ("two of them", "in two parts", "a pair"),
        "several": ("several of them", "more than two", "in several parts"),
    },
    "vertical": {
        "upper": ("in the upper part of the image", "near the top of the picture"),
        "lower": ("in the lower part of the image", "near the bottom of the picture"),
    },
    "horizontal": {
        "first": ("towards the left edge of the image", "on the left of the picture"),
        "last": ("towards the right edge of the image", "on the right of the picture"),
    },
}
"""Phrases for each value of each attribute. Left and right are those of the image, never the patient's."""


@dataclass(frozen=True)
class Attributes:
    """The attributes of a structure; "" where a value lies between two words.

    Attributes:
        size: "small" or "large".
        number: "one", "two" or "several" connected components.
        vertical: "upper" or "lower" third of the image, of a single component.
        horizontal: "first" or "last" third of the image, of a single component.
    """

    size: str = ""
    number: str = ""
    vertical: str = ""
    horizontal: str = ""

    @classmethod
    def of(cls, mask: np.ndarray) -> Attributes:
        """The attributes of a mask (H, W) bool that is not empty."""
        fraction = mask.mean()
        labels = components(mask)
        sizes = np.bincount(labels.ravel())[1:]
        count = int((sizes >= LEAST_COMPONENT * sizes.max()).sum())
        size = "small" if fraction < SMALL else "large" if fraction > LARGE else ""
        number = {1: "one", 2: "two"}.get(count, "several")
        if count > 1:
            return cls(size, number)
        row, column = (float(np.mean(where)) / side for where, side in zip(np.nonzero(mask), mask.shape))
        vertical = "upper" if row < 1 / 3 else "lower" if row > 2 / 3 else ""
        horizontal = "first" if column < 1 / 3 else "last" if column > 2 / 3 else ""
        return cls(size, number, vertical, horizontal)

    def known(self) -> list[str]:
        """Names of the attributes that have a value."""
        return [name for name in WORDS if getattr(self, name)]

    def wrong(self, name: str, random: RandomState) -> Attributes:
        """The same attributes, but `name` has another value."""
        others = [value for value in WORDS[name] if value != getattr(self, name)]
        return replace(self, **{name: others[random.randint(len(others))]})

    def phrase(self, name: str, random: RandomState) -> str:
        """A random phrase for the value of an attribute."""
        phrases = WORDS[name][getattr(self, name)]
        return phrases[random.randint(len(phrases))]
