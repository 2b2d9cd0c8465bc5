"""Which prompts name anything at all that a network was taught: a rule, where a network can only guess."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from functools import cache

from monai_ext.prompts.library import PromptLibrary
from monai_ext.resources import resource_path


class Lexicon:
    """The words of the sentences that a network was taught its targets by.

    A word is *telling* if it names a target by itself: it was taught, has three letters or more, and is neither
    a word around any noun ("outline the … for me"), nor one of images in general ("bright", "left", "scan"), nor
    one that nonsense was built from. A prompt is understood if it holds a telling word, or if all its words are
    known and one of them, at least, was taught ("the whole brain": "brain" alone tells little, since "laptop in
    a brain MRI" holds it too).

    Args:
        taught: words, or whole sentences; none at all for a network that has not learnt, which then takes
            every prompt.
    """

    def __init__(self, taught: Iterable[str] = ()) -> None:
        self.taught = _words_of(taught)
        self._around, generic, nonsense = _untold()
        self._known = self.taught | self._around | generic
        self._telling = {w for w in self.taught if len(w) > 2} - self._around - generic - nonsense

    def why_unknown(self, text: str) -> str:
        """Why a text names nothing that was taught, as the end of a sentence; "" if it does."""
        asked = [word for word in words(text) if len(word) > 2]
        if not self.taught or any(word in self._telling for word in asked):
            return ""
        if all(word in self._known for word in asked) and any(w in self.taught - self._around for w in asked):
            return ""
        close = [
            near for word in asked for near in difflib.get_close_matches(word, sorted(self._telling), 1, 0.8)
        ]
        return "names nothing that these weights know" + (f"; did you mean '{close[0]}'?" if close else "")


def words(text: str) -> list[str]:
    """The words of a text in small letters, in its order; digits and signs are none."""
    return re.findall(r"[^\W\d_]+", text.casefold())


@cache
def _untold() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Words around nouns, words of images in general, and words that training makes nonsense of."""
    phrases = json.loads((resource_path("prompts") / "carriers.json").read_text(encoding="utf-8"))
    around = _words_of(*(phrases[kind] for kind in ("before", "determiners", "after")))
    nonsense = _words_of(phrases["words"], PromptLibrary.load().nonsense("train"))
    return around, frozenset(phrases["generic"]), nonsense


def _words_of(*lists: Iterable[str]) -> frozenset[str]:
    return frozenset(word for texts in lists for text in texts for word in words(text))
