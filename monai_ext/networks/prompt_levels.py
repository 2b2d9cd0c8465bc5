"""Prompts at the levels of MedCLIP-SAMv2, as the networks take them."""

from __future__ import annotations

from functools import cache

from monai_ext.networks.segmenter import Prompt
from monai_ext.prompts.levels import PromptLevels


def prompt_at_level(
    target: str, level: str, subtype: str | None = None, modality: str | None = None
) -> Prompt:
    """The prompt of a target at a level, in the words that come with the package.

    Args:
        target: as in the prompt library, for example "breast tumour".
        level: one of :data:`monai_ext.prompts.levels.LEVELS`, ``"medclipsam_p0"`` to ``"medclipsam_p9"``.
        subtype: the true subtype of the image, for odd levels only, for example "malignant".
        modality: one of ``prompts.MODALITIES``; may be left out for targets of a single one.

    Returns:
        a prompt of one text or an ensemble, `oracle` if it names the true subtype.

    Raises:
        InputError: see :meth:`monai_ext.prompts.levels.PromptLevels.words`.
    """
    levels = _levels()
    words = levels.words(target, modality or levels.modality(target), level, subtype)
    return Prompt(words.texts, target, words.oracle)


@cache
def _levels() -> PromptLevels:
    return PromptLevels.load()
