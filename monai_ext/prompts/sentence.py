"""The words of a text prompt and what each of them is: a name, a side, a part, filler, or nothing that is known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from monai_ext.prompts.image_side import ImageSide, image_side
from monai_ext.prompts.lexicon import Known, Lexicon
from monai_ext.prompts.text import clean, words
from monai_ext.prompts.vocabulary import Name, Vocabulary, vocabulary

_LEVEL = re.compile(r"c[2-7]|t(?:[3-9]|1[0-2])|l[1-5]|[cl]\d\d|[ctl]\d[tls]\d", re.IGNORECASE)
"""A vertebra, or the disc between two, but not T1 and T2, which are weightings of MRI."""
_PLACING = frozenset(["in", "of", "on", "at", "by", "from", "with", "within", "inside", "into"])


def _is_numbered(word: str, after: str) -> bool:
    """Whether a number tells one from its like: "tooth 36"."""
    return word in ("tooth", "teeth", "vertebra", "disc", "disk", "rib") and after.isdigit()


class Named(NamedTuple):
    """A name of a structure in a sentence: its words from `start` up to, without, `stop`."""

    start: int
    stop: int
    name: Name


class Sentence:
    """A text prompt, word by word.

    Attributes:
        text: without characters that nobody sees.
        words: folded, in their order; all positions are indices of this list.
        names: of structures, in any language.
        foreign: whether one of them is in another language than English.
    """

    def __init__(self, text: str, lexicon: Lexicon) -> None:
        self.speech: Vocabulary = vocabulary()
        self.lexicon = lexicon
        self.text = clean(text)
        self._tokens = words(self.text)
        self.words = [token.text for token in self._tokens]
        self._spans: dict[str, list[tuple[int, int]]] = {}
        self.names = self._find_names()
        self.foreign = any(found.name.foreign for found in self.names)

    def spans(self, group: str) -> list[tuple[int, int]]:
        """Where phrases of a group of the vocabulary stand, as (start, stop)."""
        if group not in self._spans:  # looked for once, since a text may have thousands of words
            self._spans[group] = self.speech.spans(self.words, self.speech.groups[group])
        return self._spans[group]

    def marked(self, group: str) -> set[int]:
        """Positions of the words in phrases of a group."""
        return {at for start, stop in self.spans(group) for at in range(start, stop)}

    def quoted(self, start: int, stop: int) -> str:
        """Some words as they were written."""
        return self.text[self._tokens[start].start : self._tokens[stop - 1].stop]

    def position(self, at: int) -> tuple[int, int]:
        """Where a word stands in the text, stop exclusive."""
        return self._tokens[at].start, self._tokens[at].stop

    def replaced(self, changes: Mapping[int, str]) -> str:
        """The text with other words at some positions."""
        text = self.text
        for at in sorted(changes, reverse=True):
            text = text[: self._tokens[at].start] + changes[at] + text[self._tokens[at].stop :]
        return text

    @cached_property
    def taught(self) -> list[Known]:
        """The targets that were taught by this very text, or by all of it but filler around ("please show the …")."""
        for start, stop in self._spans_between_filler():
            spelt = tuple(self.words[start:stop])
            if spelt in self.lexicon.sentences and not self._of_another(start, stop):
                return [known for known in self.lexicon.known if spelt in known.sentences]
        return []

    def _spans_between_filler(self) -> Iterator[tuple[int, int]]:
        """The whole text, and what remains where filler is taken from its ends, the longest first."""
        single, size = self.speech.single, len(self.words)
        filler = self.speech.filler | single("imaging")
        for group in ("negations", "joining", "selectors", "landmarks", "findings"):
            filler -= single(group)
        kept = [at for at, word in enumerate(self.words) if word not in filler or at in self.parts]
        first, last = (kept[0], kept[-1] + 1) if kept else (size, 0)
        longest = self.lexicon.longest
        spans = [
            (start, stop)
            for start in range(max(0, last - longest), min(first + 1, size))
            for stop in range(max(last, start + 1), min(size, start + longest) + 1)
        ]
        yield from sorted(spans, key=lambda span: span[0] - span[1])

    @cached_property
    def image_side(self) -> ImageSide | None:
        """The side of the image that the text names."""
        return image_side(self.words, self.foreign)

    @property
    def placed(self) -> set[int]:
        """Positions of the words that name a side of the image."""
        return set() if self.image_side is None else set(range(*self.image_side[1:]))

    @cached_property
    def named(self) -> set[int]:
        """Positions of the words in names."""
        return {at for found in self.names for at in range(found.start, found.stop)}

    @cached_property
    def filler_of_language(self) -> set[int]:
        """Positions of words that mean nothing in another language."""
        return {at for at, word in enumerate(self.words) if word in self.speech.foreign_filler}

    @cached_property
    def wholes(self) -> set[int]:
        """Positions of phrases with words of parts that mean a whole, or where it is."""
        return self.marked("wholes")

    @cached_property
    def context(self) -> set[int]:
        """Positions behind words that say where something is ("above the kidney"), up to the next comma."""
        found: set[int] = set()
        inside = False
        for at, word in enumerate(self.words):
            between = self.text[self._tokens[at - 1].stop : self._tokens[at].start] if at else ""
            starts = word in self.speech.single("landmarks") and at not in self.wholes
            inside = (inside and not re.search("[,;:.]", between)) or starts
            if inside:
                found.add(at)
        return found

    @cached_property
    def side_words(self) -> list[int]:
        """Positions of words that name a side of the patient."""
        language = (
            self.speech.sides if self.foreign else dict.fromkeys(("left", "right", "lt", "rt", "l", "r"))
        )
        passed = self.named | self._sides_of_wholes | self.placed
        beside = {
            at + step for found in self.names for at in (found.start, found.stop - 1) for step in (-1, 1)
        }
        return [
            at
            for at, word in enumerate(self.words)
            # a single letter is a side only beside a name
            if word in language and at not in passed and (len(word) > 1 or at in beside)
        ]

    @cached_property
    def _sides_of_wholes(self) -> set[int]:
        """Positions of sides in phrases such as "left and right" and "left upper abdomen"."""
        regions = self.speech.single("regions")
        phrases = [range(*span) for span in self.spans("wholes")]
        return {
            at
            for phrase in phrases
            if {"left", "right"} <= {self.words[at] for at in phrase}
            or {self.words[at] for at in phrase} & regions
            for at in phrase
        }

    @property
    def sides(self) -> set[str]:
        """The sides that the text names of what it asks for."""
        return {self.speech.sides[self.words[at]] for at in self.side_words if at not in self.context}

    @property
    def side(self) -> str:
        """The one side that the text names of what it asks for, "" if it names none or both."""
        return next(iter(self.sides)) if len(self.sides) == 1 else ""

    @property
    def both_sides(self) -> bool:
        return len(self.sides) == 2

    @cached_property
    def parts(self) -> list[int]:
        """Positions of words that name a part of something, or one of several things."""
        single = self.speech.single
        words_of_parts = single("parts") | single("positions") | single("selectors")
        passed = self.wholes | self.named | self.placed | self.context
        found = [at for at, word in enumerate(self.words) if word in words_of_parts and at not in passed]
        numbered = [at for at, word in enumerate(self.words) if _LEVEL.fullmatch(word)]
        numbered += [at + 1 for at, pair in enumerate(zip(self.words, self.words[1:])) if _is_numbered(*pair)]
        return sorted({*(at for at in found if not self._region(at)), *self._segments(), *numbered})

    @cached_property
    def named_targets(self) -> list[set[str]]:
        """For each name of what is asked for, the targets of the prompt library that it means with its side."""
        found = []
        for named in self.asked_names:
            by_side = self.speech.targets[named.name.structure]
            sided = len(by_side) > 1
            found.append({by_side.get(self.side, "")} if sided else {by_side[""]})
        return found

    @cached_property
    def asked_names(self) -> list[Named]:
        """The names without those that only say where something is."""
        return [found for found in self.names if found.start not in self.context]

    def places(self, named: Named) -> bool:
        """Whether a name follows "of", "in" and the like, so that it says where something else is."""
        at = named.start - 1
        while at >= 0 and self.words[at] in ("the", "a", "an", "this", "both", *self.speech.sides):
            at -= 1
        return at >= 0 and self.words[at] in _PLACING

    @cached_property
    def named_as(self) -> list[str]:
        """The names of what is asked for, in English with the side."""
        return [self.spoken(found) for found in self.asked_names]

    @cached_property
    def paired(self) -> list[Named]:
        """Names that begin with a side, where the text means the like of the other side, too: "left and right atrium"."""
        names = []
        for found in self.names:
            before = self.words[max(found.start - 2, 0) : found.start]
            side, rest = self.words[found.start], self.words[found.start + 1 : found.stop]
            if len(before) == 2 and before[1] in ("and", "or") and {before[0], side} == {"left", "right"}:
                other = self.speech.names.get((before[0], *rest))
                if other is not None and other.structure != found.name.structure:
                    names.append(found)
        return names

    @cached_property
    def several(self) -> list[str]:
        """The structures that a text asks for at once, [] if it is one."""
        structures = [
            f"{side} {self.quoted(found.start + 1, found.stop)}"
            for found in self.paired
            for side in (self.words[found.start - 2], self.words[found.start])
        ]
        for before, after in zip(self.asked_names, self.asked_names[1:]):
            if before.name.structure != after.name.structure and self.joined(before.stop, after.start):
                structures += [self.quoted(*before[:2]), self.quoted(*after[:2])]
        return structures

    def known_whole(self) -> str:
        """A target that the network was taught, and that the text names, or would if it named no side; "" if none."""
        targets = {known.target for known in self.lexicon.known}
        for found in self.asked_names:
            by_side = self.speech.targets[found.name.structure]
            for target in (by_side.get(""), *by_side.values()):
                if target in targets:
                    return str(target)
        return ""

    def _find_names(self) -> list[Named]:
        spans = [span for span in self._name_spans if not self._of_another(*span)]
        english = self.lexicon.taught | self.speech.filler | self.speech.single("generic")
        filler = self.speech.foreign_filler | set(self.speech.sides)
        found = []
        for start, stop in spans:
            name = self.speech.names[tuple(self.words[start:stop])]
            spelt = self.words[start:stop]
            if name.foreign and self.lexicon.taught.issuperset(spelt) and self.lexicon.naming & set(spelt):
                name = name._replace(foreign=False)  # the network itself was taught it
            double = stop - start == 1 and self.words[start] in english | self.speech.foreign_filler
            # "rim" is a kidney in Portuguese and "os" a bone in French, but not beside English or another name
            alone = len(spans) == 1 and filler.issuperset([*self.words[:start], *self.words[stop:]])
            if not (name.foreign and double) or alone:
                found.append(Named(start, stop, name))
        return found

    def _of_another(self, start: int, stop: int) -> bool:
        """Whether words belong to the name of no target: "arteries" to the retinal ones, which are none of those of a CT."""
        around = self._spans_at.get(start, ())
        return any(stop <= last and last - first > stop - start for first, last in around)

    @cached_property
    def _name_spans(self) -> list[tuple[int, int]]:
        return self.speech.spans(self.words, self.speech.names)

    @cached_property
    def _spans_at(self) -> dict[int, list[tuple[int, int]]]:
        """By position, the names there, of targets and of others."""
        found: dict[int, list[tuple[int, int]]] = {}
        for first, last in (*self.spans("others"), *self._name_spans):
            for at in range(first, last):
                found.setdefault(at, []).append((first, last))
        return found

    def spoken(self, found: Named) -> str:
        """A name in English, with the side of the text where the structure has it."""
        structure = found.name.structure
        sided = self.side and self.side in self.speech.targets[structure]
        return f"{self.side} {structure}" if sided else self.speech.spoken[structure]

    def joined(self, start: int, stop: int) -> bool:
        """Whether two names are joined by "and" and its like, and not by "in" or "of"."""
        joining = self.marked("joining")
        gap = self.text[self._tokens[start - 1].stop : self._tokens[stop].start]
        small = self.speech.filler | set(self.speech.sides) | self.speech.foreign_filler
        small -= _PLACING
        if not (re.search("[,/+&]", gap) or any(at in joining for at in range(start, stop))):
            return False
        return all(at in joining or self.words[at] in small for at in range(start, stop))

    def _region(self, at: int) -> bool:
        """Whether a position belongs to a region of the body, such as "upper" to an abdomen."""
        after = self.words[at + 1 : at + 2]
        return bool(after) and after[0] in self.speech.single("regions")

    def _segments(self) -> list[int]:
        """Positions of "segment" as a noun: before a number or "of", or behind a name."""
        stops = {found.stop for found in self.names}
        found = []
        for at, word in enumerate(self.words):
            after = self.words[at + 1] if at + 1 < len(self.words) else ""
            numbered = after.isdigit() or re.fullmatch(r"[ivx]+[ab]?|\d[ab]?|of", after) is not None
            if word in ("segment", "segments") and (numbered or at in stops or word == "segments"):
                found.append(at)
        return found
