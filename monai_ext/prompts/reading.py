"""What a text prompt asks for, read before a network is asked: the words for the network, or why it is not asked.

A network of few words answers any sentence that holds one of them: "no lungs", "dog in the lungs" and "left upper lobe"
with the lungs. A sentence is therefore read as a whole. It is refused where it negates, holds a word that the network
was not taught, names a part or a finding of what was taught, or several structures at once. It is put into words that
the network was taught where it is in another language, abbreviates a side, or names a side of the image.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from monai_ext.prompts.lexicon import Known, Lexicon
from monai_ext.prompts.modalities import MODALITIES, names_modality
from monai_ext.prompts.prompt import Prompt
from monai_ext.prompts.question import Question
from monai_ext.prompts.sentence import Sentence
from monai_ext.prompts.suggest import suggestion
from monai_ext.prompts.vocabulary import vocabulary

NOTHING = "names nothing that these weights know"


@dataclass(frozen=True)
class Reading:
    """What a text prompt asks for.

    Attributes:
        text: what the network is asked.
        refusal: why it is not asked, as the end of a sentence; "" if it is.
        notes: what the text was taken to mean, as sentences.
        modalities: those in which the network was taught what the text names; none where that is not recorded.
    """

    text: str
    refusal: str = ""
    notes: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()


@lru_cache(1024)
def read(text: str, lexicon: Lexicon, modality: str | None = None) -> Reading:
    """Read a text prompt.

    Args:
        text: as a user wrote it.
        lexicon: what the network was taught. An open one takes every word, but no negation.
        modality: of the image, one of :data:`monai_ext.prompts.modalities.MODALITIES`, where it is known.
    """
    sentence = Sentence(text, lexicon)
    question = Question(sentence)
    notes = tuple(question.notes)
    stated = modality or names_modality(re.sub(r"\bus\b", " ", sentence.text, flags=re.IGNORECASE))
    taught = sentence.taught
    if taught and not _elsewhere(taught, stated, lexicon):
        targets = {known.target for known in taught}  # these may be known in other images by other sentences
        alike = [known for known in _targets(question) if known.target in targets]
        return Reading(question.text, "", notes, _modalities([*taught, *alike]))
    refusal = _negation(sentence) or _place(question)
    if lexicon.open:
        return Reading(question.text, refusal, notes)
    found = _targets(question)
    refusal = (
        refusal
        or _nothing(question)
        or _part(question, found)
        or _unknown_word(question)
        or _no_single_target(question, found, stated)
        or _elsewhere(found, stated, lexicon)
    )
    if refusal and taught:
        found, refusal = taught, _elsewhere(taught, stated, lexicon)
    return Reading(question.text, refusal, notes, _modalities(found))


def _modalities(found: list[Known]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(known.modality for known in found if known.modality))


def read_prompt(prompt: Prompt, lexicon: Lexicon, modality: str | None = None) -> tuple[Prompt, Reading]:
    """Read all texts of a prompt; an ensemble is refused if all its texts are.

    Returns:
        the prompt with the texts that the network is asked, and the reading of the first text that is not refused.
    """
    if prompt.verbatim:
        return prompt, Reading(prompt.texts[0])
    readings = [read(text, lexicon, modality) for text in prompt.texts]
    asked = replace(prompt, texts=tuple(reading.text for reading in readings))
    return asked, next((one for one in readings if not one.refusal), readings[0])


def _negation(sentence: Sentence) -> str:
    meant = sentence.marked("meant negations")
    open_english = sentence.lexicon.open and not sentence.foreign  # "pas" may be a stain there
    groups = ["negations", "negating phrases", *([] if open_english else ["foreign negations"])]
    passed = meant | (sentence.filler_of_language if sentence.foreign else set()) | sentence.named
    for start, stop in (span for group in groups for span in sentence.spans(group)):
        if start not in passed:
            return f"says what is not wanted ('{sentence.quoted(start, stop)}'); name only what is"
    return ""


def _place(question: Question) -> str:
    """The refusal of a place in the image, which no network of few words was taught."""
    if question.contradiction:
        return f"names two sides that contradict each other ('{question.contradiction}')"
    if question.place and not question.sentence.lexicon.open:
        return (
            f"names a place in the image ('{question.place}'); these weights find a structure wherever it is"
        )
    return ""


def _nothing(question: Question) -> str:
    """The refusal of a text without any word that was taught to stand for something."""
    given = [word for word in question.english if len(word) > 2]
    sentence, lexicon = question.sentence, question.sentence.lexicon
    if lexicon.naming.intersection(given) or sentence.parts or sentence.names:
        return ""
    # words of names that training builds nonsense from, too, as "tree"
    names = {word for known in lexicon.known for name in known.names for word in name}
    names -= sentence.speech.filler | sentence.speech.single("generic")
    if not question.unknown and names.intersection(given):
        return ""
    return NOTHING + suggestion(given, lexicon)


def _unknown_word(question: Question) -> str:
    if not question.unknown:
        return ""
    sentence, start = question.sentence, question.unknown[0]
    near = suggestion([sentence.words[start]], sentence.lexicon)
    return f"names '{sentence.quoted(start, start + 1)}', which these weights do not know{near}"


def _targets(question: Question) -> list[Known]:
    """The known targets that a text may stand for: those whose sentences hold all that it says."""
    sentence, content = question.sentence, question.content
    said = content or (set() if sentence.asked_names else question.vague)
    if not said and not sentence.asked_names:
        return []
    holding = [known for known in sentence.lexicon.known if said <= known.words]
    named = set().union(*sentence.named_targets)
    known_targets = {known.target for known in sentence.lexicon.known}
    if findings := content & sentence.speech.single("findings"):
        names = [set(sentence.words[one.start : one.stop]) for one in sentence.asked_names]
        called = [targets for name, targets in zip(names, sentence.named_targets) if name & findings]
        if called and not set().union(*called) & known_targets:
            return []  # "nodule in a neck ultrasound" is one of the thyroid
        vessels = sentence.speech.single("circulation")  # "blood in the liver" is none of its vessels
        return [k for k in holding if not k.target or k.findings - vessels or k.findings & findings]
    for targets in sentence.named_targets:
        found = [known for known in holding if known.target in targets or not known.target]
        if found:
            return found
    # "heart" is in the sentences of the lungs, too: a name that was not taught is not looked for there
    if not named <= known_targets:
        return []
    heads = [sentence.words[one.start : one.stop] for one in sentence.asked_names if not sentence.places(one)]
    if len(named) < 2 or not heads:
        return holding
    return [known for known in holding if any(_within(heads[0], name) for name in known.names)]


def _within(few: Sequence[str], many: Sequence[str]) -> bool:
    """Whether some words stand in others, one after the other."""
    return any(list(few) == list(many[at : at + len(few)]) for at in range(len(many)))


def _words(target: str) -> set[str]:
    return set(target.split())


def _part(question: Question, found: list[Known]) -> str:
    """The refusal of a part of a structure, or of one among several."""
    sentence = question.sentence
    known = sentence.known_whole()
    instead = (
        f"; these weights know '{known}' as a whole"
        if known
        else "; these weights know whole structures only"
    )
    for start in sentence.parts:
        return f"names a part or one of several ('{sentence.quoted(start, start + 1)}'){instead}"
    sides = [start for start in sentence.side_words if start not in sentence.context]
    sided = any(_words(one.target) & {"left", "right"} for one in found)
    if sides and found and not sided and not sentence.both_sides and "breast" not in question.english:
        said, whole = sentence.quoted(sides[0], sides[0] + 1), found[0].target or known
        instead = f"; these weights know '{whole}' as a whole" if whole else instead
        return f"names a side ('{said}') that these weights do not tell apart{instead}"
    return ""


def _no_single_target(question: Question, found: list[Known], modality: str | None) -> str:
    sentence, content = question.sentence, question.content
    if sentence.several:
        names = ", ".join(dict.fromkeys(sentence.several))
        return f"names several structures ({names}); ask for each by itself, separated by ;"
    speech = sentence.speech
    if around := _surroundings(question, found, modality):
        return around
    if found:
        return ""
    known = sentence.known_whole()
    findings = sorted(content & speech.single("findings"))
    if findings and known and not _words(known) & speech.single("findings"):
        return f"names a finding ('{findings[0]}') in what these weights know as a whole only: '{known}'"
    if known and known not in sentence.named_as:
        return f"names '{sentence.named_as[0]}', which these weights do not know; they know '{known}'"
    if sentence.named_as and not known:
        return f"names '{sentence.named_as[0]}', which these weights do not know"
    return "names no single structure that these weights know" + (f"; they know '{known}'" if known else "")


def _surroundings(question: Question, found: list[Known], modality: str | None) -> str:
    """The refusal of what targets lie in or beside, such as the prostate with its tumour, or of what is only like them."""
    sentence, content = question.sentence, question.content
    others, beside = sentence.spans("others"), sentence.speech.single("surroundings")
    named = {word for span in others for word in sentence.words[slice(*span)]}
    around = beside | named
    findings = sentence.speech.single("findings").intersection(question.english)  # "spot" is filler, too
    findings -= named | (content if len(content) == 1 else set())  # "blood pool", or "blood" alone
    asked = set().union(*sentence.named_targets)
    if not content <= around or findings or not (content or others):
        return ""
    if any(not one.target or one.target in asked or _words(one.target) <= content for one in found):
        return ""
    there = [one for one in found if modality in (None, one.modality)]
    near = [one.target for one in there if any(content <= set(name) for name in one.names)]
    instead = f"; they know {_listed(list(dict.fromkeys(near)))}" if 0 < len(set(near)) < 4 else ""
    if others:
        return f"names '{sentence.quoted(*others[0])}', which these weights do not know{instead}"
    said = sorted(content)[0]
    return f"names '{said}', which these weights know as the surroundings of others only{instead}"


def _elsewhere(found: list[Known], modality: str | None, lexicon: Lexicon) -> str:
    """The refusal of what was taught in other kinds of images only."""
    if modality is None or not found or any(one.modality in (modality, "") for one in found):
        return ""
    where = ", ".join(dict.fromkeys(MODALITIES[one.modality].name for one in found))
    there = [one.target for one in lexicon.known if one.modality == modality]
    structures = [set(by_side.values()) for by_side in vocabulary().targets.values()]
    alike = {target for one in found for all_of in structures if one.target in all_of for target in all_of}
    there = [target for target in there if target in alike] or there  # the sides of a femur
    known = f"; in {MODALITIES[modality].name} they know {_listed(there)}" if there else ""
    return f"is not known in {MODALITIES[modality].name}: these weights know it in {where}{known}"


def _listed(targets: list[str], most: int = 8) -> str:
    return ", ".join(targets[:most]) + (f" and {len(targets) - most} more" if len(targets) > most else "")
