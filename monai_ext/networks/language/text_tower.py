"""Text tower: a small transformer over WordPiece tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from monai_ext.networks.language.tokenizer import WordPieceTokenizer
from monai_ext.networks.segmenter import ensembled
from monai_ext.prompts.prompt import Prompt


class TextTower(nn.Module):
    """Sentences to unit vectors: a pre-norm transformer with mean pooling over the tokens.

    In evaluation without gradients each text is embedded once and cached; training, new weights and a move to another
    device clear the cache.

    Args:
        tokenizer: the WordPiece tokenizer; its length is the size of the embedding table.
        width: channels of a token.
        depth: number of transformer layers.
        heads: number of attention heads.
        out_channels: length of the sentence vector.
        dropout: probability inside the transformer.
        word_dropout: probability that a token is replaced by [UNK] in training, so that a sentence vector depends on
            all words.
    """

    def __init__(
        self,
        tokenizer: WordPieceTokenizer,
        width: int = 96,
        depth: int = 2,
        heads: int = 4,
        out_channels: int = 128,
        dropout: float = 0.1,
        word_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.word_dropout = word_dropout
        self.token = nn.Embedding(len(tokenizer), width, padding_idx=0)
        self.position = nn.Parameter(torch.randn(tokenizer.max_length, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)
        self.project = nn.Linear(width, out_channels)
        self._cache: dict[str, Tensor] = {}
        self.register_load_state_dict_post_hook(lambda module, _: module._cache.clear())

    def train(self, mode: bool = True) -> TextTower:
        self._cache.clear()
        return super().train(mode)

    def _apply(self, fn: Any, recurse: bool = True) -> TextTower:
        self._cache.clear()
        return super()._apply(fn, recurse)

    def embed(self, texts: Sequence[str]) -> Tensor:
        """(N, C) unit vectors of N sentences."""
        ids = self.tokenizer(texts).to(self.position.device)
        padding = ids == 0
        if self.training and self.word_dropout:
            dropped = (torch.rand(ids.shape, device=ids.device) < self.word_dropout) & (ids > 2)
            ids = ids.masked_fill(dropped, 1)
        x = self.token(ids) + self.position[: ids.shape[1]]
        x = self.layers(x, src_key_padding_mask=padding)
        keep = (~padding).unsqueeze(-1).to(x.dtype)
        return F.normalize(self.project((x * keep).sum(1) / keep.sum(1)).float(), dim=-1)

    def forward(self, prompts: Sequence[Prompt]) -> Tensor:
        """(B, C) unit vectors, one per prompt; that of an ensemble is the normalised mean of its unit vectors."""
        texts = list(dict.fromkeys(text for prompt in prompts for text in prompt.texts))
        if self.training or torch.is_grad_enabled():
            vectors = dict(zip(texts, self.embed(texts), strict=True))
        else:
            vectors = self._cache
            for text in texts:  # one text at a time, so that a vector does not depend on its batch
                if text not in vectors:
                    vectors[text] = self.embed([text])[0]
        return ensembled(prompts, vectors)
