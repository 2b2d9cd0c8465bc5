"""A rule that finds text prompts which name nothing that a network has learnt, where the network itself can only guess."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from functools import cache

from monai_ext.prompts.library import PromptLibrary
from monai_ext.resources import resource_path


class Lexicon:
    """The words of the sentences from which a network has learnt its targets.

    A *target word* names a target by itself: the network has learnt it, it has three letters or more, and it is neither
    a word that stands around any noun ("outline the … for me"), nor one of images in general ("bright", "left",
    "scan"), nor one that nonsense was built from. A prompt is understood if it holds a target word, or if all its
    words are known and the network has learnt at least one of them ("the whole brain": "brain" is no target word,
    since "laptop in a brain MRI" holds it too).

    Args:
        taught: the words that the network has learnt, or whole sentences; none at all for a network that has not
            learnt, for which every prompt is understood.
    """

    def __init__(self, taught: Iterable[str] = ()) -> None:
        self.taught = _words_of(taught)
        self._around, generic, nonsense = _words_of_no_target()
        self._known = self.taught | self._around | generic
        self._targets = {word for word in self.taught if len(word) > 2} - self._around - generic - nonsense

    def why_unknown(self, text: str) -> str:
        """Why a text names nothing that the network has learnt, as the end of a sentence; "" if it names something."""
        given = [word for word in words(text) if len(word) > 2]
        if not self.taught or any(word in self._targets for word in given):
            return ""
        if all(word in self._known for word in given) and any(w in self.taught - self._around for w in given):
            return ""
        close = [
            near for word in given for near in difflib.get_close_matches(word, sorted(self._targets), 1, 0.8)
        ]
        return "names nothing that these weights know" + (f"; did you mean '{close[0]}'?" if close else "")


def words(text: str) -> list[str]:
    """The words of a text in small letters and in its order, without digits and signs."""
    return re.findall(r"[^\W\d_]+", text.casefold())


@cache
def _words_of_no_target() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Words that stand around nouns, words of images in general, and words that training builds nonsense from."""
    phrases = json.loads((resource_path("prompts") / "carriers.json").read_text(encoding="utf-8"))
    around = _words_of(*(phrases[kind] for kind in ("before", "determiners", "after")))
    nonsense = _words_of(phrases["words"], PromptLibrary.load().nonsense("train"))
    return around, frozenset(phrases["generic"]), nonsense


def _words_of(*lists: Iterable[str]) -> frozenset[str]:
    return frozenset(word for texts in lists for text in texts for word in words(text))
