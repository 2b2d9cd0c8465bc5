"""Random rewording of text prompts in training, so that a network learns to ignore the words around a noun.

A network that always reads the same phrases around its nouns learns the phrases too, and then takes a new phrase
as a sign that the structure is absent.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from monai.transforms import Randomizable

from monai_ext.resources import resource_path

# Words that a sentence can do without. Negations, sides and "and" are not among them: they carry meaning.
FUNCTION_WORDS = frozenset(
    ["a", "an", "are", "at", "for", "in", "is", "of", "on", "please", "that", "the", "there", "this"]
)
_ARTICLE = re.compile(r"^(the|an?|this|these)\s+(?=\S)", re.IGNORECASE)
# The first letter stays, so that no "bright" becomes "right"; "without" turns a meaning round.
_LONG_WORD = re.compile(r"\b(?!without)[a-z]{6,}", re.IGNORECASE)
# Rows of keys, and letters of all rows; those lack e and i, without which hardly a target can be spelt.
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "qazwsxdcrfvtgbyhnujmkolp")
_SIGNS = string.digits + ".,:!?#*+-/()=_"  # without ; which separates prompts, and $ @ % which MONAI reserves
_ENDS = (".", "!", "?", "...", ",", ":")
_CASES: tuple[Callable[[str], str], ...] = (str.lower, str.upper, string.capwords)
_T = TypeVar("_T")


class Rewording(Randomizable):
    """Puts other words around the nouns of a text prompt; the side that it names stays.

    Args:
        carriers: phrases that change no meaning: ``before`` a noun phrase, ``determiners`` between the two,
            ``after`` it; and neutral ``words`` for nonsense.
        kept: sentences that are never returned (those held out for evaluation), whatever their case,
            punctuation and spaces; a prompt that would become one of them stays as it is.
        prob: probability that a prompt is changed at all.
        typo: probability that a changed prompt has one misspelt word.
    """

    def __init__(
        self,
        carriers: Mapping[str, list[str]],
        kept: Collection[str] = (),
        prob: float = 0.5,
        typo: float = 0.05,
    ) -> None:
        self._carriers = carriers
        self._kept = {_key(text) for text in kept}
        self.prob = prob
        self.typo = typo

    @classmethod
    def load(cls, kept: Collection[str] = (), prob: float = 0.5, typo: float = 0.05) -> Rewording:
        """With the phrases that come with the package."""
        text = (resource_path("prompts") / "carriers.json").read_text(encoding="utf-8")
        return cls(json.loads(text), kept, prob, typo)

    def __call__(self, text: str) -> str:
        if self.R.rand() >= self.prob:
            return text
        steps = (self._before, self._after, self._shorter, self._case, self._end)
        chosen = self.R.rand(len(steps)) < (0.5, 0.3, 0.3, 0.3, 0.2)
        chosen[self.R.randint(len(steps))] = True  # one at least
        result = text
        for step, wanted in zip(steps, chosen):
            result = step(result) if wanted else result
        if self.R.rand() < self.typo:
            result = self._misspelt(result)
        return text if _key(result) in self._kept else result

    def nonsense(self) -> str:
        """A text that names nothing: random keys, random words, a phrase around either, or digits and signs."""
        kinds: tuple[Callable[[], str], ...] = (self._keys, self._salad, self._carried, self._signs)
        text = self._pick(kinds)()
        return self.nonsense() if _key(text) in self._kept else text

    def _before(self, text: str) -> str:
        if text.endswith((".", "?", "!")):  # a sentence of its own
            return text
        which = self.R.randint(3)  # a phrase, a determiner, or both
        if which > 0:
            text = f"{self._phrase('determiners')} {_ARTICLE.sub('', text)}"
        return text if which == 1 else f"{self._phrase('before')} {text}"

    def _after(self, text: str) -> str:
        phrase = self._phrase("after")
        return text.rstrip(" .?!,:") + ("" if phrase.startswith(",") else " ") + phrase

    def _shorter(self, text: str) -> str:
        words = text.split()
        content = [word.strip(string.punctuation).casefold() not in FUNCTION_WORDS for word in words]
        return " ".join(w for w, stays in zip(words, content) if stays or self.R.rand() < 0.5) or text

    def _case(self, text: str) -> str:
        return self._pick(_CASES)(text)

    def _end(self, text: str) -> str:
        return text.rstrip(" .?!,:") + self._pick(_ENDS)

    def _misspelt(self, text: str) -> str:
        """Two letters swapped, or one dropped, within a long word."""
        found = list(_LONG_WORD.finditer(text))
        if not found:
            return text
        at = self.R.randint(*self._pick([(match.start() + 1, match.end() - 1) for match in found]))
        return text[:at] + text[at + 1] + ("" if self.R.rand() < 0.5 else text[at]) + text[at + 2 :]

    def _keys(self) -> str:
        return " ".join(self._letters(self._pick(_KEYS), 3, 10) for _ in range(self.R.randint(1, 4)))

    def _salad(self) -> str:
        return " ".join(self._phrase("words") for _ in range(self.R.randint(1, 9)))

    def _carried(self) -> str:
        noun = self._letters(self._pick(_KEYS), 3, 10) if self.R.rand() < 0.5 else self._phrase("words")
        text = self._before(noun)
        return self._after(text) if self.R.rand() < 0.3 else text

    def _signs(self) -> str:
        return " ".join(self._letters(_SIGNS, 1, 6) for _ in range(self.R.randint(1, 5)))

    def _letters(self, pool: str, least: int, most: int) -> str:
        return "".join(self._pick(pool) for _ in range(self.R.randint(least, most + 1)))

    def _phrase(self, kind: str) -> str:
        return self._pick(self._carriers[kind])

    def _pick(self, pool: Sequence[_T]) -> _T:
        return pool[self.R.randint(len(pool))]


def _key(text: str) -> str:
    """A key that is equal for texts which differ only in case, punctuation and spaces."""
    return "".join(filter(str.isalnum, text.casefold())) or text.strip()
