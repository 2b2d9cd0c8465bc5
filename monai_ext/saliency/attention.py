"""Attention rollout weighted by gradients, through the blocks of a transformer (Chefer, Gur & Wolf 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from monai_ext.errors import InputError
from monai_ext.saliency.base import SaliencyFeatures, SaliencyMethod, block_index, scaled_cosines

if TYPE_CHECKING:
    from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder


TINY = 1e-12


class AttentionRollout(SaliencyMethod):
    """For vision transformers: the patch tokens whose attention by the embedding raises the text's logit.

    In each block the attention times its gradient, with 0 for negative values, is averaged over the heads. This step
    updates the relevance, R <- R + step R, which begins as the identity. The map is the row of the class token. Where the
    embedding is the mean of the patch tokens, the map is the mean of their rows, each weighted by the token's
    contribution to the logit if that is positive. Relevance would pass through the pooling in this way; a plain mean
    would show the tokens that all others attend to. For each text the blocks from `first` on run once forward and once
    backward.

    The map of a constant image shows the effect of position embeddings on the attention. Where no attention raises the
    logit, the map is all zeros.

    Args:
        first: 0-based block to begin with, negative ones from the end; the authors use -1 for CLIP. None begins with the
            first block from which on all blocks have attention.
    """

    def __init__(self, first: int | None = None) -> None:
        self.first = first

    def shared_blocks(self, encoder: VisionLanguageEncoder) -> int:
        supported = [_is_supported(getattr(block, "attn", None)) for block in encoder.tower.blocks]
        if self.first is not None:
            first = block_index(encoder, self.first)
        else:
            first = max((number + 1 for number, one in enumerate(supported) if not one), default=0)
        if encoder.tower.pooled_tokens is None or not all(supported[first:]) or first == len(supported):
            raise InputError(
                f"AttentionRollout needs a vision transformer that averages or has a class token, and "
                f"{encoder.config.name} is another architecture; choose another saliency method."
            )
        return first

    def grid(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """Maps (B, h, w), not negative."""
        tower: Any = encoder.tower
        shared = self.shared_blocks(encoder)
        with torch.enable_grad(), attentions(tower.blocks[shared:]) as weights:
            # the attention gets a gradient through the state, also where the weights are frozen
            state = features.state.detach().requires_grad_()
            pooled, tokens = tower.finish(tower.advance(state, shared))
            logits = scaled_cosines(encoder, pooled, text)
            # none of the network's weights get a gradient
            gradients = torch.autograd.grad(logits.sum(), weights)
        relevance = torch.eye(weights[0].shape[-1], device=state.device).expand(len(state), -1, -1)
        for attention, gradient in zip(weights, gradients):
            step = (attention.detach().float() * gradient.float()).relu().mean(1)
            relevance = relevance + step @ relevance
        rows = relevance[:, tower.pooled_tokens]
        shares = rows.new_ones(rows.shape[:2])
        if rows.shape[1] > 1:
            contributions = torch.einsum("bdhw,bd->bhw", tokens.detach().float(), text).flatten(1).relu()
            shares = contributions / contributions.sum(1, keepdim=True).clamp_min(TINY)
        return tower.values_as_map((shares[:, None] @ rows)[:, 0], state)


@contextmanager
def attentions(blocks: list[nn.Module]) -> Iterator[list[Tensor]]:
    """Record the attention (B, heads, N, N) of each block that runs within, in a list, as part of the graph.

    Fused attention never computes these numbers, so it is switched off within.
    """
    recorded: list[Tensor] = []
    with ExitStack() as stack:
        for block in blocks:
            attention: Any = block.attn
            if isinstance(attention, nn.MultiheadAttention):

                def explicit(module: Any, inputs: Any, _: Any) -> tuple[Tensor, None]:
                    result, weights = _explicit(module, inputs[0])
                    recorded.append(weights)
                    return result, None

                stack.callback(attention.register_forward_hook(explicit).remove)
            else:  # of timm: the dropout of the attention takes it as input
                stack.callback(setattr, attention, "fused_attn", attention.fused_attn)
                attention.fused_attn = False
                hook = attention.attn_drop.register_forward_hook(lambda *hooked: recorded.append(hooked[-1]))
                stack.callback(hook.remove)
        yield recorded


def _is_supported(attention: Any) -> bool:
    """Whether :func:`attentions` can read it."""
    if isinstance(attention, nn.MultiheadAttention):
        return attention.batch_first and attention.in_proj_weight is not None
    return hasattr(attention, "fused_attn") and hasattr(attention, "attn_drop")


def _explicit(attention: nn.MultiheadAttention, x: Tensor) -> tuple[Tensor, Tensor]:
    """The output (B, N, C) of self-attention and its weights (B, heads, N, N), computed without fusing."""
    qkv = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    q, k, v = qkv.unflatten(-1, (3, attention.num_heads, attention.head_dim)).permute(2, 0, 3, 1, 4)
    weights = (q * attention.head_dim**-0.5 @ k.transpose(-2, -1)).softmax(-1)
    return attention.out_proj((weights @ v).transpose(1, 2).flatten(2)), weights
