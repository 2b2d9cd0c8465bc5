"""Every saliency method keeps the contract, on every architecture that it can be used with."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
import torch

import monai_ext.saliency
from monai_ext.saliency import M2IB, AttentionRollout, GradCAM, GScoreCAM, PatchText, SaliencyMethod
from monai_ext.saliency.cam import ClassActivationMethod
from tests.abstract import concrete_subclasses, incomplete
from tests.networks.encoders.small_clip import small
from tests.saliency.contract import TRANSFORMERS, SaliencyContract


class TestPatchText(SaliencyContract):
    method = PatchText()
    unusable = ("timm, not a ViT", "CoCa")
    runs_for_texts = False


class TestGradCAM(SaliencyContract):
    method = GradCAM()


class TestGradCAMOfALayer(SaliencyContract):
    method = GradCAM(layer=-2)


class TestGScoreCAM(SaliencyContract):
    method = GScoreCAM(top_k=3, batch_size=2)
    empty_on = ("compact",)
    reencodes = True


class TestM2IB(SaliencyContract):
    method = M2IB(layer=-2, steps=3, copies=3)


class TestAttentionRollout(SaliencyContract):
    method = AttentionRollout()
    towers = (*TRANSFORMERS, "compact")
    unusable = ("timm, not a ViT", "ResNet", "CoCa")


class TestAttentionRolloutOfTheLastBlock(SaliencyContract):
    method = AttentionRollout(first=-1)
    towers = (*TRANSFORMERS, "compact")
    unusable = ("timm, not a ViT", "ResNet")


def test_every_method_has_a_contract_test():
    for module in pkgutil.iter_modules(monai_ext.saliency.__path__, "monai_ext.saliency."):
        importlib.import_module(module.name)
    tested = {type(contract.method) for contract in SaliencyContract.__subclasses__()}
    assert tested == concrete_subclasses(SaliencyMethod)


@pytest.mark.parametrize("base", [SaliencyMethod, ClassActivationMethod])
def test_a_method_without_a_map_cannot_be_built(base):
    with pytest.raises(TypeError, match="abstract method '?grid'?"):
        incomplete(base, "grid")()


class TestTexts:
    @torch.no_grad()
    def test_a_prompt_longer_than_the_context_warns_once_and_its_truncated_end_does_not_count(self, tmp_path):
        encoder, method = small("ViT", tmp_path), PatchText()
        features = method.encode(encoder, torch.rand(1, 3, 48, 48))
        kept = " ".join(["lung"] * 30)
        with pytest.warns(UserWarning, match="cut from a prompt: '.*kidney'") as caught:
            long = encoder.encode_text([kept + " and the left kidney"])
        assert len(caught) == 1
        with pytest.warns(UserWarning, match="cut from a prompt"):
            same = encoder.encode_text([kept + " and the spleen"])
        assert torch.equal(method(encoder, features, long), method(encoder, features, same))

    @pytest.mark.parametrize("prompt", ["лёгкие", "肺", "الرئة", "🫁", ""])
    @torch.no_grad()
    def test_a_prompt_in_another_script_gives_a_map(self, prompt, tmp_path):
        encoder = small("ViT", tmp_path)
        for method in (PatchText(), M2IB(layer=1, steps=2)):
            features = method.encode(encoder, torch.rand(1, 3, 48, 48))
            found = method(encoder, features, encoder.encode_text([prompt]))
            assert torch.isfinite(found).all() and found.min() == 0 and found.max() == 1


def test_a_map_that_is_constant_but_for_rounding_is_all_zeros():
    maps = torch.stack([torch.full((4, 4), 3.0), torch.zeros(4, 4), torch.arange(16.0).view(4, 4) - 5])
    maps[0, 0, 0] += 5e-7
    found = PatchText().enlarged(maps, (8, 8))
    assert found.shape == (3, 1, 8, 8)
    assert found[:2].abs().max() == 0 and found[2].min() == 0 and found[2].max() == 1
    assert found[2, 0, 0, 0] == 0 and found[2, 0, -1, -1] == 1
