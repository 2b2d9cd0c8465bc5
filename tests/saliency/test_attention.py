"""Attention rollout: the network is the same without fused attention, and relevance is that of its equations."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from monai_ext.errors import InputError
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.saliency import AttentionRollout
from monai_ext.saliency.attention import attentions
from monai_ext.saliency.base import scaled_cosines
from tests.networks.encoders.small_clip import small

TRANSFORMERS = ["ViT", "ViT, averaged, normalised after", "timm ViT"]


@pytest.mark.parametrize("name", TRANSFORMERS)
class TestAttention:
    @torch.no_grad()
    def test_the_explicit_path_computes_what_the_fused_one_does_and_is_gone_after(self, name, tmp_path):
        encoder = small(name, tmp_path)
        tower, x = encoder.tower, encoder.prepare(torch.rand(2, 3, 64, 64))
        fused = [getattr(block.attn, "fused_attn", None) for block in tower.blocks]
        wanted = tower.finish(tower.advance(tower.stem(x)))[0]
        with attentions(tower.blocks) as weights:
            found = tower.finish(tower.advance(tower.stem(x)))[0]
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
        places = tower.prefix + tower.grid[0] * tower.grid[1]
        heads = tower.blocks[0].attn.num_heads
        assert [w.shape for w in weights] == [(2, heads, places, places)] * len(tower.blocks)
        for attention in weights:
            assert attention.min() >= 0
            torch.testing.assert_close(attention.sum(-1), torch.ones(2, heads, places))
        assert torch.equal(tower.finish(tower.advance(tower.stem(x)))[0], wanted)
        assert len(weights) == len(tower.blocks)
        assert [getattr(block.attn, "fused_attn", None) for block in tower.blocks] == fused

    def test_the_map_is_a_row_of_the_relevance_rolled_out(self, name, tmp_path):
        encoder, method = small(name, tmp_path), AttentionRollout()
        image, text = torch.rand(1, 3, *encoder.image_size), normalize(torch.randn(1, 24), dim=-1)
        tower = encoder.tower
        with attentions(tower.blocks) as weights:
            pooled, tokens = tower.finish(tower.advance(tower.stem(encoder.prepare(image))))
        relevance = torch.eye(weights[0].shape[-1])
        for attention in weights:
            (gradient,) = torch.autograd.grad(
                scaled_cosines(encoder, pooled, text)[0], attention, retain_graph=True
            )
            step = (attention * gradient).clamp(min=0)[0].mean(0)
            relevance = relevance + step @ relevance
        averaged = name == "ViT, averaged, normalised after"
        given = torch.einsum("dhw,d->hw", tokens[0], text[0]).flatten().clamp(min=0)
        row = given @ relevance[1:] / given.sum() if averaged else relevance[0]
        found = method.grid(encoder, method.encode(encoder, image), text)[0]
        torch.testing.assert_close(found, row[tower.prefix :].view(tower.grid), atol=1e-6, rtol=1e-5)


def test_convolutions_before_the_first_attention_are_left_out():
    torch.manual_seed(0)
    encoder = VisionLanguageEncoder("compact-clip-lite").eval()
    tower, image = encoder.tower, torch.rand(2, 3, 50, 80)
    attending = [hasattr(block, "attn") for block in tower.blocks]
    first = attending.index(True)
    assert first > 0 and all(attending[first:])
    features = AttentionRollout().encode(encoder, image)
    text = features.embedding  # of which each image holds something
    found = AttentionRollout()(encoder, features, text)
    method = AttentionRollout(first=first)
    assert torch.equal(found, method(encoder, method.encode(encoder, image), text))
    assert found.shape == (2, 1, 160, 160) and (found.amax((1, 2, 3)) == 1).all()
    with pytest.raises(InputError, match="another architecture"):
        AttentionRollout(first=first - 1).encode(encoder, image)
