"""Which targets an image certainly does not show, by its kind and the region of the body that it shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES, names_modality

OTHER_REGION = "other region"
OTHER_MODALITY = "other modality, same region"
OTHER_BOTH = "other modality, other region"
NOT_MEDICAL = "not medical"
"""Kinds of absence: what about a target does not fit an image."""


@dataclass(frozen=True)
class Absent:
    """A target that an image does not show.

    Attributes:
        target, modality: as in the prompt library.
        kind: of absence.
        sentences: of the target that are untrue of the image. Where the image shows the region, in another kind of
            image, these are those that name the kind: "the spleen" may be true of an MR image where "the spleen in a CT
            scan" is not.
    """

    target: str
    modality: str
    kind: str
    sentences: tuple[str, ...]


def shown_regions(targets: Iterable[str], modality: str, library: PromptLibrary) -> frozenset[str]:
    """The regions of the body that an image may show, from the targets that were looked for in it.

    Args:
        targets: names of the library; others say nothing.
        modality: of the image.
    """
    known = set(library.targets(modality))
    return frozenset(
        region for target in targets if target in known for region in library.regions(target, modality)
    )


def absent_targets(
    modality: str, regions: frozenset[str], library: PromptLibrary, split: str = "train"
) -> list[Absent]:
    """All targets of the library that an image certainly does not show.

    A target of the image's own kind is among them where none of its regions is shown; one of another kind of image
    always is, if its sentences say so. Nothing is certain of the image's own kind where its regions are not known.

    Args:
        modality: of the image, one of :data:`MODALITIES`, or "other" for a picture of nothing medical, which shows none
            of all targets.
        regions: that the image may show, see :func:`shown_regions`.
        library: targets, their regions and sentences.
        split: "train", "heldout", or "canonical" for the one sentence of each target.
    """
    found = []
    for other in MODALITIES:
        for target in library.targets(other):
            sentences = _sentences(library, target, other, split)
            kind = _kind(modality, regions, other, library.regions(target, other))
            if kind == OTHER_MODALITY:
                sentences = [text for text in sentences if names_modality(text) == other]
            if kind and sentences:
                found.append(Absent(target, other, kind, tuple(sentences)))
    return found


def _kind(modality: str, regions: frozenset[str], other: str, places: Sequence[str]) -> str:
    if modality == "other":
        return NOT_MEDICAL
    elsewhere = bool(regions) and not regions & frozenset(places)
    if other == modality:
        return OTHER_REGION if elsewhere else ""
    return OTHER_BOTH if elsewhere else OTHER_MODALITY


def _sentences(library: PromptLibrary, target: str, modality: str, split: str) -> list[str]:
    if split == "canonical":
        return [library.canonical(target, modality)]
    if split == "heldout":
        return library.heldout(target, modality)
    return library.training(target, modality, wider=False)
