"""Sentences for a target that the prompt library does not know, from its name and the modality."""

from __future__ import annotations

from monai_ext.prompts.modalities import MODALITIES


def template_sentences(target: str, modality: str) -> list[str]:
    """Sentences to train with, the canonical one first.

    Args:
        target: its name.
        modality: one of :data:`monai_ext.prompts.modalities.MODALITIES`.
    """
    phrase = MODALITIES[modality].phrase
    return [f"{target} in {phrase}", target, f"{target} on {phrase}", f"{phrase} showing {target}"]


def heldout_sentences(target: str, modality: str) -> list[str]:
    """Sentences that :func:`template_sentences` does not give, to evaluate with."""
    phrase = MODALITIES[modality].phrase
    return [f"{target} visible in {phrase}", f"where is the {target}?", f"{phrase} with {target}"]
