"""The words for each target: canonical text prompts, paraphrases, and words for what an image does not show.

The sentences were written for this project and lie in ``data/prompts``: ``targets.json`` by target and
modality, ``nonsense.json`` (not medical) and ``absent.json`` (medical, in none of our images).
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_ext.errors import InputError
from monai_ext.resources import resource_path

_SIDES = {"left": "left", "lt": "left", "lv": "left", "right": "right", "rt": "right", "rv": "right"}
"""LV and RV are ventricles of the heart; LA and RA, its atria, are articles of other languages, too."""


def names_side(text: str) -> str | None:
    """``"left"`` or ``"right"`` if the text names exactly one side (of the patient), else None.

    An image must not be mirrored while such a text is its prompt.
    """
    sides = {_SIDES[word] for word in re.findall(r"[a-z]+", text.casefold()) if word in _SIDES}
    return sides.pop() if len(sides) == 1 else None


class PromptLibrary:
    """Sentences by target and modality.

    Args:
        targets: ``{target: {modality: {"canonical": str, "train": [str], "heldout": [str], "facts":
            {"name=value": {"train", "heldout"}}, "aliases": {label: {fact: value}}, "also": [target],
            "regions": [str]}}}``.
            ``also`` lists wider targets, whose sentences are true as well (a metastasis is a tumour). ``regions`` lists
            the parts of the body that an image of the target shows, as ``["abdomen"]``.
        nonsense: ``{"train": [str], "heldout": [str]}``, nothing medical.
        absent: ``{"train": [str], "heldout": [str]}``, medical, but in none of our images.
    """

    def __init__(
        self,
        targets: Mapping[str, Mapping[str, Mapping[str, Any]]],
        nonsense: Mapping[str, list[str]],
        absent: Mapping[str, list[str]],
    ) -> None:
        self._targets = targets
        self._nonsense = nonsense
        self._absent = absent

    @classmethod
    def load(cls, path: str | Path | None = None) -> PromptLibrary:
        """Read the three files of a folder; the folder that comes with the package if None.

        Raises:
            InputError: when a file is missing or is not JSON.
        """
        folder = resource_path("prompts") if path is None else Path(path)
        contents = []
        for name in ("targets.json", "nonsense.json", "absent.json"):
            try:
                contents.append(json.loads((folder / name).read_text(encoding="utf-8")))
            except FileNotFoundError:
                raise InputError(f"{name} is missing in the prompt folder {folder.name}/.") from None
            except json.JSONDecodeError as error:
                raise InputError(f"{name}, line {error.lineno}: not JSON ({error.msg}).") from None
        return cls(*contents)

    def extended(self, sentences: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> PromptLibrary:
        """The library with further sentences for training.

        Args:
            sentences: ``{target: {modality: {"train": [str], "facts": {"name=value": {"train": [str]}}}}}``, of
                targets that the library knows.
        """
        targets: dict[str, Any] = copy.deepcopy(dict(self._targets))
        for target, modalities in sentences.items():
            for modality, more in modalities.items():
                entry = targets[target][modality]
                entry["train"] += more["train"]
                facts = entry.setdefault("facts", {})
                for fact, lists in more.get("facts", {}).items():
                    facts.setdefault(fact, {"train": [], "heldout": []})["train"] += lists["train"]
        return PromptLibrary(targets, self._nonsense, self._absent)

    def targets(self, modality: str) -> list[str]:
        """The targets that have sentences for this modality."""
        return [name for name, entries in self._targets.items() if modality in entries]

    def resolve(self, label: str, modality: str) -> tuple[str, dict[str, str]]:
        """The library's target for a label name of a dataset, and the facts that the label states.

        ``("brain tumour (glioma)", "mri")`` gives ``("brain tumour", {"tumour_type": "glioma"})``.

        Raises:
            InputError: when no target of this modality has the name or the alias.
        """
        if modality in self._targets.get(label, {}):
            return label, {}
        for name, entries in self._targets.items():
            aliases = entries.get(modality, {}).get("aliases", {})
            if label in aliases:
                return name, dict(aliases[label])
        known = ", ".join(self.targets(modality)) or "none"
        raise InputError(f"no sentences for target {label!r} in {modality!r}; targets there: {known}.")

    def regions(self, target: str, modality: str) -> list[str]:
        """The parts of the body that images of a target show; none where that is not known."""
        return list(self._entry(target, modality).get("regions", ()))

    def canonical(self, target: str, modality: str) -> str:
        """The sentence with which results are reported."""
        return self._entry(target, modality)["canonical"]

    def training(
        self, target: str, modality: str, facts: Mapping[str, Any] | None = None, wider: bool = True
    ) -> list[str]:
        """Sentences for training that are true of an item with these facts, the canonical one first.

        Args:
            facts: what is known of the item, such as ``{"pathology": "benign"}``; keys without
                sentences are ignored, so the whole item may be given.
            wider: also give the sentences of wider targets. For an absent target they are left out: an image without
                a metastasis may well show a tumour.
        """
        entry = self._entry(target, modality)
        sentences = list(dict.fromkeys([entry["canonical"], *self._true(entry, "train", facts)]))
        for name in entry.get("also", ()) if wider else ():
            sentences += self._true(self._entry(name, modality), "train", facts)
        return sentences

    def every_training(self, target: str, modality: str) -> list[str]:
        """Sentences for training whatever the facts of an item, without those of wider targets."""
        entry = self._entry(target, modality)
        facts = [lists["train"] for lists in entry.get("facts", {}).values()]
        return [entry["canonical"], *entry["train"], *(text for lists in facts for text in lists)]

    def heldout(self, target: str, modality: str, facts: Mapping[str, Any] | None = None) -> list[str]:
        """Sentences that no training list holds, true of an item with these facts."""
        return self._true(self._entry(target, modality), "heldout", facts)

    def heldout_texts(self) -> list[str]:
        """All sentences kept out of training: of every target and fact, of absent structures and nonsense."""
        entries = [entry for modalities in self._targets.values() for entry in modalities.values()]
        facts = [lists for entry in entries for lists in entry.get("facts", {}).values()]
        return [
            text for lists in (*entries, *facts, self._nonsense, self._absent) for text in lists["heldout"]
        ]

    def nonsense(self, split: str = "train") -> list[str]:
        """Texts that name nothing medical; ``split`` is ``"train"`` or ``"heldout"``."""
        return list(self._nonsense[split])

    def absent(self, split: str = "train") -> list[str]:
        """Medical texts that are true of none of our images; ``split`` as in :meth:`nonsense`."""
        return list(self._absent[split])

    def _entry(self, target: str, modality: str) -> Mapping[str, Any]:
        return self._targets[self.resolve(target, modality)[0]][modality]

    @staticmethod
    def _true(entry: Mapping[str, Any], split: str, facts: Mapping[str, Any] | None) -> list[str]:
        sentences = list(entry[split])
        for condition, lists in entry.get("facts", {}).items():
            name, value = condition.split("=", 1)
            if facts is not None and facts.get(name) == value:
                sentences += lists[split]
        return sentences
