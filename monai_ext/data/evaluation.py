"""What an evaluation asks of each image: its own targets, and things that are not in it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from .datalists import unique_names
from .datasets import read_split
from .prompts import MODALITIES, PromptLibrary

WORDINGS = ("canonical", "heldout", "nonsense")

# Chest films and CT show the same organs, and a scope, a probe or a skull may show what CT calls by the same
# name, so that only these of another modality's targets are surely not in an image.
_ABSENT_FROM_OTHERS = {
    "xray": ("lungs", "left lung", "right lung"),
    "us": ("breast tumour",),
    "endoscopy": ("polyp",),
    "dermoscopy": ("skin lesion",),
    "ct": ("liver", "spleen", "pancreas", "kidneys", "left kidney", "right kidney", "gallbladder"),
    "mri": ("brain tumour", "whole brain tumour", "tumour core", "FLAIR abnormality"),
}
_SAME_BODY = {"xray": ("ct",), "ct": ("xray",)}


def absent_targets(modality: str) -> list[tuple[str, str]]:
    """Pairs of a target and its modality that an image of this `modality` surely does not show.

    ``absent_targets("other")``, of a picture that is not medical, is all of them.
    """
    return [
        (target, other)
        for other, targets in _ABSENT_FROM_OTHERS.items()
        if other != modality and other not in _SAME_BODY.get(modality, ())
        for target in targets
    ]


def evaluation_items(
    folder: str | Path,
    split: str,
    library: PromptLibrary,
    absent: int = 2,
    wording: str = "canonical",
    sets: str | Sequence[str] | None = None,
    sequence: int = 0,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """One item per image, with all the prompts that it is scored by.

    The targets are those of the set's prompts table that are annotated in the image; one whose mask is empty
    is an absent prompt. Further absent prompts come in turn from the targets of other modalities and from the
    library's medical texts that are true of no image. A picture without labels (``images`` of a control set)
    is asked for everything the library knows. The choice depends on set, case and seed, not on the order.

    Args:
        folder, split, sets: as in :func:`monai_ext.data.datasets.read_split`.
        library: the sentences. A target that it does not know is asked for by the set's own first prompt.
        absent: number of further absent prompts per image.
        wording: "canonical": the one sentence of each target; "heldout": every paraphrase kept out of
            training (none of which states a fact of the image); "nonsense": texts that mean nothing medical,
            and no target.
        sequence: which one is shown of an image that has several.
        seed: of the choice of absent prompts.

    Returns:
        dicts with ``image``, ``label`` (where there is one), ``case``, ``group``, ``set``, ``modality``,
        ``table`` ("0+1+2": all values that a label map of this set may hold), ``difficulty`` ("" where the list does
        not say) and three lists of one string
        per prompt: ``prompt``, ``target`` ("" if not one of the set's) and ``values`` ("1+2": the label
        values of the target, "" if none). All are strings, which pass through a DataLoader unharmed.

    Raises:
        InputError: for an unknown wording, an image without label in a set that has targets, a target without
            paraphrases, or whatever is wrong with the data.
    """
    if wording not in WORDINGS:
        raise InputError(f"wording is '{wording}'; choose from {', '.join(WORDINGS)}.")
    if absent < 0:
        raise InputError(f"absent is {absent}; a number of prompts, 0 or more, is needed.")
    cases = read_split(folder, split, sets)
    blind = [f"{case['set']}/{case['case']}" for case in cases if case["prompts"] and "label" not in case]
    if blind:
        raise InputError(
            f"{folder}, list '{split}': no label to score {', '.join(blind[:5])} by; choose another list."
        )
    # Names as files would have them, if masks are saved: two sets may each have a case "001".
    for case, name in zip(cases, unique_names([case["case"] for case in cases]), strict=True):
        case["case"] = name
        if isinstance(case["image"], list):
            if not 0 <= sequence < len(case["image"]):
                raise InputError(
                    f"sequence is {sequence}; {case['set']}/{case['case']} has {len(case['image'])}, from 0."
                )
            case["image"] = case["image"][sequence]
    return [_item(case, library, absent, wording, seed) for case in cases]


def draw_cases(cases: Sequence[dict[str, Any]], limit: int, seed: int = 0) -> list[dict[str, Any]]:
    """`limit` of the items of :func:`evaluation_items`, or all if there are no more, in their order.

    The draw depends on set, case and seed alone, and a smaller one is part of a larger one.

    Raises:
        InputError: for a limit below 1.
    """
    if limit < 1:
        raise InputError(f"limit is {limit}; one case is the least.")

    def place(case: dict[str, Any]) -> str:
        return hashlib.sha256(f"{seed}/{case['set']}/{case['case']}".encode()).hexdigest()

    drawn = {id(case) for case in sorted(cases, key=place)[:limit]}
    return [case for case in cases if id(case) in drawn]


def _item(
    case: dict[str, Any], library: PromptLibrary, absent: int, wording: str, seed: int
) -> dict[str, Any]:
    chance = random.Random(f"{seed}/{case['set']}/{case['case']}")
    modality = case["modality"]
    asked: list[tuple[str, str, str]] = []
    if wording == "nonsense":
        asked += [(text, "", "") for text in library.nonsense("heldout")]
    elif not case["prompts"]:
        known = [(target, m) for m in MODALITIES for target in library.targets(m)]
        asked += [(text, "", "") for one in known for text in _words(library, *one, wording)]
    else:
        for label, values in case["targets"].items():
            target, texts = _target(case, label, library, wording)
            asked += [(text, target, "+".join(map(str, values))) for text in texts]
        asked += [(text, "", "") for text in _elsewhere(modality, library, absent, wording, chance)]
    if not asked:
        name = f"{case['set']}/{case['case']}"
        raise InputError(f"{name}: nothing to ask for; annotate a target, or set absent above 0.")
    kept = ("image", "label", "case", "group", "set", "modality", "table")
    item: dict[str, Any] = {key: case[key] for key in kept if key in case}
    item["difficulty"] = str(case["facts"].get("difficulty", ""))
    item["prompt"], item["target"], item["values"] = (list(column) for column in zip(*asked))
    return item


def _words(library: PromptLibrary, target: str, modality: str, wording: str) -> list[str]:
    if wording == "canonical":
        return [library.canonical(target, modality)]
    return library.heldout(target, modality)


def _target(case: dict[str, Any], label: str, library: PromptLibrary, wording: str) -> tuple[str, list[str]]:
    """The name of a label in the library, or its own where the library has none, and its sentences."""
    modality = case["modality"]
    try:
        target, _ = library.resolve(label, modality)
    except InputError as error:
        if wording != "canonical":
            raise InputError(f"{case['set']}: {error} Only the canonical wording can be scored.") from None
        return label, case["prompts"][label][:1]
    return target, _words(library, target, modality, wording)


def _elsewhere(
    modality: str, library: PromptLibrary, count: int, wording: str, chance: random.Random
) -> list[str]:
    """`count` prompts of things that an image of this modality does not show."""
    others = [pair for pair in absent_targets(modality) if pair[0] in library.targets(pair[1])]
    strangers = library.absent("heldout")
    chance.shuffle(others)
    chance.shuffle(strangers)
    texts = []
    for number in range(count):
        source = others if number % 2 == 0 else strangers
        if not source:
            raise InputError(f"absent is {count}; there are words for only {number} on {modality} images.")
        if source is others:
            texts.append(chance.choice(_words(library, *others.pop(), wording)))
        else:
            texts.append(strangers.pop())
    return texts
