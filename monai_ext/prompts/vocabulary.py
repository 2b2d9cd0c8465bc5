"""Words that have a meaning whatever a network has learnt: names of structures, negations, sides, parts, filler.

They lie in ``data/prompts``: ``names.json`` (what each structure is called in seven languages), ``reading.json`` (words
around the names) and ``carriers.json`` (phrases that training puts around nouns).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.text import clean, words
from monai_ext.resources import resource_path

ENGLISH = "en"
Phrase = tuple[str, ...]


class Name(NamedTuple):
    """A name of a structure.

    Attributes:
        structure: key in ``names.json``, in English and the singular where it has sides: "lung".
        foreign: True for a name that is in another language than English.
    """

    structure: str
    foreign: bool


@dataclass(frozen=True)
class Vocabulary:
    """All words with a meaning, folded (:func:`monai_ext.prompts.text.fold`).

    Attributes:
        names: of structures, by their words.
        targets: of each structure: the library's target by side ("left", "right", or "" for the whole).
        spoken: of each structure: the English name that a network is asked by.
        sides: "left" or "right" by word.
        groups: the other lists of ``reading.json`` as phrases: negations, parts, findings, …
        filler: English words that say nothing about what is asked for.
        foreign_filler: such words of the other languages.
        related: the target that something unknown belongs to.
        nonsense: words that training builds nonsense from.
    """

    names: dict[Phrase, Name]
    targets: dict[str, dict[str, str]]
    spoken: dict[str, str]
    sides: dict[str, str]
    groups: dict[str, frozenset[Phrase]]
    filler: frozenset[str]
    foreign_filler: frozenset[str]
    related: dict[str, str]
    nonsense: frozenset[str]

    def single(self, group: str) -> frozenset[str]:
        """The phrases of a group that are one word."""
        return self._single[group]

    @cached_property
    def _single(self) -> dict[str, frozenset[str]]:
        return {
            group: frozenset(one[0] for one in phrases if len(one) == 1)
            for group, phrases in self.groups.items()
        }

    @cached_property
    def _longest(self) -> int:
        return max(len(one) for phrases in (self.names, *self.groups.values()) for one in phrases)

    def spans(self, texts: Sequence[str], phrases: Collection[Phrase]) -> list[tuple[int, int]]:
        """Where phrases stand in a list of words, as (start, stop): from the left, the longest first, none twice."""
        found, at = [], 0
        while at < len(texts):
            sizes = range(min(self._longest, len(texts) - at), 0, -1)
            size = next((n for n in sizes if tuple(texts[at : at + n]) in phrases), 0)
            if size:
                found.append((at, at + size))
            at += max(size, 1)
        return found


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary that comes with the package."""
    listed, reading, carriers = (_read(f"{name}.json") for name in ("names", "reading", "carriers"))
    names: dict[Phrase, Name] = {}
    for foreign in (False, True):  # an English name wins over one of another language that is spelt alike
        for structure, entry in listed.items():
            for language in entry.keys() - {"targets"}:
                if (language != ENGLISH) == foreign:
                    for text in entry[language]:
                        names.setdefault(phrase(text), Name(structure, foreign))
    around = [text for kind in ("before", "determiners", "after") for text in carriers[kind]]
    filler = {word for text in [*around, *reading["clinical"]] for word in phrase(text)}
    return Vocabulary(
        names,
        {structure: entry["targets"] for structure, entry in listed.items()},
        {structure: entry[ENGLISH][0] for structure, entry in listed.items()},
        {phrase(word)[0]: side for side, spelt in reading["sides"].items() for word in spelt},
        {
            group: frozenset(map(phrase, texts))
            for group, texts in (*reading.items(), ("generic", carriers["generic"]))
            if isinstance(texts, list)
        },
        frozenset(filler),
        frozenset(word for texts in reading["filler"].values() for text in texts for word in phrase(text)),
        reading["related"],
        frozenset(
            word
            for text in (*carriers["words"], *PromptLibrary.load().nonsense("train"))
            for word in phrase(text)
        ),
    )


@cache
def names_in_languages() -> dict[str, tuple[str, ...]]:
    """By target of the library, its usual name in each language other than English; of a side there is none."""
    entries = [entry for entry in _read("names.json").values() if "" in entry["targets"]]
    return {
        entry["targets"][""]: tuple(entry[key][0] for key in sorted(entry.keys() - {"targets", ENGLISH}))
        for entry in entries
    }


def phrase(text: str) -> Phrase:
    """The folded words of a text."""
    return tuple(word.text for word in words(clean(text)))


def _read(name: str) -> Any:
    return json.loads((resource_path("prompts") / name).read_text(encoding="utf-8"))
