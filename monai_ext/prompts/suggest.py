"""What a word may have been meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.vocabulary import vocabulary


def suggestion(given: Sequence[str], lexicon: Lexicon) -> str:
    """The word that was taught and is spelt most like one of `given`, or the target that one of them belongs to.

    Returns:
        "; did you mean 'polyp'?", "; the nearest that they know is 'brain'", or "" where nothing is near.
    """
    speech = vocabulary()
    targets = {known.target for known in lexicon.known}
    for word in given:
        if speech.related.get(word) in targets:
            return f"; the nearest that they know is '{speech.related[word]}'"
    correct = lexicon.naming - speech.single("misspelt")
    correct -= {word + "s" for word in correct}
    for word in given:
        near = difflib.get_close_matches(word, sorted(correct), 1, 0.8)
        if near and not near[0].startswith(word):  # "cyst" is no misspelt "cystic"
            return f"; did you mean '{near[0]}'?"
    return ""
