"""Tokenizers of vision-language models, from local files only, and the end of a text that exceeds their context."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch.nn.functional as F
from torch import Tensor

from monai_ext.errors import WeightsError
from monai_ext.networks.encoders.clip_config import ClipConfig
from monai_ext.networks.language.tokenizer import WordPieceTokenizer


class Tokenizer(Protocol):
    """Turns texts into (N, context length) int64 ids, truncated and padded."""

    def __call__(self, texts: Sequence[str]) -> Tensor: ...

    def overflow(self, text: str) -> str:
        """The end of a text that exceeds the context and is truncated; "" where the whole text fits."""


class BytePairTokenizer:
    """The byte pairs of OpenAI's CLIP, from the file that open_clip carries.

    Args:
        context_length: number of tokens, start and end mark included.
        options: ``tokenizer_kwargs`` of an open_clip config.
    """

    def __init__(self, context_length: int, **options: Any) -> None:
        from open_clip import SimpleTokenizer

        self.tokenizer = SimpleTokenizer(context_length=context_length, **options)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        return self.tokenizer(list(texts))

    def overflow(self, text: str) -> str:
        exceeding = self.tokenizer.encode(text)[self.tokenizer.context_length - 2 :]
        return self.tokenizer.decode(exceeding).strip() if exceeding else ""


class FolderTokenizer:
    """A Hugging Face tokenizer, read from a folder of its files and never from the hub.

    Args:
        folder: with tokenizer_config.json and tokenizer.json or the vocabulary.
        context_length: number of tokens, special ones included.
        mode: ``tokenizer_mode`` of an open_clip config.
        options: its ``tokenizer_kwargs``.
    """

    def __init__(self, folder: Path, context_length: int, mode: str | None = None, **options: Any) -> None:
        from open_clip.tokenizer import HFTokenizer

        safe = {"local_files_only": True, "trust_remote_code": False}  # a folder may hold Python files
        self.tokenizer = HFTokenizer(str(folder), context_length, tokenizer_mode=mode, **options, **safe)
        special = self.tokenizer.tokenizer.num_special_tokens_to_add()
        self.text_length = context_length - (3 if mode == "clips" else special)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        return self.tokenizer(list(texts))

    def overflow(self, text: str) -> str:
        inner = self.tokenizer.tokenizer
        ids = inner(self.tokenizer.clean_fn(text), add_special_tokens=False).input_ids
        exceeding = ids[self.text_length :]
        return inner.decode(exceeding).strip() if exceeding else ""


class PackagedTokenizer:
    """This package's WordPiece tokenizer, whose small vocabulary suits embedded weights.

    [CLS] (id 2) is the last token, as an end mark where a causal text tower has read the whole text:
    ``"pool_type": "eos", "eos_id": 2``. `pieces` of the vocabulary are used, the ``vocab_size`` of the text tower.
    """

    def __init__(self, context_length: int, pieces: int) -> None:
        self.context_length = context_length
        self.tokenizer = WordPieceTokenizer(max_length=context_length, size=pieces)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        ids = self.tokenizer(texts)
        for row in ids:
            length = int((row != 0).sum())
            row[:length] = row[:length].roll(-1)
        return F.pad(ids, (0, self.context_length - ids.shape[1]))

    def overflow(self, text: str) -> str:
        return " ".join(self.tokenizer.tokenize(text)[self.context_length - 1 :]).replace(" ##", "")


def read_tokenizer(config: ClipConfig, folder: Path | None) -> Tokenizer:
    """The tokenizer that a config names.

    Args:
        config: of the model.
        folder: with the files of a Hugging Face tokenizer; the other tokenizers need no folder.

    Raises:
        WeightsError: when files are needed that are missing or cannot be read.
    """
    text = config.text
    options = text.get("tokenizer_kwargs") or {}
    if text.get("tokenizer") == "wordpiece":
        return PackagedTokenizer(config.context_length, text["vocab_size"])
    repository = text.get("hf_tokenizer_name") or text.get("hf_model_name")
    if not repository:
        return BytePairTokenizer(config.context_length, **options)
    fetch = f"fetch the tokenizer's files of {repository!r} from the Hugging Face hub"
    if folder is None:
        raise WeightsError(
            f"{config.name}: its tokenizer is not here; {fetch} into a folder and name it as text_files."
        )
    try:
        return FolderTokenizer(folder, config.context_length, text.get("tokenizer_mode"), **options)
    except Exception as error:  # transformers raises various errors where files are missing or damaged
        raise WeightsError(
            f"{config.name}: no readable tokenizer in {folder.name} ({type(error).__name__}); {fetch} again."
        ) from error
