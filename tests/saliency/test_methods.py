"""What every method promises, on every architecture that it can be used with."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from monai_ext.errors import InputError
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.saliency import M2IB, AttentionRollout, GradCAM, GScoreCAM, PatchText, SaliencyMethod
from tests.networks.encoders.small_clip import small

METHODS: dict[str, SaliencyMethod] = {
    "patch-text": PatchText(),
    "Grad-CAM": GradCAM(),
    "Grad-CAM of a layer": GradCAM(layer=-2),
    "gScoreCAM": GScoreCAM(top_k=3, batch_size=2),
    "M2IB": M2IB(layer=-2, steps=3, copies=3),
    "attention": AttentionRollout(),
    "attention of the last block": AttentionRollout(first=-1),
}
TRANSFORMERS = ["ViT", "ViT, averaged, normalised after", "timm ViT"]
TOWERS = ["ResNet", *TRANSFORMERS, "compact"]
ATTENDING = [*TRANSFORMERS, "compact"]
ABLE = [(m, t) for t in TOWERS for m in METHODS if t in ATTENDING or not m.startswith("attention")]
UNABLE = [
    *((method, "timm, not a ViT") for method in METHODS),
    *((method, "ResNet") for method in METHODS if method.startswith("attention")),
    *((method, "CoCa") for method in ("patch-text", "attention")),
]  # fmt: skip


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """By name, each made once."""
    made: dict[str, VisionLanguageEncoder] = {}

    def get(name: str) -> VisionLanguageEncoder:
        if name not in made:
            torch.manual_seed(0)
            made[name] = (
                VisionLanguageEncoder("compact-clip").eval()
                if name == "compact"
                else small(name, tmp_path_factory.mktemp("files"))
            )
        return made[name]

    return get


def texts(encoder: VisionLanguageEncoder, number: int) -> torch.Tensor:
    return normalize(torch.randn(number, encoder.config.model["embed_dim"]), dim=-1)


@pytest.mark.parametrize(("name", "tower"), ABLE)
class TestEveryMethod:
    def test_a_batch_gives_the_maps_of_its_images(self, name, tower, encoders):
        encoder, method = encoders(tower), METHODS[name]
        images, text = torch.rand(2, 3, 70, 50), texts(encoder, 2)
        with torch.no_grad():
            features = method.encode(encoder, images)
            together = method(encoder, features, text)
            for i in range(2):
                alone = method.encode(encoder, images[i : i + 1])
                torch.testing.assert_close(alone.embedding[0], features.embedding[i], atol=1e-5, rtol=0)
                found = method(encoder, alone, text[i : i + 1])[0]
                torch.testing.assert_close(found, together[i], atol=1e-5, rtol=0)
        assert together.shape == (2, 1, *encoder.image_size) and together.dtype == torch.float32
        torch.testing.assert_close(features.embedding, encoder.encode_image(images).embedding)
        low, high = together.flatten(1).min(1).values, together.flatten(1).max(1).values
        empty = high == 0  # of methods that leave out what is below 0, and there was nothing above
        assert torch.all(low == 0) and torch.all((high == 1) | empty)
        if tower != "compact" or name not in (
            "Grad-CAM",
            "gScoreCAM",
        ):  # with these weights nothing is above 0
            assert not torch.equal(together[0], together[1])

    def test_inference_mode_and_what_the_weights_require_change_nothing(self, name, tower, encoders):
        encoder, method = encoders(tower), METHODS[name]
        images, text = torch.rand(1, 3, *encoder.image_size), texts(encoder, 1)
        wanted = method(encoder, method.encode(encoder, images), text)
        assert not wanted.requires_grad
        with torch.inference_mode():
            found = method(encoder, method.encode(encoder, images.clone()), text.clone())
        assert torch.equal(found, wanted)
        asked = [weight.requires_grad for weight in encoder.parameters()]
        assert all(asked) and all(weight.grad is None for weight in encoder.parameters())
        encoder.requires_grad_(False)
        try:
            frozen = method(encoder, method.encode(encoder, images), text)
            torch.testing.assert_close(frozen, wanted, atol=1e-5, rtol=0)
            assert not any(weight.requires_grad for weight in encoder.parameters())
        finally:
            encoder.requires_grad_(True)

    def test_constant_and_tiny_images_give_maps_without_holes(self, name, tower, encoders):
        encoder, method = encoders(tower), METHODS[name]
        for image in (torch.zeros(1, 3, 1, 1), torch.rand(1, 3, 5, 7)):
            found = method(encoder, method.encode(encoder, image), texts(encoder, 1))
            assert found.shape == (1, 1, *encoder.image_size)
            assert torch.isfinite(found).all() and found.min() == 0 and found.max() in (0, 1)


@pytest.mark.parametrize(("name", "tower"), UNABLE)
def test_an_encoder_that_a_method_cannot_use_is_refused_in_one_line(name, tower, encoders):
    with pytest.raises(InputError, match=r"config|compact-clip") as caught:
        METHODS[name].encode(encoders(tower), torch.rand(1, 3, 64, 64))
    assert "\n" not in str(caught.value)


def test_texts_of_another_number_are_refused(encoders):
    encoder, method = encoders("ViT"), PatchText()
    features = method.encode(encoder, torch.rand(2, 3, 48, 48))
    with pytest.raises(ValueError, match=r"texts \(1, 24\) for images \(2, 24\)"):
        method(encoder, features, texts(encoder, 1))


class TestTexts:
    @torch.no_grad()
    def test_a_prompt_longer_than_the_context_warns_once_and_what_is_cut_does_not_count(self, tmp_path):
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
