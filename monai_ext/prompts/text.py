"""The words of a text as they are looked up: without accents, capitals and characters that nobody sees."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "’": "'", "‘": "'", "ʼ": "'"})
# Articles that French and Italian join to a noun: l'aorta, d'une, dell'aorta.
_ELISION = re.compile(r"\b(?:l|d|qu|j|un|dell|all|nell|sull|dall)['’](?=\w)", re.IGNORECASE)


class Word(NamedTuple):
    """A word of a text.

    Attributes:
        text: folded, see :func:`fold`.
        start, stop: where it stands in the text, stop exclusive.
    """

    text: str
    start: int
    stop: int


def clean(text: str) -> str:
    """The text without characters that nobody sees: control and format characters, accents that belong to no letter.

    An accent that makes a letter of its own (e and an acute accent) becomes that letter; an accent on a Latin letter that
    has none such is dropped. Other scripts keep their combining characters, which are letters there.
    """
    shown: list[str] = []
    for character in unicodedata.normalize("NFC", text):
        if _unseen(character, shown[-1] if shown else ""):
            continue
        shown.append(" " if unicodedata.category(character) in ("Zl", "Zp", "Cc") else character)
    return "".join(shown)


def escaped(text: str) -> str:
    r"""The text with those characters that :func:`clean` drops written as escapes: ``li\u200bver``."""
    shown: list[str] = []
    for character in unicodedata.normalize("NFC", text):
        hidden = _unseen(character, shown[-1] if shown else "")
        shown.append(character.encode("ascii", "backslashreplace").decode() if hidden else character)
    return "".join(shown)


def fold(text: str) -> str:
    """The text in small letters without accents: "Ösophagus" and "œsophage" give "osophagus" and "oesophage"."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LIGATURES))
    return "".join(c for c in plain if not unicodedata.combining(c))


def words(text: str) -> list[Word]:
    """The folded words of a cleaned text in its order; digits and letters make words, articles before ' do not."""
    plain = _ELISION.sub(lambda found: " " * len(found.group()), text)
    return [Word(fold(m.group()), m.start(), m.end()) for m in re.finditer(r"[^\W_]+", plain)]


def _unseen(character: str, before: str) -> bool:
    category = unicodedata.category(character)
    if category in ("Cf", "Co", "Cs", "Cn"):
        return True
    latin = not before.strip() or unicodedata.name(before[-1], "").startswith("LATIN")
    return category in ("Mn", "Me") and latin
