"""What a network was taught, kept with its weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from monai_ext.prompts.lexicon import Lexicon, Targets

BLOCK = 1 << 16
"""Bytes of a saved lexicon, filled up with zeros: 64 KiB, ten times that of the embedded weights. Where it takes more,
twice as many, and so on."""


class Taught(nn.Module):
    """A module that keeps in its state dict by which words it was taught, and which targets.

    Attributes:
        lexicon: open until something is learnt.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lexicon = Lexicon()

    def learn(self, texts: Iterable[str], targets: Targets | None = None) -> None:
        """Add words, or sentences, and the targets that they stand for to what may be asked for."""
        self.lexicon = self.lexicon.extended(texts, targets)

    def get_extra_state(self) -> Tensor:
        """The lexicon, as a tensor of UTF-8 bytes and zeros behind them, which every format of weights can hold.

        Its shape does not depend on the words, so that state dicts of several sites have the same shapes.
        """
        text = self.lexicon.state().encode()
        return torch.tensor(list(text.ljust(-(-len(text) // BLOCK) * BLOCK, b"\0")), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Replace the lexicon by that of a state dict, with zeros behind it or, as in older weights, without."""
        self.lexicon = Lexicon.of_state(bytes(state.tolist()).rstrip(b"\0").decode())
