"""The words in which an evaluation asks for a target: those of the prompt library, or those of prompt levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from monai_ext.data.absence import OTHER_MODALITY, absent_targets
from monai_ext.errors import InputError
from monai_ext.prompts.levels import LEVELS, LevelWords, PromptLevels, is_oracle, sentence_count
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.templates import heldout_sentences
from monai_ext.prompts.vocabulary import names_in_languages

SEPARATOR = "\n"
"""Stands between the texts of an ensemble in one string of ``texts``, twice between levels; no sentence holds it."""


def split_texts(joined: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The texts of one string of ``texts``, and the sizes of the groups of several levels; () for a single level."""
    groups = [tuple(group.split(SEPARATOR)) for group in joined.split(2 * SEPARATOR)]
    texts = tuple(text for group in groups for text in group)
    return texts, tuple(map(len, groups)) if len(groups) > 1 else ()


class Asked(NamedTuple):
    """One prompt of an image.

    Attributes:
        joined: its texts, see :func:`split_texts`.
        target: of the image's set that it names, "" if none.
        values: of that target in a label map, as "1+2".
        subtype: the true subtype that the texts name.
        kind: of absence, see :mod:`monai_ext.data.absent_prompts`; "" where the label tells whether the target is there.
        asked_for, asked_modality: the target that it names, of the set or not, and the kind of image that it belongs to; the
            text itself and "" where it names none.
    """

    joined: str
    target: str = ""
    values: str = ""
    subtype: str = ""
    kind: str = ""
    asked_for: str = ""
    asked_modality: str = ""

    @property
    def shown(self) -> str:
        """The prompt as tables show it: its first text, and the number of the others."""
        first, *more = split_texts(self.joined)[0]
        return f"{first} (and {len(more)} more)" if more else first


class Wording:
    """The words of the prompt library.

    Args:
        library: the sentences.
        split: "canonical", the one sentence of each target, or "heldout", every paraphrase kept out of training.
    """

    def __init__(self, library: PromptLibrary, split: str = "canonical") -> None:
        self.library, self.split = library, split

    def targets(self, modality: str) -> list[str]:
        """The targets of a modality that the words exist for."""
        return self.library.targets(modality)

    def words(self, target: str, modality: str, facts: Mapping[str, Any]) -> list[Asked]:
        """The prompts of a target of the library, whether an image shows it or not."""
        if self.split == "canonical":
            return [Asked(self.library.canonical(target, modality))]
        return [Asked(text) for text in self.library.heldout(target, modality)]

    def absent(self, modality: str, regions: frozenset[str]) -> list[list[Asked]]:
        """The prompts of each target that an image certainly does not show, see :func:`absent_targets`."""
        found = absent_targets(modality, regions, self.library, self.split)
        return [[Asked(text) for text in one.sentences] for one in found]

    def of_case(self, case: Mapping[str, Any], label: str) -> tuple[str, list[Asked]]:
        """The library's name of a label, or the label itself where the library has none, and its prompts."""
        modality = case["modality"]
        try:
            target, implied = self.library.resolve(label, modality)
        except InputError as error:
            if self.split == "canonical":
                return label, [Asked(case["prompts"][label][0])]
            if self.split == "heldout":
                own = set(case["prompts"][label])
                texts = [text for text in heldout_sentences(label, modality) if text not in own]
                return label, [Asked(text) for text in texts]
            raise InputError(
                f"{case['set']}: {error} Only canonical and heldout wordings can be scored."
            ) from None
        return target, self.words(target, modality, {**case["facts"], **implied})


class LanguageWording(Wording):
    """The usual name of each target in languages other than English, a prompt each; of what is absent the canonical one.

    A target without names, such as a side of an organ, has no prompt.

    Args:
        library: the sentences.
    """

    def words(self, target: str, modality: str, facts: Mapping[str, Any]) -> list[Asked]:
        return [Asked(name) for name in names_in_languages().get(target, ())]


class LevelWording(Wording):
    """The words of one or several prompt levels, as one prompt.

    Args:
        library, levels: the sentences.
        chosen: levels, the groups of the prompt.
    """

    def __init__(self, library: PromptLibrary, levels: PromptLevels, chosen: Sequence[str]) -> None:
        super().__init__(library, "+".join(chosen))
        self.levels, self.chosen = levels, chosen

    def targets(self, modality: str) -> list[str]:
        most = max(self.chosen, key=sentence_count)
        return self.levels.targets(modality, most)

    def words(self, target: str, modality: str, facts: Mapping[str, Any]) -> list[Asked]:
        subtype = self.levels.subtype(target, modality, facts)
        groups = [self._at(level, target, modality, subtype) for level in self.chosen]
        joined = (2 * SEPARATOR).join(SEPARATOR.join(group.texts) for group in groups)
        named = {group.subtype for group in groups if group.oracle}
        return [Asked(joined, subtype=named.pop() if named else "")]

    def absent(self, modality: str, regions: frozenset[str]) -> list[list[Asked]]:
        """As :meth:`Wording.absent`; without targets of a region that is shown, since no level names the kind of image."""
        found = absent_targets(modality, regions, self.library, "canonical")
        return [
            self.words(one.target, one.modality, {})
            for one in found
            if one.kind != OTHER_MODALITY and one.target in self.targets(one.modality)
        ]

    def _at(self, level: str, target: str, modality: str, subtype: str) -> LevelWords:
        generic = is_oracle(level) and not subtype
        level = LEVELS[LEVELS.index(level) - 1] if generic else level
        return self.levels.words(target, modality, level, subtype)
