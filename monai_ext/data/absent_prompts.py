"""The text prompts that an image is asked in the benchmark of absent targets, by the kind of absence.

An image is asked for every target of the prompt library that it certainly does not show, for structures that are no
target of the library, in words that negate its own targets, and in words that mean nothing medical. Nothing is to be
marked for any of them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from monai_ext.data.absence import (
    NOT_MEDICAL,
    OTHER_BOTH,
    OTHER_MODALITY,
    OTHER_REGION,
    absent_targets,
    shown_regions,
)
from monai_ext.data.wording import Asked
from monai_ext.errors import InputError
from monai_ext.prompts.library import PromptLibrary

HEALTHY = "healthy"
"""A target that was looked for in the image, and whose mask is empty: only the label tells."""
NO_TARGET = "no target of ours"
NEGATED = "negated"
NONSENSE = "nonsense"
KINDS = (HEALTHY, OTHER_REGION, OTHER_MODALITY, OTHER_BOTH, NOT_MEDICAL, NO_TARGET, NEGATED, NONSENSE)
"""Kinds of absence in the order of tables."""
NEGATIONS = (
    "no {}",
    "without {}",
    "{} is absent",
    "everything except the {}",
    "negative for {}",
    "not the {}",
)
"""Templates that deny a target, in words of ``negations`` in ``data/prompts/reading.json``."""
DRAWN = 8
"""Texts of :data:`NO_TARGET` and of :data:`NONSENSE` that each image is asked."""


def regions_of_set(case: Mapping[str, Any], library: PromptLibrary) -> frozenset[str]:
    """The regions of the body that an image of this set may show.

    All targets of the set count, also those that are not annotated in this image, which may show them. Empty, that is
    not known, where the library does not know one of them.

    Args:
        case: an item of :func:`monai_ext.data.datasets.read_split`.
        library: names and regions of the targets.
    """
    modality = case["modality"]
    try:
        names = [library.resolve(label, modality)[0] for label in case["prompts"]]
    except InputError:
        return frozenset()
    return shown_regions(names, modality, library)


def every_absent_prompt(
    case: Mapping[str, Any], own: Sequence[Asked], library: PromptLibrary, seed: int = 0
) -> list[Asked]:
    """All prompts of a case for which nothing is to be marked, each once.

    - every target of :func:`monai_ext.data.absence.absent_targets`, in its canonical sentence;
    - :data:`DRAWN` of the library's medical texts that are true of none of its images, kept out of training;
    - each of :data:`NEGATIONS`, with the image's own targets in turn: whether the image shows what is denied does not
      matter;
    - :data:`DRAWN` of the library's texts that mean nothing medical, kept out of training.

    What is drawn depends on set, case and seed alone.

    Args:
        case: an item of :func:`monai_ext.data.datasets.read_split`.
        own: prompts of the case's own targets; a text that one of them has is not asked for again.
        library: targets and texts.
        seed: of the draws.
    """
    regions = regions_of_set(case, library)
    draws = random.Random(f"{seed}/{case['set']}/{case['case']}")
    prompts = [
        Asked(text, kind=one.kind, asked_for=one.target, asked_modality=one.modality)
        for one in absent_targets(case["modality"], regions, library, "canonical")
        for text in one.sentences
    ]
    texts = {
        NO_TARGET: _drawn(library.absent("heldout"), draws),
        NEGATED: _negations(list(dict.fromkeys(prompt.target for prompt in own)), draws),
        NONSENSE: _drawn(library.nonsense("heldout"), draws),
    }
    prompts += [Asked(text, kind=kind, asked_for=text) for kind, found in texts.items() for text in found]
    asked = {prompt.joined for prompt in own}
    return list({one.joined: one for one in reversed(prompts) if one.joined not in asked}.values())[::-1]


def _drawn(texts: Sequence[str], draws: random.Random) -> list[str]:
    return draws.sample(texts, min(DRAWN, len(texts)))


def _negations(targets: list[str], draws: random.Random) -> list[str]:
    """Each template once, with the targets in turn; none where there is no target."""
    draws.shuffle(targets)
    return [
        template.format(targets[number % len(targets)])
        for number, template in enumerate(NEGATIONS)
        if targets
    ]
