"""The text prompts by which an evaluation scores each image: its own targets, and structures that it does not show."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

from monai_ext.data.absent_prompts import every_absent_prompt, regions_of_set
from monai_ext.data.datasets import Folder, read_split, shown
from monai_ext.data.wording import Asked, LanguageWording, LevelWording, Wording
from monai_ext.errors import InputError
from monai_ext.io.datalists import unique_names
from monai_ext.prompts.levels import LEVELS, PromptLevels
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES

ABSENT = "absent"
NONSENSE = "nonsense"
LANGUAGES = "languages"
WORDINGS = ("canonical", "heldout", LANGUAGES, NONSENSE, ABSENT, *LEVELS)


def evaluation_items(
    folder: Folder,
    split: str,
    library: PromptLibrary | None = None,
    absent: int = 2,
    wording: str = "canonical",
    sets: str | Sequence[str] | None = None,
    sequence: int = 0,
    seed: int = 0,
    levels: PromptLevels | None = None,
) -> list[dict[str, Any]]:
    """One item per image, with all the text prompts that it is scored by.

    The targets are those of the set's prompts table that are annotated in the image; a target whose mask is empty
    is an absent prompt. Further absent prompts come in turn from the targets that the image certainly does not show
    (:func:`monai_ext.data.absence.absent_targets`) and from the library's medical texts that are true of no image. A picture without labels (``images`` of a control set) gets a
    prompt for every target of the library. The choice depends on set, case and seed, not on the order.

    Args:
        folder, split, sets: as in :func:`monai_ext.data.datasets.read_split`.
        library: the sentences; those of the package if None. The prompt of a target that it does not have is the
            first sentence of the set.
        absent: number of further absent prompts per image.
        wording: "canonical": the one sentence of each target; "heldout": every paraphrase kept out of
            training (none of which states a fact of the image); "languages": the name of each target in each language but
            English; "nonsense": texts that mean nothing medical, and no target; "absent": the canonical sentences, and all that
            :func:`monai_ext.data.absent_prompts.every_absent_prompt` gives, whatever `absent` is; "medclipsam_p0" to
            "medclipsam_p9", or several of them joined by "+", the groups of one prompt (Table 7 of MedCLIP-SAMv2): see
            :mod:`monai_ext.prompts.levels`. Odd levels name the true subtype that the item states (``pathology``,
            ``tumour_type``, ``finding``) or its label implies; an item that states no subtype with sentences, and an absent
            target, get the words of one level lower.
        sequence: number of the sequence that is used of an image with several.
        seed: of the choice of absent prompts.
        levels: sentences of the prompt levels; those of the package if None.

    Returns:
        dicts with ``image``, ``label`` (where there is one), ``case``, ``group``, ``set``, ``modality``,
        ``table`` ("0+1+2": all values that a label map of this set may hold), ``difficulty`` ("" where the list does
        not say) and three lists of one string
        per prompt: ``prompt``, ``target`` ("" if not one of the set's) and ``values`` ("1+2": the label
        values of the target, "" if none). All are strings, which a DataLoader does not change. With a level as
        wording there are two lists more: ``texts`` (the sentences of an ensemble, see :func:`monai_ext.data.wording.split_texts`;
        ``prompt`` then holds the first and the number of the others) and ``subtype`` (the true subtype that the
        words of an odd level name; "" for generic words). With "absent" there are ``regions`` ("abdomen+chest": what
        the images of the set may show, "" if not known) and three lists more: ``kind``, ``asked_for`` and
        ``asked_modality``, see :class:`monai_ext.data.wording.Asked`.

    Raises:
        InputError: for an unknown wording, an image without label in a set that has targets, a target without
            paraphrases or with fewer sentences than the level averages, and as :func:`read_split` does.
    """
    chosen_levels = tuple(level for level in wording.split("+") if level in LEVELS)
    if wording not in WORDINGS and "+".join(chosen_levels) != wording:
        raise InputError(
            f"wording is '{wording}'; choose from {', '.join(WORDINGS[:5])}, {LEVELS[0]} to {LEVELS[-1]}, or "
            "several of these joined by +."
        )
    if absent < 0:
        raise InputError(f"absent is {absent}; a number of prompts, 0 or more, is needed.")
    cases = read_split(folder, split, sets)
    unlabelled = [
        f"{case['set']}/{case['case']}" for case in cases if case["prompts"] and "label" not in case
    ]
    if unlabelled:
        raise InputError(
            f"{shown(folder)}, list '{split}': no label to score {', '.join(unlabelled[:5])} by; choose another list."
        )
    # Unique names, by which masks could be saved: two sets may each have a case "001".
    for case, name in zip(cases, unique_names([case["case"] for case in cases]), strict=True):
        case["case"] = name
        if isinstance(case["image"], list):
            if not 0 <= sequence < len(case["image"]):
                raise InputError(
                    f"sequence is {sequence}; {case['set']}/{case['case']} has {len(case['image'])}, from 0."
                )
            case["image"] = case["image"][sequence]
    library = library or PromptLibrary.load()
    if wording == NONSENSE:
        texts = [Asked(text) for text in library.nonsense("heldout")]
        return [_item(case, texts) for case in cases]
    if wording == ABSENT:
        return [_absent_item(case, library, seed) for case in cases]
    words = LanguageWording(library) if wording == LANGUAGES else Wording(library, wording)
    if chosen_levels:
        words = LevelWording(library, levels or PromptLevels.load(), chosen_levels)
    return [_usual_item(case, words, absent, seed) for case in cases]


def draw_cases(cases: Sequence[dict[str, Any]], limit: int, seed: int = 0) -> list[dict[str, Any]]:
    """`limit` of the items of :func:`evaluation_items`, or all if there are fewer, in their order.

    The draw depends on set, case and seed alone, and a smaller draw is a subset of a larger one.

    Raises:
        InputError: for a limit below 1.
    """
    if limit < 1:
        raise InputError(f"limit is {limit}; one case is the least.")

    def rank(case: dict[str, Any]) -> str:
        return hashlib.sha256(f"{seed}/{case['set']}/{case['case']}".encode()).hexdigest()

    drawn = {id(case) for case in sorted(cases, key=rank)[:limit]}
    return [case for case in cases if id(case) in drawn]


def _usual_item(case: Mapping[str, Any], words: Wording, absent: int, seed: int) -> dict[str, Any]:
    if case["prompts"]:
        prompts = [*_own_prompts(case, words), *_drawn_absent(case, words, absent, seed)]
    else:
        known = [(target, modality) for modality in MODALITIES for target in words.targets(modality)]
        prompts = [prompt for pair in known for prompt in words.words(*pair, {})]
    if not prompts:
        name = f"{case['set']}/{case['case']}"
        raise InputError(f"{name}: nothing to ask for; annotate a target, or set absent above 0.")
    item = _item(case, prompts)
    if isinstance(words, LevelWording):
        item["texts"] = [prompt.joined for prompt in prompts]
        item["subtype"] = [prompt.subtype for prompt in prompts]
    return item


def _absent_item(case: Mapping[str, Any], library: PromptLibrary, seed: int) -> dict[str, Any]:
    own = [
        prompt._replace(asked_for=prompt.target, asked_modality=case["modality"])
        for prompt in _own_prompts(case, Wording(library))
    ]
    prompts = [*own, *every_absent_prompt(case, own, library, seed)]
    return {
        **_item(case, prompts),
        "regions": "+".join(sorted(regions_of_set(case, library))),
        "kind": [prompt.kind for prompt in prompts],
        "asked_for": [prompt.asked_for for prompt in prompts],
        "asked_modality": [prompt.asked_modality for prompt in prompts],
    }


def _item(case: Mapping[str, Any], prompts: Sequence[Asked]) -> dict[str, Any]:
    kept = ("image", "label", "case", "group", "set", "modality", "table")
    return {
        **{key: case[key] for key in kept if key in case},
        "difficulty": str(case["facts"].get("difficulty", "")),
        "prompt": [prompt.shown for prompt in prompts],
        "target": [prompt.target for prompt in prompts],
        "values": [prompt.values for prompt in prompts],
    }


def _own_prompts(case: Mapping[str, Any], words: Wording) -> list[Asked]:
    """The prompts of the targets that are annotated in an image."""
    prompts: list[Asked] = []
    for label, label_values in case["targets"].items():
        target, found = words.of_case(case, label)
        values = "+".join(map(str, label_values))
        prompts += [prompt._replace(target=target, values=values) for prompt in found]
    return prompts


def _drawn_absent(case: Mapping[str, Any], words: Wording, count: int, seed: int) -> list[Asked]:
    """`count` prompts of structures that an image does not show."""
    draws = random.Random(f"{seed}/{case['set']}/{case['case']}")
    modality = case["modality"]
    targets = words.absent(modality, regions_of_set(case, words.library))
    texts = words.library.absent("heldout")
    draws.shuffle(targets)
    draws.shuffle(texts)
    prompts = []
    for number in range(count):
        source = targets if number % 2 == 0 else texts
        if not source:
            raise InputError(f"absent is {count}; there are words for only {number} on {modality} images.")
        prompts.append(draws.choice(targets.pop()) if source is targets else Asked(texts.pop()))
    return prompts
