"""Regions of one image laid over each other without loss: each voxel keeps the names of all that cover it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


class Layers:
    """Regions by name on the grid of an image.

    Attributes:
        codes: (...) uint16, for each voxel the number of an entry of `sets`.
        sets: the names that cover a voxel; the first entry is none.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.codes = np.zeros(shape, np.uint16)
        self.sets: list[frozenset[str]] = [frozenset()]
        self._numbers = {self.sets[0]: 0}

    def add(self, name: str, where: np.ndarray) -> None:
        """Lay a region (bool, of the grid's shape) over the others; regions of one name are united."""
        present, inverse = np.unique(self.codes[where], return_inverse=True)
        numbers = [self._number(self.sets[code] | {name}) for code in present]
        self.codes[where] = np.array(numbers, np.uint16)[inverse]

    def _number(self, names: frozenset[str]) -> int:
        if names not in self._numbers:
            self._numbers[names] = len(self.sets)
            self.sets.append(names)
        return self._numbers[names]

    def shown(self) -> set[frozenset[str]]:
        """The sets of names that some voxel has, but for the empty one."""
        return {self.sets[code] for code in np.unique(self.codes)} - {frozenset()}

    def numbered(self, labels: Mapping[frozenset[str], int]) -> np.ndarray:
        """(...) uint8: the label of each voxel by its set of names; sets without one become 0."""
        return np.array([labels.get(names, 0) for names in self.sets], np.uint8)[self.codes]
