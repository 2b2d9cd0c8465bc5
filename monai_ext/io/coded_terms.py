"""What a text prompt names, as coded terms of DICOM: SNOMED CT where the table has the words, else the words."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.library import names_side
from monai_ext.prompts.reading import read
from monai_ext.resources import resource_path

TABLE = "segment_terms.json"
PRIVATE = "99MONAIEXT"
"""Our coding scheme: its codes are hashes of prompts, its meanings their words."""
WORDS_ONLY = ("PROMPT", PRIVATE, "Named by a text prompt")
"""Category of what the table does not have: it may be an organ, a lesion or a device."""
BOTH = {"both", "bilateral"}
FILLERS = {"the", "a", "an", "and", "patient", "s", *BOTH}
SIDES = {"left", "right", "lt", "rt", "side", "sided"}
LONGEST = 64
"""Characters of a DICOM long string (LO), such as a code's meaning."""

Coded = tuple[str, str, str]
"""Value, scheme and meaning of a code."""


@dataclass(frozen=True)
class Term:
    """The coded terms of one segment.

    Attributes:
        category, kind: of what is segmented, as "Anatomical Structure" and "Kidney".
        region: where an abnormality lies, if its name states that, as "Brain".
        side: "Left", "Right" or both, if the prompt states it.
    """

    category: Coded
    kind: Coded
    region: Coded | None = None
    side: Coded | None = None


def term_of(prompt: str) -> Term:
    """The terms of a prompt.

    Of "X in Y" and "X on Y" only X is looked up, without articles and sides, and only as a whole: a wrong code
    is worse than none. The sides are those of the patient that the prompt names; of "kidneys" they are both. Names in
    other languages count as the English ones.
    """
    asked = read(prompt, Lexicon()).text
    named = re.findall(r"\w+", re.split(r"\s(?:in|on)\s", asked.casefold())[0])
    whole = " ".join(word for word in named if word not in FILLERS)
    plain = " ".join(word for word in whole.split() if word not in SIDES)
    table = _table()
    entry, pair = table["names"].get(whole) or table["names"].get(plain) or (None, False)
    # the side of "left atrium" belongs to its name
    inherent = whole != plain and whole in table["names"]
    side = None if inherent else table["sides"].get(_side(asked) or ("both" if pair else None))
    if entry:
        category = _code(table["categories"][entry["of"]])
        return Term(category, _code(entry), _code(entry.get("region")), _code(side))
    digest = hashlib.sha256(" ".join(prompt.casefold().split()).encode()).hexdigest()
    return Term(WORDS_ONLY, (digest[:16], PRIVATE, long_string(prompt)), side=_code(side))


def _side(prompt: str) -> str | None:
    words = set(re.findall(r"\w+", prompt.casefold()))
    both = words & BOTH or words >= {"left", "right"}
    return names_side(prompt) or ("both" if both else None)


def long_string(text: str) -> str:
    """A text as a DICOM long string: at most 64 characters on one line, without backslashes, never empty."""
    return printable(text.replace("\\", " "))[:LONGEST].strip() or "prompt"


def printable(text: str) -> str:
    """A text with single spaces for blanks and for what cannot be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@cache
def _table() -> dict[str, Any]:
    """The data file, with ``names``: (entry, whether the name means both sides) by name."""
    table = json.loads(resource_path(TABLE).read_text(encoding="utf-8"))
    names: dict[str, tuple[dict[str, Any], bool]] = {}
    for kind in ("structures", "abnormalities"):
        for entry in table[kind]:
            entry["of"] = kind
            names |= dict.fromkeys(entry["names"], (entry, False))
            names |= dict.fromkeys(entry.get("pair", ()), (entry, True))
    return {**table, "names": names}


def _code(entry: dict[str, str] | None) -> Any:
    return entry and (entry["code"], "SCT", entry["meaning"])
