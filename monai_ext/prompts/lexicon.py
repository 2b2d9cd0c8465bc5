"""What a network has been taught: its words, and its targets in each modality."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES
from monai_ext.prompts.vocabulary import Phrase, phrase, vocabulary

Targets = Mapping[str, Mapping[str, Sequence[str]]]
"""By modality: the targets that were taught there, each with those sentences that are not in the prompt library."""


@dataclass(frozen=True)
class Known:
    """A target that a network has been taught in one modality ("" where that is not recorded).

    Attributes:
        sentences: that it was taught by, as their words.
        words: of these sentences, of names of the target, and of what is said of both sides of it.
        names: the target and its names in English, as their words.
    """

    target: str
    modality: str
    sentences: frozenset[Phrase]
    words: frozenset[str]
    names: frozenset[Phrase] = frozenset()

    @cached_property
    def findings(self) -> frozenset[str]:
        """The findings by which its names call it: "vessels", but not "blood", for "blood vessels of the liver"."""
        findings = vocabulary().single("findings")
        pairs = (pair for name in self.names for pair in zip(name, (*name[1:], "")))
        return frozenset(word for word, after in pairs if word in findings and after not in findings)


class Lexicon:
    """The words and targets that a network has been taught.

    A network that was taught nothing here, such as a published encoder, takes every prompt: its vocabulary is *open*.

    Args:
        taught: words, or whole sentences.
        targets: what the sentences stand for. Where it is not stated, a target of the prompt library counts as taught if
            all words of its canonical sentence were, and the other words may be targets of their own.
    """

    def __init__(self, taught: Iterable[str] = (), targets: Targets | None = None) -> None:
        self.targets = targets
        own = [text for known in (targets or {}).values() for texts in known.values() for text in texts]
        self.taught = frozenset(word for text in [*taught, *own] for word in phrase(text))
        if targets:
            self.taught |= {word for known in self.known for word in known.words}

    @classmethod
    def of_state(cls, state: str) -> Lexicon:
        """The lexicon that :meth:`state` wrote, or one of lines of words, as older weights hold it."""
        if not state.startswith("{"):
            return cls(state.split("\n"))
        content = json.loads(state)
        return cls(content["words"], content["targets"])

    def state(self) -> str:
        """All that it knows as text."""
        return json.dumps({"words": sorted(self.taught), "targets": self.targets}, ensure_ascii=False)

    def extended(self, taught: Iterable[str], targets: Targets | None = None) -> Lexicon:
        """With further words, and further targets."""
        joined: dict[str, dict[str, Sequence[str]]] = {}
        for known in (self.targets or {}), (targets or {}):
            for modality, sentences in known.items():
                joined.setdefault(modality, {}).update(sentences)
        return Lexicon([*self.taught, *taught], joined or None)

    @property
    def open(self) -> bool:
        """Whether every word is taken, since it is not recorded what the network knows."""
        return not self.taught

    @cached_property
    def known(self) -> list[Known]:
        """The targets that were taught."""
        if self.targets is None:
            return self._inferred()
        return [
            _known(target, modality, sentences)
            for modality, targets in self.targets.items()
            for target, sentences in targets.items()
        ]

    @cached_property
    def sentences(self) -> frozenset[Phrase]:
        """The sentences that targets were taught by, as their words."""
        return frozenset(one for known in self.known for one in known.sentences)

    @cached_property
    def longest(self) -> int:
        """Words of the longest of :attr:`sentences`."""
        return max(map(len, self.sentences), default=0)

    @cached_property
    def naming(self) -> frozenset[str]:
        """Words that name a target by themselves.

        They were taught, have three letters or more, and are neither words that stand around any noun ("outline the … for
        me"), nor words of images in general ("bright", "left", "scan"), nor such that nonsense was built from.
        """
        speech = vocabulary()
        others = speech.filler | speech.single("generic") | speech.nonsense
        return frozenset(word for word in self.taught if len(word) > 2) - others

    def _inferred(self) -> list[Known]:
        if self.open:
            return []
        library, found = PromptLibrary.load(), []
        for modality in MODALITIES:
            for target in library.targets(modality):
                canonical = {word for word in phrase(library.canonical(target, modality)) if len(word) > 2}
                if canonical <= self.taught | vocabulary().filler:
                    found.append(_known(target, modality))
        rest = self.naming - frozenset(word for known in found for word in known.words)
        return [*found, *([Known("", "", frozenset(), self.taught)] if rest else [])]


def _known(target: str, modality: str, sentences: Sequence[str] = ()) -> Known:
    speech = vocabulary()
    structures = [structure for structure, by_side in speech.targets.items() if target in by_side.values()]
    names = [
        spelt for spelt, name in speech.names.items() if name.structure in structures and not name.foreign
    ]
    taught = {*map(phrase, (target, *sentences)), *_library_sentences(target, modality)}
    # what is said of the lungs is said of a left lung, too
    alike = {one for structure in structures for one in speech.targets[structure].values()} - {target}
    said = taught.union(names, *(_library_sentences(one, modality) for one in alike))
    called = frozenset([phrase(target), *names])
    return Known(target, modality, frozenset(taught), frozenset().union(*said), called)


@cache
def _library_sentences(target: str, modality: str) -> frozenset[Phrase]:
    library = PromptLibrary.load()
    known = target in library.targets(modality)  # a target of a data set's own has sentences of its own
    return frozenset(map(phrase, library.every_training(target, modality))) if known else frozenset()
