"""The text prompts by which an evaluation scores each image: its own targets, and structures that it does not show."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from monai_ext.data.datasets import Folder, read_split, shown
from monai_ext.errors import InputError
from monai_ext.io.datalists import unique_names
from monai_ext.prompts.levels import LEVELS, LevelWords, PromptLevels, is_oracle, sentence_count
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES
from monai_ext.prompts.templates import heldout_sentences

WORDINGS = ("canonical", "heldout", "nonsense", *LEVELS)
SEPARATOR = "\n"
"""Stands between the texts of an ensemble in one string of ``texts``, twice between levels; no sentence holds it."""

# Chest films and CT show the same organs, and endoscopy, ultrasound or MRI of the head may show a structure that has
# the same name in CT. Only these targets of another modality are certainly absent from an image.
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
    """Pairs of a target and its modality that an image of this `modality` certainly does not show.

    ``absent_targets("other")``, for a picture that is not medical, holds all pairs.
    """
    return [
        (target, other)
        for other, targets in _ABSENT_FROM_OTHERS.items()
        if other != modality and other not in _SAME_BODY.get(modality, ())
        for target in targets
    ]


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
    is an absent prompt. Further absent prompts come in turn from the targets of other modalities and from the
    library's medical texts that are true of no image. A picture without labels (``images`` of a control set) gets a
    prompt for every target of the library. The choice depends on set, case and seed, not on the order.

    Args:
        folder, split, sets: as in :func:`monai_ext.data.datasets.read_split`.
        library: the sentences; those of the package if None. The prompt of a target that it does not have is the
            first sentence of the set.
        absent: number of further absent prompts per image.
        wording: "canonical": the one sentence of each target; "heldout": every paraphrase kept out of
            training (none of which states a fact of the image); "nonsense": texts that mean nothing medical,
            and no target; "medclipsam_p0" to "medclipsam_p9", or several of them joined by "+", the groups of one
            prompt (Table 7 of MedCLIP-SAMv2): see :mod:`monai_ext.prompts.levels`. Odd levels name the true
            subtype that the item states (``pathology``, ``tumour_type``, ``finding``) or its label implies; an item
            that states no subtype with sentences, and an absent target, get the words of one level lower.
        sequence: number of the sequence that is used of an image with several.
        seed: of the choice of absent prompts.
        levels: sentences of the prompt levels; those of the package if None.

    Returns:
        dicts with ``image``, ``label`` (where there is one), ``case``, ``group``, ``set``, ``modality``,
        ``table`` ("0+1+2": all values that a label map of this set may hold), ``difficulty`` ("" where the list does
        not say) and three lists of one string
        per prompt: ``prompt``, ``target`` ("" if not one of the set's) and ``values`` ("1+2": the label
        values of the target, "" if none). All are strings, which a DataLoader does not change. With a level as
        wording there are two lists more: ``texts`` (the sentences of an ensemble, see :func:`split_texts`;
        ``prompt`` then holds the first and the number of the others) and ``subtype`` (the true subtype that the
        words of an odd level name; "" for generic words).

    Raises:
        InputError: for an unknown wording, an image without label in a set that has targets, a target without
            paraphrases or with fewer sentences than the level averages, and as :func:`read_split` does.
    """
    chosen_levels = tuple(level for level in wording.split("+") if level in LEVELS)
    if wording not in WORDINGS and "+".join(chosen_levels) != wording:
        raise InputError(
            f"wording is '{wording}'; choose from {', '.join(WORDINGS[:3])}, {LEVELS[0]} to {LEVELS[-1]}, or "
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
    words = _Wording(library, wording)
    if chosen_levels:
        words = _Levels(library, levels or PromptLevels.load(), chosen_levels)
    return [_item(case, words, absent, seed) for case in cases]


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


def split_texts(joined: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The texts of one string of ``texts``, and the sizes of the groups of several levels; () for a single level."""
    groups = [tuple(group.split(SEPARATOR)) for group in joined.split(2 * SEPARATOR)]
    texts = tuple(text for group in groups for text in group)
    return texts, tuple(map(len, groups)) if len(groups) > 1 else ()


class _Prompt(NamedTuple):
    """One prompt: its joined texts, the target, its label values as "1+2", and the true subtype that the texts name."""

    joined: str
    target: str = ""
    values: str = ""
    subtype: str = ""

    @property
    def shown(self) -> str:
        first, *more = split_texts(self.joined)[0]
        return f"{first} (and {len(more)} more)" if more else first


class _Wording:
    """The words of the prompt library."""

    def __init__(self, library: PromptLibrary, wording: str) -> None:
        self.library, self.wording = library, wording

    def targets(self, modality: str) -> list[str]:
        """The targets of a modality that the words exist for."""
        return self.library.targets(modality)

    def words(self, target: str, modality: str, facts: Mapping[str, Any]) -> list[_Prompt]:
        """The prompts of a target of the library, whether an image shows it or not."""
        if self.wording == "canonical":
            return [_Prompt(self.library.canonical(target, modality))]
        return [_Prompt(text) for text in self.library.heldout(target, modality)]

    def of_case(self, case: dict[str, Any], label: str) -> tuple[str, list[_Prompt]]:
        """The library's name of a label, or the label itself where the library has none, and its prompts."""
        modality = case["modality"]
        try:
            target, implied = self.library.resolve(label, modality)
        except InputError as error:
            if self.wording == "canonical":
                return label, [_Prompt(case["prompts"][label][0])]
            if self.wording == "heldout":
                own = set(case["prompts"][label])
                return label, [
                    _Prompt(text) for text in heldout_sentences(label, modality) if text not in own
                ]
            raise InputError(
                f"{case['set']}: {error} Only canonical and heldout wordings can be scored."
            ) from None
        return target, self.words(target, modality, {**case["facts"], **implied})


class _Levels(_Wording):
    """The words of one or several prompt levels, as one prompt."""

    def __init__(self, library: PromptLibrary, levels: PromptLevels, chosen: Sequence[str]) -> None:
        super().__init__(library, "+".join(chosen))
        self.levels, self.chosen = levels, chosen

    def targets(self, modality: str) -> list[str]:
        most = max(self.chosen, key=sentence_count)
        return self.levels.targets(modality, most)

    def words(self, target: str, modality: str, facts: Mapping[str, Any]) -> list[_Prompt]:
        subtype = self.levels.subtype(target, modality, facts)
        groups = [self._at(level, target, modality, subtype) for level in self.chosen]
        joined = (2 * SEPARATOR).join(SEPARATOR.join(group.texts) for group in groups)
        named = {group.subtype for group in groups if group.oracle}
        return [_Prompt(joined, subtype=named.pop() if named else "")]

    def _at(self, level: str, target: str, modality: str, subtype: str) -> LevelWords:
        generic = is_oracle(level) and not subtype
        level = LEVELS[LEVELS.index(level) - 1] if generic else level
        return self.levels.words(target, modality, level, subtype)


def _item(case: dict[str, Any], words: _Wording, absent: int, seed: int) -> dict[str, Any]:
    modality = case["modality"]
    prompts: list[_Prompt] = []
    if words.wording == "nonsense":
        prompts += [_Prompt(text) for text in words.library.nonsense("heldout")]
    elif not case["prompts"]:
        known = [(target, m) for m in MODALITIES for target in words.targets(m)]
        prompts += [prompt for pair in known for prompt in words.words(*pair, {})]
    else:
        for label, label_values in case["targets"].items():
            target, found = words.of_case(case, label)
            values = "+".join(map(str, label_values))
            prompts += [prompt._replace(target=target, values=values) for prompt in found]
        draws = random.Random(f"{seed}/{case['set']}/{case['case']}")
        prompts += _absent_prompts(modality, words, absent, draws)
    if not prompts:
        name = f"{case['set']}/{case['case']}"
        raise InputError(f"{name}: nothing to ask for; annotate a target, or set absent above 0.")
    kept = ("image", "label", "case", "group", "set", "modality", "table")
    item: dict[str, Any] = {key: case[key] for key in kept if key in case}
    item["difficulty"] = str(case["facts"].get("difficulty", ""))
    item["prompt"] = [prompt.shown for prompt in prompts]
    item["target"] = [prompt.target for prompt in prompts]
    item["values"] = [prompt.values for prompt in prompts]
    if isinstance(words, _Levels):
        item["texts"] = [prompt.joined for prompt in prompts]
        item["subtype"] = [prompt.subtype for prompt in prompts]
    return item


def _absent_prompts(modality: str, words: _Wording, count: int, draws: random.Random) -> list[_Prompt]:
    """`count` prompts of structures that an image of this modality does not show."""
    targets = [pair for pair in absent_targets(modality) if pair[0] in words.targets(pair[1])]
    texts = words.library.absent("heldout")
    draws.shuffle(targets)
    draws.shuffle(texts)
    prompts = []
    for number in range(count):
        source = targets if number % 2 == 0 else texts
        if not source:
            raise InputError(f"absent is {count}; there are words for only {number} on {modality} images.")
        if source is targets:
            prompts.append(draws.choice(words.words(*targets.pop(), {})))
        else:
            prompts.append(_Prompt(texts.pop()))
    return prompts
