"""What sentences are about, and which of it an image of some kind shows: the truth of every sentence about every image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from monai_ext.data.absence import OTHER_MODALITY, Absent
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES, names_modality

NOTHING = 0
"""The topic of what no image shows."""
SHOWN, NOT_SHOWN, UNKNOWN = 1, 0, -1


class Topics:
    """Numbers of what sentences are about: a target in a kind of image, twice: where a sentence names the kind, and not.

    "The spleen in a CT scan" is untrue of an MR image of the abdomen, of which "the spleen" may be true.

    Args:
        library: its targets, and the regions of their images.
        own: further targets, with their modality, that a data set brings.
    """

    def __init__(self, library: PromptLibrary, own: Iterable[tuple[str, str]] = ()) -> None:
        pairs = [(target, modality) for modality in MODALITIES for target in library.targets(modality)]
        self._numbers = {pair: 1 + 2 * number for number, pair in enumerate(dict.fromkeys([*pairs, *own]))}

    def __len__(self) -> int:
        return 1 + 2 * len(self._numbers)

    def of(self, target: str, modality: str, text: str) -> int:
        """The topic of a sentence about a target in images of this modality."""
        return self._numbers[target, modality] + (names_modality(text) == modality)

    def both(self, target: str, modality: str) -> slice:
        """The topics of a target in images of this modality, in words that name the modality and in others."""
        number = self._numbers[target, modality]
        return slice(number, number + 2)

    def shows(self, targets: Sequence[str], modality: str, absent: Iterable[Absent]) -> Tensor:
        """(T,) int8: by topic whether images show it: :data:`SHOWN`, :data:`NOT_SHOWN`, or :data:`UNKNOWN`.

        Args:
            targets: that were looked for in the images; whether one of them is there does not matter.
            modality: of the images.
            absent: what they certainly do not show, see :func:`monai_ext.data.absence.absent_targets`.
        """
        row = torch.full((len(self),), UNKNOWN, dtype=torch.int8)
        row[NOTHING] = NOT_SHOWN
        for one in absent:
            number = self._numbers[one.target, one.modality]
            row[number + 1] = NOT_SHOWN
            if one.kind != OTHER_MODALITY:
                row[number] = NOT_SHOWN
        for target in targets:
            row[self.both(target, modality)] = SHOWN
        return row
