"""The prompt levels of MedCLIP-SAMv2: from the bare class name to ensembles of fifty sentences.

======================  =================================================================================
``medclipsam_p0``       class name ("breast tumour")
``medclipsam_p1``       class name with its subtype ("malignant breast tumour")
``medclipsam_p2``       one descriptive sentence
``medclipsam_p3``       one descriptive sentence of the subtype
``medclipsam_p4, p5``   ensemble of 5 sentences, generic (p4) and of the subtype (p5)
``medclipsam_p6, p7``   of 20
``medclipsam_p8, p9``   of 50
======================  =================================================================================

Odd levels take the true subtype of the image from its annotation: such words are an oracle's. The sentences were
written for this project and lie in ``data/prompts/medclipsam``, one file for each modality; a smaller ensemble is the
first sentences of a larger one. The levels P0 to P9 of medvlsm are others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from monai_ext.errors import InputError
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES
from monai_ext.prompts.prompt import Prompt
from monai_ext.resources import resource_path

LEVELS = tuple(f"medclipsam_p{number}" for number in range(10))
_SENTENCES = (0, 1, 5, 20, 50)
"""Number of sentences of each pair of levels, generic and of the subtype; 0 stands for the class name."""


@dataclass(frozen=True)
class LevelWords:
    """The words of one target at one level.

    Attributes:
        texts: one text, or an ensemble.
        subtype: the subtype that they describe, "" for generic words.
    """

    texts: tuple[str, ...]
    subtype: str = ""

    @property
    def oracle(self) -> bool:
        """Whether the words are made with the ground truth: they name the true subtype."""
        return bool(self.subtype)


def sentence_count(level: str) -> int:
    """Sentences that a level averages; 0 for the class name.

    Raises:
        InputError: for an unknown level.
    """
    return _SENTENCES[_number(level) // 2]


def is_oracle(level: str) -> bool:
    """Whether a level names the true subtype.

    Raises:
        InputError: for an unknown level.
    """
    return _number(level) % 2 == 1


class PromptLevels:
    """Sentences by modality and target.

    Args:
        entries: ``{modality: {target: {"class": str, "sentences": [str], "subtypes": {"fact=value": {"class",
            "sentences"}}}}}``; the fact is one that items of a ``dataset.json`` state, as ``pathology``.
    """

    def __init__(self, entries: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        self._entries = entries

    @classmethod
    def load(cls, path: str | Path | None = None) -> PromptLevels:
        """Read the files of a folder, ``<modality>.json``; the folder that comes with the package if None.

        Raises:
            InputError: when there is none, or a file is not JSON.
        """
        folder = resource_path("prompts/medclipsam") if path is None else Path(path)
        entries = {}
        for file in sorted(folder.glob("*.json")):
            try:
                entries[file.stem] = json.loads(file.read_text(encoding="utf-8"))
            except json.JSONDecodeError as error:
                raise InputError(f"{file.name}, line {error.lineno}: not JSON ({error.msg}).") from None
        if not entries:
            raise InputError(
                f"no prompt levels in the folder {folder.name}/; name a folder of <modality>.json."
            )
        return cls(entries)

    def targets(self, modality: str, level: str) -> list[str]:
        """The targets of a modality that have as many sentences as the level averages."""
        count = sentence_count(level)
        return [
            name
            for name, entry in self._entries.get(modality, {}).items()
            if len(entry["sentences"]) >= count
        ]

    def modality(self, target: str) -> str:
        """The one modality that has sentences for a target.

        Raises:
            InputError: when none has, or several have.
        """
        found = [name for name in MODALITIES if target in self._entries.get(name, {})]
        if len(found) != 1:
            reason = f"in {' and '.join(found)}: name the modality" if found else "nowhere"
            raise InputError(f"prompt levels of {target!r} are {reason}.")
        return found[0]

    def subtypes(self, target: str, modality: str) -> list[str]:
        """The subtypes of a target that have sentences, as ``["benign", "malignant"]``."""
        return [key.split("=", 1)[1] for key in self._entry(target, modality).get("subtypes", {})]

    def subtype(self, target: str, modality: str, facts: Mapping[str, Any]) -> str:
        """The subtype that an item's facts state; "" if they state none that has sentences.

        Args:
            facts: as ``{"pathology": "benign"}``; others are passed over.
        """
        pairs = (key.split("=", 1) for key in self._entry(target, modality).get("subtypes", {}))
        return next((value for fact, value in pairs if facts.get(fact) == value), "")

    def words(self, target: str, modality: str, level: str, subtype: str | None = None) -> LevelWords:
        """The words of a target at a level.

        Args:
            target, modality: as in the prompt library.
            level: one of :data:`LEVELS`.
            subtype: the true subtype of the image; even levels do not use it.

        Raises:
            InputError: for an unknown target or level, a target with fewer sentences than the level averages, an
                odd level without a subtype that has sentences.
        """
        entry = self._entry(target, modality)
        if is_oracle(level):
            entry = self._of_subtype(entry, target, level, subtype)
        count = sentence_count(level)
        sentences = entry["sentences"]
        if len(sentences) < count:
            raise InputError(
                f"{level} averages {count} sentences; {target!r} in {modality!r} has {len(sentences)}: "
                f"choose a level up to {LEVELS[5]}."
            )
        texts = tuple(sentences[:count]) if count else (entry["class"],)
        return LevelWords(texts, str(subtype) if is_oracle(level) else "")

    def training(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The sentences after the first twenty, for :meth:`PromptLibrary.extended`.

        An encoder may learn these as captions; the sentences of the levels up to p7 stay out of training, for evaluation.
        """
        held = _SENTENCES[3]
        result: dict[str, dict[str, dict[str, Any]]] = {}
        for modality, targets in self._entries.items():
            for target, entry in targets.items():
                subtypes = entry.get("subtypes", {}).items()
                facts = {fact: {"train": list(lists["sentences"][held:])} for fact, lists in subtypes}
                further = {"train": list(entry["sentences"][held:]), "facts": facts}
                if further["train"]:
                    result.setdefault(target, {})[modality] = further
        return result

    def _entry(self, target: str, modality: str) -> Mapping[str, Any]:
        known = self._entries.get(modality, {})
        if target not in known:
            there = ", ".join(known) or "none"
            raise InputError(f"no prompt levels for {target!r} in {modality!r}; targets there: {there}.")
        return known[target]

    @staticmethod
    def _of_subtype(
        entry: Mapping[str, Any], target: str, level: str, subtype: str | None
    ) -> Mapping[str, Any]:
        by_name = {key.split("=", 1)[1]: words for key, words in entry.get("subtypes", {}).items()}
        if subtype not in by_name:
            known = f"known are {', '.join(by_name)}" if by_name else "it has none"
            raise InputError(
                f"{level} names the true subtype of {target!r}, and {subtype or 'none'!r} was given; {known}. "
                f"{LEVELS[_number(level) - 1]} needs no subtype."
            )
        return by_name[subtype]


def _number(level: str) -> int:
    if level not in LEVELS:
        raise InputError(f"prompt level {level!r} is unknown; choose from {LEVELS[0]} to {LEVELS[-1]}.")
    return LEVELS.index(level)


def prompt_at_level(
    target: str, level: str, subtype: str | None = None, modality: str | None = None
) -> Prompt:
    """The prompt of a target at a level, in the words that come with the package.

    Args:
        target: as in the prompt library, for example "breast tumour".
        level: one of :data:`LEVELS`, ``"medclipsam_p0"`` to ``"medclipsam_p9"``.
        subtype: the true subtype of the image, for odd levels only, for example "malignant".
        modality: one of ``monai_ext.prompts.modalities.MODALITIES``; may be left out for targets of a single one.

    Returns:
        a prompt of one text or an ensemble, `oracle` if it names the true subtype.

    Raises:
        InputError: see :meth:`PromptLevels.words`.
    """
    levels = _levels()
    words = levels.words(target, modality or levels.modality(target), level, subtype)
    return Prompt(words.texts, target, words.oracle)


@cache
def _levels() -> PromptLevels:
    return PromptLevels.load()


def library_with_levels() -> PromptLibrary:
    """The prompt library of the package, with the sentences of the levels that training may read."""
    return PromptLibrary.load().extended(PromptLevels.load().training())
