"""What label values, colours and names of masks are called, the label table, and the sentences of each target."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from monai_ext.errors import InputError
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.templates import template_sentences

BACKGROUND = "background"
IGNORE = "ignore"
"""nnU-Net's name of what is not annotated, which a label table cannot hold."""
VALUE = re.compile(r"-?\d+|#[0-9a-f]{6}")
"""A label value or a colour, which says nothing of what it shows."""
LARGEST = 255
"""Labels are stored in 8 bits."""

Names = Mapping[str, Sequence[str]]


def read_target_options(texts: Iterable[str]) -> dict[str, str]:
    """Words by value, colour or name, of options such as ``1=breast tumour`` and ``#ff0000=liver``.

    Raises:
        InputError: when one is not of that form.
    """
    found = {}
    for text in texts:
        key, equals, words = (part.strip() for part in text.partition("="))
        if not equals or not key or not words:
            raise InputError(f'--target {text!r}: give a value and words, such as 1="breast tumour".')
        found[key.casefold() if key.startswith("#") else key] = " ".join(words.split())
    return found


def name_targets(
    said: Sequence[Collection[str]],
    stated: Names,
    given: Mapping[str, str],
    library: PromptLibrary,
    modality: str,
) -> dict[str, list[str]]:
    """The targets that each name of :class:`~monai_ext.data.making.survey.Surveyed` belongs to; none of the background.

    Masks of only 0 and 255 are those of value 1. Colours may be given by their number in the order of their codes.

    Args:
        said: what the masks of each case say.
        stated: what the source's own table calls it.
        given: what the user calls it, which comes first.
        library: its names are preferred where a name of a mask is spelt nearly so ("Kidney_left").
        modality: one of ``prompts.modalities.MODALITIES``.

    Raises:
        InputError: a value has no name, or a name that was given or stated has no voxel.
    """
    names = sorted(set().union(*said), key=_order)
    words = _aliased({**stated, **{key: [text] for key, text in given.items()}}, said)
    if unnamed := [name for name in names if name not in words and VALUE.fullmatch(name)]:
        raise InputError(
            f'the masks hold {_listed(unnamed)} without a name; give --target "{unnamed[0]}=WORDS" for each'
            f" ({BACKGROUND} for what is none)."
        )
    result = {name: list(words.get(name, [spoken(name, library, modality)])) for name in names}
    if any(IGNORE in targets for targets in result.values()):
        raise InputError(
            f"the label '{IGNORE}' leaves voxels open, which a data set cannot; take it as background by --target."
        )
    result = {name: [one for one in targets if one != BACKGROUND] for name, targets in result.items()}
    refuse_empty({key: targets for key, targets in words.items() if key not in result}, result)
    return result


def refuse_empty(absent: Names, shown: Names) -> None:
    """Refuse names whose targets nothing shows, but for the background.

    Raises:
        InputError: with the first of them.
    """
    reached = {BACKGROUND, *(target for targets in shown.values() for target in targets)}
    for name, targets in absent.items():
        if not reached.issuperset(targets):
            raise InputError(
                f"no voxel of {name} ({' and '.join(targets)}) in any mask; they hold {_listed(list(shown))}. Leave it"
                f' out with --target "{name}={BACKGROUND}".'
            )


def _listed(names: Sequence[str]) -> str:
    return (", ".join(names[:8]) or "nothing") + (", …" if len(names) > 8 else "")


def _aliased(words: dict[str, Sequence[str]], said: Sequence[Collection[str]]) -> dict[str, Sequence[str]]:
    """Words by the names that masks have: of 255 by 1, where it is drawn in its place; of colours by their number."""
    names = set().union(*said)
    colours = sorted(name for name in names if name.startswith("#"))
    for number, colour in enumerate(colours, 1):
        if str(number) in words and str(number) not in names:
            words[colour] = words.pop(str(number))
    values = {name for name in names if VALUE.fullmatch(name)}
    binary = values <= {"1", "255"} and not any({"1", "255"} <= set(one) for one in said)
    if binary and "255" in values and "1" in words and "255" not in words:
        words["255"] = words["1"]
        if "1" not in values:
            del words["1"]
    return words


def _order(name: str) -> tuple[Any, ...]:
    return (0, int(name), "") if re.fullmatch(r"-?\d+", name) else (1, 0, name)


def spoken(name: str, library: PromptLibrary, modality: str) -> str:
    """A file's or segment's name in words: "Kidney_left" is "left kidney" where the library knows that."""
    plain = " ".join(re.split(r"[\s_]+", name.strip(" _-.")))
    spaced = " ".join(re.split(r"[\s_\-]+", plain))
    side = re.sub(r"^(.*) (left|right)$", r"\2 \1", spaced.casefold())
    for words in (plain, spaced.casefold(), side):
        if knows(library, words, modality):
            return words
    return plain


def knows(library: PromptLibrary, target: str, modality: str) -> bool:
    """Whether the library has sentences for a target."""
    try:
        library.resolve(target, modality)
    except InputError:
        return False
    return True


def label_table(targets: Sequence[str], shown: Iterable[frozenset[str]]) -> dict[frozenset[str], int]:
    """The label of each set of targets: of one target its number from 1 on, then of several that overlap.

    Raises:
        InputError: when there are more than 255.
    """
    single = [frozenset({target}) for target in targets]
    several = sorted(
        {one for one in shown if len(one) > 1},
        key=lambda one: [targets.index(t) for t in _in_order(one, targets)],
    )
    if len(single) + len(several) > LARGEST:
        raise InputError(
            f"{len(targets)} targets overlap in {len(several)} ways, and there are {LARGEST} labels; leave some out with"
            " --target NAME=background."
        )
    return {one: number for number, one in enumerate([*single, *several], 1)}


def _in_order(names: frozenset[str], targets: Sequence[str]) -> list[str]:
    return [target for target in targets if target in names]


def tables(
    targets: Sequence[str], labels: Mapping[frozenset[str], int], library: PromptLibrary, modality: str
) -> dict[str, dict[str, Any]]:
    """``labels`` and ``prompts`` of ``dataset.json``: a target that overlaps others is a union of its labels."""
    names = {str(number): " and ".join(_in_order(one, targets)) for one, number in labels.items()}
    prompts = {}
    for target in targets:
        values = sorted(number for one, number in labels.items() if target in one)
        sentences = sentences_of(target, library, modality)
        if len(values) > 1:  # a union is called by its first sentence
            sentences = list(dict.fromkeys([target, *sentences]))
        prompts["+".join(map(str, values))] = sentences
    return {"labels": {"0": BACKGROUND, **names}, "prompts": prompts}


def sentences_of(target: str, library: PromptLibrary, modality: str) -> list[str]:
    """The library's canonical sentence, or wordings by a template for a target that it does not know."""
    if knows(library, target, modality):
        return [library.canonical(target, modality)]
    return template_sentences(target, modality)
