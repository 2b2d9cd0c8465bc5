"""What a network is asked in place of a sentence, and what that says: in English, with sides and numbers spelt out."""

from __future__ import annotations

from functools import cached_property

from monai_ext.prompts.image_side import ImageSide, place_in_image
from monai_ext.prompts.sentence import Named, Sentence
from monai_ext.prompts.text import words

OPPOSITE = {"left": "right", "right": "left"}


class Question:
    """A sentence as a network is asked.

    Attributes:
        sentence: that it was made of.
        text: for the network.
        notes: what was changed in it, as sentences.
        place: the words that name a place in the image which is no side of a structure, "" if none do.
        contradiction: the words that name a side twice and differently, "" if none do.
    """

    def __init__(self, sentence: Sentence) -> None:
        self.sentence = sentence
        self.notes: list[str] = []
        self.place = self.contradiction = ""
        self._changes: dict[int, str] = {}
        self.text = self._ask()

    @cached_property
    def english(self) -> list[str]:
        """The words of the text."""
        return [word.text for word in words(self.text)]

    @cached_property
    def unknown(self) -> list[int]:
        """Positions in the sentence of words that neither the network nor this package knows."""
        sentence, speech = self.sentence, self.sentence.speech
        known = sentence.lexicon.taught | speech.filler
        for group in ("generic", "imaging", "landmarks", "parts", "positions", "selectors"):
            known |= speech.single(group)
        passed = sentence.named | sentence.wholes | sentence.placed | self._changes.keys()
        passed |= set(sentence.side_words)
        passed |= sentence.filler_of_language if sentence.foreign else set()
        return [
            at
            for at, word in enumerate(sentence.words)
            if _counts(word) and at not in passed and word not in known
        ]

    @cached_property
    def content(self) -> set[str]:
        """The words that say what is asked for."""
        sentence, single = self.sentence, self.sentence.speech.single
        empty = sentence.speech.filler | (single("generic") - single("findings")) | single("imaging")
        empty |= single("selectors") | set(sentence.speech.sides)
        named = {word for one in sentence.names for word in sentence.words[one.start : one.stop]}
        empty |= (single("parts") | single("positions")) - named  # "ventricle" names more in "left ventricle"
        if sentence.foreign:
            others = {word for at, word in enumerate(sentence.words) if at not in sentence.named}
            return {word for word in self.english if len(word) > 2} - empty | (others & single("findings"))
        passed = sentence.marked("contents") | sentence.placed
        said = self._said(passed) - empty
        findings = said & single("findings")
        # "tumour behind the liver" must not become any tumour, but "gland above the kidney" is no kidney
        said = said if findings else self._said(passed | sentence.context) - empty
        special = findings - single("general findings")
        return said - single("general findings") if special else said

    @cached_property
    def vague(self) -> set[str]:
        """The words that may say what is asked for where no others do: "tube", or "above the bladder" if there is no more."""
        sentence, single = self.sentence, self.sentence.speech.single
        small = (
            sentence.speech.filler | sentence.speech.sides.keys() | single("landmarks") | single("imaging")
        )
        said = self._said(sentence.placed | sentence.context) - small
        return said or self._said(sentence.placed) - small - single("generic")

    def _said(self, passed: set[int]) -> set[str]:
        said = {
            self._changes.get(at, word) for at, word in enumerate(self.sentence.words) if at not in passed
        }
        return set(filter(_counts, said))

    def _ask(self) -> str:
        sentence = self.sentence
        side = sentence.image_side
        if side is None:
            self.place = " ".join(place_in_image(sentence.words))
        else:
            self._read_side(side)
        if self.contradiction:
            return sentence.text
        if side is not None and not self.place:
            meant = OPPOSITE[side.side]
            asked = f"{meant} {self._sided[0].name.structure}"
            self.notes.append(
                f"'{sentence.quoted(side.start, side.stop)}' is a side of the image, which shows the patient's {meant}"
                f" there: '{asked}' was asked for"
            )
            return asked
        if sentence.foreign:
            named = next(one for one in (*sentence.asked_names, *sentence.names) if one.name.foreign)
            asked = sentence.spoken(named)
            self.notes.append(f"'{asked}' was asked for")
            return asked
        self._spell_sides()
        self._spell_numbers()
        self._spell_accents()
        return sentence.replaced(self._changes)

    @property
    def _sided(self) -> list[Named]:
        """The names of what is asked for that has sides."""
        targets = self.sentence.speech.targets
        return [one for one in self.sentence.asked_names if len(targets[one.name.structure]) > 1]

    def _read_side(self, side: ImageSide) -> None:
        """Whether a side of the image belongs to a structure that has sides, and agrees with another side named."""
        sentence, said = self.sentence, self.sentence.quoted(side.start, side.stop)
        if not self._sided:
            self.place = said
        elif sentence.sides - {OPPOSITE[side.side]}:
            self.contradiction = f"{next(iter(sentence.sides))} … {said}"

    def _spell_sides(self) -> None:
        sentence = self.sentence
        for at in sentence.side_words:
            side = sentence.speech.sides[sentence.words[at]]
            if sentence.words[at] != side:
                self._changes[at] = side
                self.notes.append(f"'{sentence.quoted(at, at + 1)}' was read as the patient's {side}")

    def _spell_numbers(self) -> None:
        """Singular or plural of English words of which the network was taught the other."""
        lexicon, speech = self.sentence.lexicon, self.sentence.speech
        known = lexicon.taught | speech.filler | speech.single("generic") | speech.single("parts")
        for at, word in enumerate(self.sentence.words):
            if len(word) > 3 and word not in known and not lexicon.open:
                taught = [one for one in _other_number(word) if one in lexicon.taught]
                if taught:
                    self._changes[at] = taught[0]

    def _spell_accents(self) -> None:
        """English words without the accents that they have in the text."""
        for at, word in enumerate(self.sentence.words):
            if word != self.sentence.quoted(at, at + 1).casefold():
                self._changes.setdefault(at, word)


def _counts(word: str) -> bool:
    """Whether a word can say what is asked for: not an article or a number."""
    return len(word) > 2 and not word.isdigit()


def _other_number(word: str) -> list[str]:
    """Singular and plural forms of an English word."""
    forms = [word + "s", word + "es"]
    if word.endswith("s"):
        forms = [word[:-1], *([word[:-2]] if word.endswith("es") else [])]
    if word.endswith("ies"):
        forms.append(word[:-3] + "y")
    if word.endswith("y"):
        forms.append(word[:-1] + "ies")
    return forms
