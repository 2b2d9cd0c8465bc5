"""A small WordPiece tokenizer (Schuster and Nakajima 2012; greedy longest match as in BERT)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

PAD, UNK, CLS = "[PAD]", "[UNK]", "[CLS]"
VOCABULARY = Path(__file__).with_name("vocabulary.txt")

_WORD = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")


def split_words(text: str) -> list[str]:
    """Lower-case words and single punctuation marks; accents are dropped."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))


class WordPieceTokenizer:
    """Turns sentences into token ids; pieces that continue a word are written "##piece".

    Args:
        vocabulary: one piece per entry, in the order of their ids; begins with [PAD], [UNK], [CLS]. That of the package if
            None.
        max_length: tokens kept of a sentence, [CLS] included.
        size: number of pieces that are used, the first of the vocabulary; all if None. Pieces are only ever added behind
            the others, so that older weights keep theirs.

    Raises:
        ValueError: when the vocabulary begins otherwise.
    """

    def __init__(
        self, vocabulary: Sequence[str] | None = None, max_length: int = 48, size: int | None = None
    ) -> None:
        pieces = VOCABULARY.read_text("utf-8").split() if vocabulary is None else list(vocabulary)
        pieces = pieces[:size]
        if pieces[:3] != [PAD, UNK, CLS]:
            raise ValueError(f"A vocabulary begins with {PAD}, {UNK}, {CLS}; this one with {pieces[:3]}.")
        self.ids = {piece: i for i, piece in enumerate(pieces)}
        self.pieces = pieces
        self.max_length = max_length

    def __len__(self) -> int:
        return len(self.pieces)

    def tokenize(self, text: str) -> list[str]:
        """The pieces of a sentence, without [CLS]; a word with an unknown character is one [UNK]."""
        return [piece for word in split_words(text) for piece in split_pieces(word, self.ids)]

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(N, L) int64 ids padded with 0 to the longest sentence, [CLS] first."""
        rows = [[CLS, *self.tokenize(text)][: self.max_length] for text in texts]
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor([self.ids[piece] for piece in row])
        return ids


def split_pieces(word: str, known: Container[str]) -> list[str]:
    """The longest known pieces of a word from its beginning on; [UNK] alone where a character is not known."""
    found, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in known:
                found.append(piece)
                start = end
                break
        else:
            return [UNK]
    return found


def build_vocabulary(texts: Iterable[str], size: int, first: Sequence[str] = ()) -> list[str]:
    """Learn pieces by merging the most frequent neighbours until there are `size`.

    Every lower-case letter, digit and common mark is a piece of its own, at the beginning and inside of a word, so plain
    English has no [UNK]. Ties are broken alphabetically, so the same texts give the same list.

    Args:
        texts: whose words are counted.
        size: number of pieces.
        first: an older vocabulary, whose pieces keep their places; new ones come behind them.
    """
    counts = Counter(word for text in texts for word in split_words(text))
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    single = [PAD, UNK, CLS, *letters, *("##" + c for c in letters), *".,;:?!'\"()-/+&%"]
    vocabulary = list(first) or single
    known = set(vocabulary)
    words = {word: split_pieces(word, known) for word in counts if word[0] in letters}
    while len(vocabulary) < size:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, split in words.items():
            for pair in pairwise(split):
                pairs[pair] += counts[word]
        if not pairs:
            break
        (left, right), _ = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        merged = left + right.removeprefix("##")
        vocabulary.append(merged)
        for word, split in words.items():
            joined: list[str] = []
            for piece in split:
                if joined and joined[-1] == left and piece == right:
                    joined[-1] = merged
                else:
                    joined.append(piece)
            words[word] = joined
    return vocabulary
