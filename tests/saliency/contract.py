"""What every saliency method promises on every image tower; a new one is tested by a subclass of the contract."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn
from torch.nn.functional import normalize

from monai_ext.errors import InputError
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.saliency import SaliencyMethod
from tests.saliency.work import work

TRANSFORMERS = ("ViT", "ViT, averaged, normalised after", "timm ViT")
TOWERS = ("ResNet", *TRANSFORMERS, "compact")
Encoders = Callable[[str], VisionLanguageEncoder]


def random_texts(encoder: VisionLanguageEncoder, number: int) -> Tensor:
    return normalize(torch.randn(number, encoder.config.model["embed_dim"]), dim=-1)


class SaliencyContract:
    """Tests of one method with one choice of settings.

    Attributes:
        method: to be tested.
        towers: image towers that it can be used with, see the fixture `encoders`.
        unusable: those that it refuses.
        empty_on: towers with whose random weights its maps may have no positive values.
        runs_for_texts: whether a text runs blocks of the image tower again.
        reencodes: whether a text runs also the blocks that the method shares between texts, on masked images.
    """

    method: SaliencyMethod
    towers: tuple[str, ...] = TOWERS
    unusable: tuple[str, ...] = ("timm, not a ViT",)
    empty_on: tuple[str, ...] = ()
    runs_for_texts = True
    reencodes = False

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        for name, towers in (("tower", self.towers), ("unusable_tower", self.unusable)):
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, towers)

    def map_of(self, encoder: VisionLanguageEncoder, images: Tensor, text: Tensor) -> Tensor:
        return self.method(encoder, self.method.encode(encoder, images), text)

    # maps

    @torch.no_grad()
    def test_a_batch_gives_the_maps_of_its_images_one_by_one(self, tower, encoders: Encoders):
        encoder = encoders(tower)
        images, text = torch.rand(3, 3, 70, 50), random_texts(encoder, 3)
        features = self.method.encode(encoder, images)
        together = self.method(encoder, features, text)
        torch.testing.assert_close(features.embedding, encoder.encode_image(images).embedding)
        assert len(features) == 3
        assert together.shape == (3, 1, *encoder.image_size) and together.dtype == torch.float32
        for i in (2, 0, 1):
            alone = self.method.encode(encoder, images[i : i + 1])
            torch.testing.assert_close(alone.embedding[0], features.embedding[i], atol=1e-5, rtol=0)
            found = self.method(encoder, alone, text[i : i + 1])[0]
            torch.testing.assert_close(found, together[i], atol=1e-5, rtol=0)

    @torch.no_grad()
    def test_a_map_fills_the_range_from_0_to_1_and_depends_on_image_and_text(self, tower, encoders: Encoders):
        encoder = encoders(tower)
        features = self.method.encode(encoder, torch.rand(2, 3, 70, 50))
        image_matters = text_matters = False
        first = None
        for text in random_texts(encoder, 10):
            maps = self.method(encoder, features, text.expand(2, -1))
            low, high = maps.flatten(1).amin(1), maps.flatten(1).amax(1)
            empty = high == 0  # of a method that leaves out negative values, where all are
            assert (low == 0).all() and ((high == 1) | empty).all()
            if not empty[0]:
                image_matters |= not torch.equal(maps[0], maps[1])
                text_matters |= first is not None and not torch.equal(maps[0], first)
                first = maps[0]
            if image_matters and text_matters:
                break
        assert (image_matters and text_matters) or tower in self.empty_on

    @pytest.mark.parametrize("size", [(1, 1), (5, 7), (200, 30)])
    def test_constant_tiny_and_narrow_images_have_finite_maps(self, tower, size, encoders: Encoders):
        encoder = encoders(tower)
        for image in (torch.zeros(1, 3, *size), torch.rand(1, 3, *size)):
            found = self.map_of(encoder, image, random_texts(encoder, 1))
            assert found.shape == (1, 1, *encoder.image_size)
            assert found.isfinite().all() and found.min() == 0 and found.max() in (0, 1)

    @torch.no_grad()
    def test_weights_in_half_precision_give_float32_maps(self, tower, encoders: Encoders):
        encoder = copy.deepcopy(encoders(tower)).bfloat16()
        found = self.map_of(encoder, torch.rand(1, 3, 70, 50), random_texts(encoder, 1))
        assert found.dtype == torch.float32 and found.isfinite().all() and found.max() in (0, 1)

    # cost

    @torch.no_grad()
    def test_an_image_is_encoded_once_for_any_number_of_texts(self, tower, encoders: Encoders):
        encoder = copy.deepcopy(encoders(tower))
        blocks, ran = encoder.tower.blocks, []
        for block in blocks:
            block.register_forward_hook(lambda module, *_: ran.append(blocks.index(module)))
        features = self.method.encode(encoder, torch.rand(1, 3, 70, 50))
        assert ran == list(range(len(blocks)))
        shared = self.method.shared_blocks(encoder)
        for _ in range(2):
            ran.clear()
            self.method(encoder, features, random_texts(encoder, 1))
            assert bool(ran) == self.runs_for_texts
            assert any(index < shared for index in ran) == (self.reencodes and shared > 0)

    def test_weights_of_the_encoder_cost_no_gradients(self, tower, encoders: Encoders):
        encoder = copy.deepcopy(encoders(tower))
        trained = work(self.method, encoder)
        assert bool(trained) == self.runs_for_texts
        assert trained == work(self.method, encoder.requires_grad_(False))

    # randomness and gradients

    def test_a_map_draws_nothing_and_repeats_to_the_bit(self, tower, encoders: Encoders):
        encoder = encoders(tower)
        image, text, state = torch.rand(1, 3, 70, 50), random_texts(encoder, 1), torch.get_rng_state()
        first = self.map_of(encoder, image, text)
        assert torch.equal(torch.get_rng_state(), state)
        torch.randn(7)
        assert torch.equal(self.map_of(encoder, image, text), first)

    def test_inference_mode_and_frozen_weights_change_nothing(self, tower, encoders: Encoders):
        encoder = encoders(tower)
        images, text = torch.rand(1, 3, *encoder.image_size), random_texts(encoder, 1)
        wanted = self.map_of(encoder, images, text)
        assert not wanted.requires_grad
        with torch.inference_mode():
            found = self.map_of(encoder, images.clone(), text.clone())
        assert torch.equal(found, wanted)
        assert all(weight.requires_grad and weight.grad is None for weight in encoder.parameters())
        frozen = copy.deepcopy(encoder).requires_grad_(False)
        torch.testing.assert_close(self.map_of(frozen, images, text), wanted, atol=1e-5, rtol=0)
        assert not any(weight.requires_grad for weight in frozen.parameters())

    def test_the_encoder_is_left_as_it_was(self, tower, encoders: Encoders):
        encoder = copy.deepcopy(encoders(tower))
        before = {key: value.clone() for key, value in encoder.state_dict().items()}
        settings = [_settings(module) for module in encoder.modules()]
        self.map_of(encoder, torch.rand(1, 3, 70, 50), random_texts(encoder, 1))
        assert [_settings(module) for module in encoder.modules()] == settings
        assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())

    # what is refused, and configurations

    def test_an_encoder_that_cannot_be_used_is_refused_in_one_line(self, unusable_tower, encoders: Encoders):
        with pytest.raises(InputError, match=r"config|compact-clip") as caught:
            self.method.encode(encoders(unusable_tower), torch.rand(1, 3, 64, 64))
        assert "\n" not in str(caught.value)

    def test_texts_of_another_number_are_refused_in_one_line(self, tower, encoders: Encoders):
        encoder = encoders(tower)
        features, (text,) = self.method.encode(encoder, torch.rand(2, 3, 48, 48)), random_texts(encoder, 1)
        length = len(text)
        with pytest.raises(ValueError, match=rf"texts \(1, {length}\) for images \(2, {length}\)") as caught:
            self.method(encoder, features, text[None])
        assert "\n" not in str(caught.value)

    def test_images_of_another_shape_are_refused(self, tower, encoders: Encoders):
        with pytest.raises(ValueError, match=r"images are \(B, 3, H, W\), got \(1, 1, 48, 48\)"):
            self.method.encode(encoders(tower), torch.rand(1, 1, 48, 48))

    def test_a_configuration_builds_it(self):
        settings = {key: value for key, value in vars(self.method).items() if value is not None}
        target = f"monai_ext.saliency.{type(self.method).__name__}"
        built = ConfigParser({"saliency": {"_target_": target, **settings}}).get_parsed_content("saliency")
        assert type(built) is type(self.method) and repr(built) == repr(self.method)


def _settings(module: nn.Module) -> tuple[bool, int, bool | None]:
    return module.training, len(module._forward_hooks), getattr(module, "fused_attn", None)
