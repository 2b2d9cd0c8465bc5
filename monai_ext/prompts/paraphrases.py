"""Other words for what a prompt asks for, and the words for it in a mirrored image."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES, names_modality
from monai_ext.prompts.prompt import Prompt
from monai_ext.prompts.question import OPPOSITE
from monai_ext.prompts.rewording import Rewording
from monai_ext.prompts.vocabulary import Phrase, phrase, vocabulary

SIDES = {**OPPOSITE, "lt": "rt", "rt": "lt"}
_SIDE = re.compile(rf"(?<![^\W_])({'|'.join(SIDES)})(?![^\W_])", re.IGNORECASE)
ATTEMPTS = 8
"""Random rewordings that are tried for each one that is wanted."""


def mirrored_prompt(prompt: Prompt) -> Prompt | None:
    """What asks in a mirrored image for what `prompt` asks for in the image: left and right change places.

    Returns:
        the prompt itself where it names no side; None where it names one in words that are not exchanged here
        ("linke Lunge"), so that it must not be asked of a mirrored image.
    """
    texts = []
    for text in prompt.texts:
        if any(word in vocabulary().sides and word not in SIDES for word in phrase(text)):
            return None
        texts.append(_SIDE.sub(_opposite, text))
    return replace(prompt, texts=tuple(texts))


def _opposite(match: re.Match[str]) -> str:
    word = match[0]
    other = SIDES[word.lower()]
    return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other


def paraphrases(prompt: Prompt, modality: str | None = None) -> Iterator[Prompt]:
    """Prompts in other words for the same target, the same ones in the same order every time.

    The members of an ensemble, where the prompt is one. Where it is a sentence or a name of the prompt library, other
    sentences of its target, of those for training. Else the same words with others around them, which change no meaning
    (:class:`monai_ext.prompts.rewording.Rewording`, seeded by the text); a side that is named stays. None of a prompt
    without words.

    Args:
        prompt: as a network is asked.
        modality: of the image, one of :data:`monai_ext.prompts.modalities.MODALITIES`, where it is known.
    """
    if len(prompt.texts) > 1:
        yield from prompt.members()
        return
    (text,) = prompt.texts
    asked = phrase(text)
    if not asked:
        return
    seen = {asked}
    for other in (*library_sentences(text, modality), *_reworded(text)):
        if phrase(other) not in seen:
            seen.add(phrase(other))
            yield replace(prompt, texts=(other,))


def library_sentences(text: str, modality: str | None = None) -> list[str]:
    """The library's sentences for training of the one target that `text` is a sentence or the name of; [] if none is.

    Args:
        text: as a network is asked; a modality that it names is that of the sentences.
        modality: of the image. Where it is not known and the target is one of several modalities, the sentences are
            those that name none.
    """
    stated = modality or names_modality(re.sub(r"\bus\b", " ", text, flags=re.IGNORECASE))
    asked = phrase(text)
    found = [
        (target, known, sentences)
        for target, known, phrases, sentences in _library()
        if asked in phrases and stated in (None, known)
    ]
    if len({target for target, _, _ in found}) != 1:
        return []
    sentences = list(dict.fromkeys(sentence for _, _, several in found for sentence in several))
    return sentences if len(found) == 1 else [one for one in sentences if names_modality(one) is None]


@cache
def _library() -> list[tuple[str, str, frozenset[Phrase], tuple[str, ...]]]:
    """Target, modality, the texts that name it, as words, and its sentences for training."""
    library = PromptLibrary.load()
    rows = []
    for modality in MODALITIES:
        for target in library.targets(modality):
            sentences = tuple(library.training(target, modality, wider=False))
            texts = (target, *sentences, *library.heldout(target, modality))
            rows.append((target, modality, frozenset(map(phrase, texts)), sentences))
    return rows


def _reworded(text: str) -> Iterator[str]:
    rewording = Rewording.load(prob=1, typo=0)
    rewording.set_random_state(int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big"))
    for _ in range(ATTEMPTS):
        yield rewording(text)
