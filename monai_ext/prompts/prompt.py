"""What to segment, in words: one sentence, an ensemble of sentences, or several ensembles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from monai_ext.errors import InputError
from monai_ext.prompts.separate import split_prompts


@dataclass(frozen=True)
class Prompt:
    """A text prompt.

    Args:
        texts: one sentence, or an ensemble whose normalised embeddings are averaged.
        target: the label this prompt stands for, where one is known.
        oracle: True when the wording was made with ground truth (a size, a true subtype).
        verbatim: True when the network is asked these words as they are, such as the published sentences of an
            evaluation; other prompts are read first (:mod:`monai_ext.prompts.reading`).

    Raises:
        ValueError: when `texts` is not a tuple of at least one string.
    """

    texts: tuple[str, ...]
    target: str | None = None
    oracle: bool = False
    verbatim: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.texts, str) or not self.texts:
            raise ValueError(f"Prompt.texts is a non-empty tuple of strings, got {self.texts!r}.")

    @classmethod
    def of(cls, value: Prompt | str) -> Prompt:
        """The prompt of a plain string, which is accepted wherever a prompt is; a prompt as it is."""
        return value if isinstance(value, Prompt) else Prompt((value,))

    def members(self) -> Sequence[Prompt]:
        """One prompt for each member of the ensemble, here for each text."""
        return [replace(self, texts=(text,)) for text in self.texts]

    @property
    def name(self) -> str:
        """The target if there is one, else the first text."""
        return self.target or self.texts[0]


@dataclass(frozen=True)
class GroupedPrompt(Prompt):
    """An ensemble of ensembles, such as several prompt levels (Table 7 of MedCLIP-SAMv2, arXiv:2409.19483).

    A network that averages embeddings takes it as one ensemble of all texts; one that joins masks makes a mask for
    each group.

    Args:
        groups: how many texts belong to each group, in the order of `texts`.

    Raises:
        ValueError: when the groups do not hold all texts, or one is empty.
    """

    groups: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if sum(self.groups) != len(self.texts) or min(self.groups) < 1:
            raise ValueError(f"GroupedPrompt.groups {self.groups} do not divide {len(self.texts)} texts.")

    def members(self) -> Sequence[Prompt]:
        """One prompt for each group."""
        texts = iter(self.texts)
        parts = (tuple(islice(texts, size)) for size in self.groups)
        return [Prompt(part, self.target, self.oracle, verbatim=self.verbatim) for part in parts]


def as_prompts(prompts: str | Prompt | Sequence[str | Prompt]) -> list[Prompt]:
    """Prompts from a string (several separated by ";"), a prompt, or a sequence of either.

    Raises:
        InputError: when there is none.
    """
    if isinstance(prompts, str):
        prompts = split_prompts(prompts) if prompts.strip() else [""]
    elif isinstance(prompts, Prompt):
        prompts = [prompts]
    if not prompts:
        raise InputError("no prompt: say what to segment, such as 'lungs', or several as 'lungs; heart'.")
    return [Prompt.of(prompt) for prompt in prompts]
