"""One string of a user to text prompts: separated by ";", and where one piece names several structures, by these."""

from __future__ import annotations

import re
from functools import lru_cache

from monai_ext.errors import InputError
from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.sentence import Named, Sentence

MOST = 255
"""Prompts of one run: a label map of type uint8 numbers no more."""

_OPEN = Lexicon()
_BEFORE = frozenset(
    ["the", "a", "an", "both", "all", "whole", "entire", "left", "right", "lt", "rt", "this", "his", "her"]
)


def split_prompts(text: str) -> list[str]:
    """The text prompts in one string: its pieces between ";", each of them as :func:`separate` gives it.

    Raises:
        InputError: when they are more than 255.
    """
    pieces = [" ".join(piece.split()) for piece in text.split(";")]
    if len(pieces) <= 2 * MOST:
        pieces = [prompt for piece in pieces for prompt in separate(piece)]
    prompts = [piece for piece in pieces if piece]
    if len(prompts) > MOST:
        raise InputError(f"{len(prompts)} prompts: one run takes {MOST} at most; ask in several runs.")
    return prompts


def separation_notes(text: str) -> dict[str, str]:
    """For each prompt of :func:`split_prompts` that came of a piece with several: that it did, as a sentence."""
    notes: dict[str, str] = {}
    for piece in (" ".join(piece.split()) for piece in text.split(";")):
        prompts = separate(piece)
        if len(prompts) > 1:
            notes |= dict.fromkeys(
                prompts, f"'{piece}' names {len(prompts)} structures; each was asked for by itself"
            )
    return notes


def plain_text(text: str) -> str:
    """The text itself, if MONAI reads it as text in a configuration.

    Raises:
        InputError: when it begins with ``$`` (MONAI would run it as code), ``@`` or ``%`` (a reference).
    """
    if text.startswith(("$", "@", "%")):
        raise InputError(f"prompt {text!r} begins with {text[0]!r}, which configurations reserve; use words.")
    return text


@lru_cache(1024)
def separate(text: str) -> tuple[str, ...]:
    """The text prompts in a text that names several structures; the text alone if it names one.

    What stands before the first name and behind the last one belongs to each: "tumour of the liver and the spleen in a CT
    scan" is a tumour of the liver in a CT scan, and one of the spleen. "left and right lung" is one structure, the lungs;
    of what only has sides, such as the adrenal glands, both are asked for. "left and right atrium" are two structures.
    """
    sentence = Sentence(text, _OPEN)
    if sentence.paired:
        found = sentence.paired[0]
        stop, like = sentence.position(found.start - 2)[1], sentence.quoted(found.start + 1, found.stop)
        each = separate(f"{text[:stop]} {like}{text[stop:]}")
        return each if len(each) > 1 else (text,)
    names = sentence.asked_names
    joined = [names[0]] if names else []
    for name in names[1:]:
        if not sentence.joined(joined[-1].stop, name.start):
            break
        joined.append(name)
    if not joined or (len(joined) < len(names) and len(joined) > 1):
        return (text,)
    pieces = [_with_determiners(sentence, name) for name in joined]
    alike = len({name.name.structure for name in joined}) == 1
    if alike and len(joined) > 1 and len(sentence.side_words) < len(joined):
        return (text,)  # "lung window, both lungs" is one structure; "left kidney and right kidney" are two
    head, tail = text[: pieces[0][0]], text[pieces[-1][1] :]
    prompts = [
        head + piece + tail
        for (start, stop), name in zip(pieces, joined, strict=True)
        for piece in _sides(text[start:stop], sentence, name)
    ]
    return (
        tuple(dict.fromkeys(" ".join(prompt.split()) for prompt in prompts)) if len(prompts) > 1 else (text,)
    )


def _with_determiners(sentence: Sentence, name: Named) -> tuple[int, int]:
    """Where a name stands in the text with the article and sides before it, and a side behind it."""
    start, stop = name.start, name.stop
    while start and (sentence.words[start - 1] in _BEFORE or _between_sides(sentence, start - 1)):
        start -= 1
    return sentence.position(start)[0], sentence.position(stop - 1)[1]


def _between_sides(sentence: Sentence, at: int) -> bool:
    """Whether "and" joins the sides of one structure: "left and right lung"."""
    sides = sentence.speech.sides
    around = sentence.words[at - 1 : at] + sentence.words[at + 1 : at + 2]
    return sentence.words[at] in ("and", "or") and len(around) == 2 and all(word in sides for word in around)


def _sides(piece: str, sentence: Sentence, name: Named) -> list[str]:
    """The piece; or one for each side, of a structure that the library has sides of only, or of a pair of them."""
    by_side = sentence.speech.targets[name.name.structure]
    words = set(re.findall(r"[a-z]+", piece.casefold()))
    sides = words & {"left", "right", "lt", "rt", "l", "r"}
    # "femur" is one bone of an image of a knee, while "kidneys" are both
    single = by_side.get("") == name.name.structure
    pair = len(sides) == 2 or sentence.words[name.stop - 1].endswith(("s", "ora"))
    each = [f"{side} {name.name.structure}" for side in by_side if side]
    if not each or ("" in by_side and not (single and pair)) or len(sides) == 1:
        return [piece]
    if (sentence.side_words or name.name.foreign) and len(sides) != 2:
        return [piece]
    return each
