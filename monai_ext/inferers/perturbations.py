"""What a network is asked anew, in other views and other words, to see how sure its result is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from monai_ext.errors import InputError
from monai_ext.inferers.views import AS_IT_IS, View
from monai_ext.metrics.pairwise_dice import MOST_MEMBERS
from monai_ext.prompts.paraphrases import mirrored_prompt, paraphrases
from monai_ext.prompts.prompt import Prompt
from monai_ext.prompts.reading import Reading

LARGEST_SHIFT = 0.25


class Member(NamedTuple):
    """One way to ask for a result: a view of the slices, and the prompt for it."""

    view: View
    prompt: Prompt


class Perturbations:
    """The members that a prompt is asked by; each differs from the first, which is the result itself, in one thing.

    The mirrored image, in which a prompt that names a side asks for the other one; the image moved to the lower right
    and to the upper left; and the image as it is in other words (:mod:`monai_ext.prompts.paraphrases`). None is random.
    A prompt whose side cannot be exchanged, or whose other words the network refuses, has fewer members.

    Args:
        enabled: False measures nothing.
        mirror: whether there is a mirrored member.
        shift: by how much the image is moved, as a share of width and height in [0, 0.25]; 0 leaves these members out.
        wordings: number of members in other words.
        threshold: probability in [0, 1] above which a pixel belongs to the mask of a member.

    Raises:
        InputError: when a value is out of its range, or these are more than 12 members.
    """

    def __init__(
        self,
        enabled: bool = True,
        mirror: bool = True,
        shift: float = 0.04,
        wordings: int = 3,
        threshold: float = 0.5,
    ) -> None:
        if not 0 <= shift <= LARGEST_SHIFT:
            raise InputError(f"shift is {shift}; it is a share of the image in [0, {LARGEST_SHIFT}].")
        if not 0 <= threshold <= 1:
            raise InputError(f"mask_threshold is {threshold}; it lies in [0, 1].")
        self.enabled, self.wordings, self.threshold = enabled, wordings, threshold
        self.views: list[View] = [View(mirrored=True)] if mirror else []
        if shift:
            self.views += [View(left=shift, top=shift), View(right=shift, bottom=shift)]
        most = MOST_MEMBERS - 1 - len(self.views)
        if not 0 <= wordings <= most:
            raise InputError(f"wordings is {wordings}; from 0 to {most} fit beside the other members.")
        if not self.views and not wordings:
            raise InputError("no mirror, shift or wordings: nothing to compare the result with.")

    def members(
        self, prompt: Prompt, read: Callable[[Prompt], tuple[Prompt, Reading]], modality: str | None = None
    ) -> list[Member]:
        """The members of a prompt, the first of them the prompt itself and the image as it is.

        Args:
            prompt: as the network is asked.
            read: how the network reads a prompt, see
                :meth:`monai_ext.networks.segmenter.TextPromptedSegmenter.read`.
            modality: of the image, where it is known.
        """
        members = [Member(AS_IT_IS, prompt)]
        for view in self.views:
            asked = mirrored_prompt(prompt) if view.mirrored else prompt
            if asked is not None and (asked == prompt or not read(asked)[1].refusal):
                members.append(Member(view, asked))
        read_texts = (read(one) for one in paraphrases(prompt, modality))
        others = {one.texts: one for one, reading in read_texts if not reading.refusal}
        others.pop(prompt.texts, None)
        return [*members, *(Member(AS_IT_IS, one) for one in islice(others.values(), self.wordings))]
