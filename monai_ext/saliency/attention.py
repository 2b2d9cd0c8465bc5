"""Attention weighted by its gradient, rolled out through the blocks of a transformer (Chefer, Gur & Wolf 2021)."""

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
    """For vision transformers: which places does the embedding attend to, where attending raises the text's logit?

    Of each block the attention times its gradient, what is below 0 left out, is averaged over the heads: a step of
    relevance, R <- R + step R, from R = 1. The map is the row of the class token. Where the embedding is the mean of
    the places, it is the mean of their rows, each weighted by what its place gives to the logit, if that is above 0:
    that is how relevance would pass the pooling, and a plain mean finds the places that all others attend to. Per text
    the blocks from `first` on run once forward and once backward.

    A constant image gives what positions alone do to the attention; where no attention helps the text, all zeros.

    Args:
        first: 0-based block to begin with, negative ones from the end; -1 is what the authors take for CLIP. None: the
            first after which all have attention.
    """

    def __init__(self, first: int | None = None) -> None:
        self.first = first

    def once(self, encoder: VisionLanguageEncoder) -> int:
        known = [_is_known(getattr(block, "attn", None)) for block in encoder.tower.blocks]
        if self.first is not None:
            first = block_index(encoder, self.first)
        else:
            first = max((number + 1 for number, one in enumerate(known) if not one), default=0)
        if encoder.tower.pooled is None or not all(known[first:]) or first == len(known):
            raise InputError(
                f"AttentionRollout needs a vision transformer that averages or has a class token, and "
                f"{encoder.config.name} is another architecture; choose another saliency method."
            )
        return first

    def grid(self, encoder: VisionLanguageEncoder, features: SaliencyFeatures, text: Tensor) -> Tensor:
        """(B, h, w), not below 0."""
        tower: Any = encoder.tower
        once = self.once(encoder)
        with torch.enable_grad(), attentions(tower.blocks[once:]) as weights:
            # attention depends on the state, also with frozen weights
            state = features.state.detach().requires_grad_()
            pooled, tokens = tower.finish(tower.advance(state, once))
            logits = scaled_cosines(encoder, pooled, text)
            # by nothing else: no weights of the network
            gradients = torch.autograd.grad(logits.sum(), weights)
        relevance = torch.eye(weights[0].shape[-1], device=state.device).expand(len(state), -1, -1)
        for attention, gradient in zip(weights, gradients):
            step = (attention.detach().float() * gradient.float()).relu().mean(1)
            relevance = relevance + step @ relevance
        rows = relevance[:, tower.pooled]
        shares = rows.new_ones(rows.shape[:2])
        if rows.shape[1] > 1:
            given = torch.einsum("bdhw,bd->bhw", tokens.detach().float(), text).flatten(1).relu()
            shares = given / given.sum(1, keepdim=True).clamp_min(TINY)
        return tower.spread((shares[:, None] @ rows)[:, 0], state)


@contextmanager
def attentions(blocks: list[nn.Module]) -> Iterator[list[Tensor]]:
    """A list that fills, as the blocks run, with their attention (B, heads, N, N), part of what is computed.

    Fused attention never has these numbers, so it is not used within.
    """
    taken: list[Tensor] = []
    with ExitStack() as stack:
        for block in blocks:
            attention: Any = block.attn
            if isinstance(attention, nn.MultiheadAttention):

                def explicit(module: Any, inputs: Any, _: Any) -> tuple[Tensor, None]:
                    result, weights = _explicit(module, inputs[0])
                    taken.append(weights)
                    return result, None

                stack.callback(attention.register_forward_hook(explicit).remove)
            else:  # of timm: the attention passes its dropout
                stack.callback(setattr, attention, "fused_attn", attention.fused_attn)
                attention.fused_attn = False
                hook = attention.attn_drop.register_forward_hook(lambda *hooked: taken.append(hooked[-1]))
                stack.callback(hook.remove)
        yield taken


def _is_known(attention: Any) -> bool:
    if isinstance(attention, nn.MultiheadAttention):
        return attention.batch_first and attention.in_proj_weight is not None
    return hasattr(attention, "fused_attn") and hasattr(attention, "attn_drop")


def _explicit(attention: nn.MultiheadAttention, x: Tensor) -> tuple[Tensor, Tensor]:
    """What self-attention of (B, N, C) gives, and its weights (B, heads, N, N)."""
    qkv = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    q, k, v = qkv.unflatten(-1, (3, attention.num_heads, attention.head_dim)).permute(2, 0, 3, 1, 4)
    weights = (q * attention.head_dim**-0.5 @ k.transpose(-2, -1)).softmax(-1)
    return attention.out_proj((weights @ v).transpose(1, 2).flatten(2)), weights
