"""What every vision-language encoder promises; a new image tower is tested by a subclass of :class:`EncoderContract`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from monai_ext.errors import WeightsError
from monai_ext.networks.encoders.clip_towers import ImageTower
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.prompts.prompt import Prompt
from tests.networks.encoders.small_clip import CONFIGS, small

TEXTS = ("lungs", "the left lung in a chest x-ray", "")


def close(a: Tensor, b: Tensor, atol: float = 1e-5) -> bool:
    return torch.allclose(a, b, atol=atol, rtol=0)


def same(a: Tensor, b: Tensor) -> bool:
    """Equal to the bit, also where open_clip leaves memory as it finds it."""
    return torch.allclose(a, b, atol=0, rtol=0, equal_nan=True)


@pytest.mark.usefixtures("no_network")
class EncoderContract:
    """Tests of one architecture, small and with random weights.

    Attributes:
        model: name of a config in :data:`tests.networks.encoders.small_clip.CONFIGS`.
        tower: the class of its image tower.
        grid: (h, w) of its patch tokens; None where pooling mixes them.
        depth: number of its layers.
        mean, std: of its images, by default those of OpenAI's CLIP.
        first_layer: number of blocks after which the content of an image still lies about where it was.
        unused: words in the names of weights that the embeddings do not depend on.
    """

    model: str
    tower: type[ImageTower]
    grid: tuple[int, int] | None
    depth: int
    mean = (0.48145466, 0.4578275, 0.40821073)
    std = (0.26862954, 0.26130258, 0.27577711)
    first_layer = 0
    unused: tuple[str, ...] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "layer" in metafunc.fixturenames:
            metafunc.parametrize("layer", (self.depth, -self.depth - 1))

    @pytest.fixture
    def encoder(self, tmp_path: Path) -> VisionLanguageEncoder:
        return self.build(tmp_path)

    def build(self, folder: Path) -> VisionLanguageEncoder:
        return small(self.model, folder)

    # images

    @torch.no_grad()
    def test_the_embedding_of_an_image_is_that_of_open_clip(self, encoder):
        image = torch.rand(2, 3, *encoder.image_size)
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        wanted = normalize(encoder.model.encode_image((image - mean) / std), dim=-1)
        found = encoder.encode_image(image).embedding
        assert close(found, wanted) and close(found.norm(dim=1), torch.ones(2))
        assert not close(found[0], found[1], 1e-4)  # the image matters

    @pytest.mark.parametrize("size", [(70, 50), (1, 1), (300, 200)])
    @torch.no_grad()
    def test_images_of_any_size_do_not_depend_on_the_others_of_their_batch(self, encoder, size):
        images, layers = torch.rand(3, 3, *size), range(self.depth)
        together = encoder.encode_image(images, layers)
        for i, image in enumerate(images):
            alone = encoder.encode_image(image[None], layers)
            assert close(alone.embedding[0], together.embedding[i])
            assert (alone.tokens is None) == (self.grid is None)
            if alone.tokens is not None and together.tokens is not None:
                assert close(alone.tokens[0], together.tokens[i])
            assert all(close(alone.layers[k][0], together.layers[k][i], 1e-4) for k in layers)

    @torch.no_grad()
    def test_an_image_runs_once_through_stem_and_blocks(self, encoder):
        first = next(one for one in encoder.model.visual.modules() if isinstance(one, nn.Conv2d))
        ran: list[nn.Module] = []
        for module in (first, *encoder.tower.blocks):
            module.register_forward_hook(lambda module, *_: ran.append(module))
        encoder.encode_image(torch.rand(2, 3, 64, 64), range(self.depth))
        assert ran == [first, *encoder.tower.blocks]

    @torch.no_grad()
    def test_the_first_blocks_and_then_the_others_are_the_whole_tower(self, encoder):
        tower, x = encoder.tower, encoder.prepare(torch.rand(2, 3, 64, 64))
        assert type(tower) is self.tower and len(tower.blocks) == self.depth
        wanted = encoder.encode_prepared(x).embedding
        for count in range(self.depth + 1):
            half = tower.advance(tower.stem(x), 0, count)
            pooled = tower.finish(tower.advance(half, count))[0]
            assert close(normalize(pooled, dim=-1), wanted)

    @torch.no_grad()
    def test_patch_tokens_are_unit_vectors_of_the_joint_space(self, encoder):
        features = encoder.encode_image(torch.rand(2, 3, 64, 64))
        if self.grid is None:
            assert features.tokens is None
        else:
            assert features.tokens is not None and features.tokens.dtype == torch.float32
            assert features.tokens.shape == (2, features.embedding.shape[1], *self.grid)
            assert close(features.tokens.norm(dim=1), torch.ones(2, *self.grid))

    @torch.no_grad()
    def test_rows_run_down_and_columns_to_the_right(self, encoder):
        if self.grid is None:
            assert encoder.encode_image(torch.rand(1, 3, 64, 64)).tokens is None
            return
        (size, _), (h, w), tower = encoder.image_size, self.grid, encoder.tower
        image = torch.full((1, 3, size, size), 0.5)
        marked = image.clone()
        marked[..., : size // h, -size // w :] = torch.rand(3, size // h, size // w)  # the upper right token
        # in the first layers, before they have mixed the positions
        first, second = (
            tower.as_map(tower.advance(tower.stem(encoder.prepare(x)), 0, self.first_layer))
            for x in (image, marked)
        )
        change = (first - second).abs().sum((0, 1))
        row, column = divmod(int(change.argmax()), change.shape[1])
        assert row < change.shape[0] / 2 <= column

    @torch.no_grad()
    def test_layers_come_by_number_from_either_end(self, encoder):
        image, asked = torch.rand(1, 3, 64, 64), [0, -1, self.depth - 1][: 3 * self.depth]
        layers = encoder.encode_image(image, asked).layers
        assert list(layers) == asked
        if asked:
            seen: list[Tensor] = []
            encoder.tower.blocks[0].register_forward_hook(lambda *args: seen.append(args[2]))
            encoder.encode_image(image)
            assert torch.equal(layers[-1], layers[self.depth - 1])
            assert torch.equal(encoder.tower.as_map(seen[0]), layers[0])
            assert self.grid is None or layers[-1].shape[-2:] == self.grid

    def test_a_layer_that_is_not_there_is_refused_in_one_line(self, encoder, layer):
        known = f"layers 0 to {self.depth - 1}" if self.depth else "no layers"
        with pytest.raises(ValueError, match=f"no layer {layer}: .* has {known}") as caught:
            encoder.encode_image(torch.rand(1, 3, 64, 64), [layer])
        assert "\n" not in str(caught.value)

    def test_every_position_of_the_cam_layer_moves_the_embedding(self, encoder):
        if encoder.tower.cam_layer is None:
            assert self.depth == 0
            return
        kept: list[Tensor] = []
        encoder.tower.cam_layer.register_forward_hook(lambda *args: kept.append(args[2]))
        embedding = encoder.encode_image(torch.rand(1, 3, 64, 64)).embedding
        (gradient,) = torch.autograd.grad(embedding[0, 0], kept[0])
        assert encoder.tower.as_map(gradient).abs().sum(1).min() > 0

    @torch.no_grad()
    def test_the_pooled_tokens_decide_the_embedding(self, encoder):
        tower, x = encoder.tower, encoder.prepare(torch.rand(1, 3, 64, 64))
        if tower.pooled_tokens is None:
            return
        state = tower.advance(tower.stem(x))
        flat = state.flatten(2).transpose(1, 2) if state.ndim == 4 else state
        other = torch.randn_like(flat)
        other[:, tower.pooled_tokens] = flat[:, tower.pooled_tokens]
        changed = other.transpose(1, 2).reshape(state.shape) if state.ndim == 4 else other
        assert close(tower.finish(changed)[0], tower.finish(state)[0])

    @pytest.mark.parametrize("shape", [(1, 1, 48, 48), (3, 48, 48), (1, 4, 48, 48)])
    def test_images_of_another_shape_are_refused_in_one_line(self, encoder, shape):
        with pytest.raises(ValueError, match=r"images are \(B, 3, H, W\), got \(") as caught:
            encoder.encode_image(torch.rand(shape))
        assert "\n" not in str(caught.value)

    # texts

    @torch.no_grad()
    def test_the_embedding_of_a_text_is_that_of_open_clip(self, encoder):
        wanted = normalize(encoder.model.encode_text(encoder.tokenizer(list(TEXTS))), dim=-1)
        found = encoder.encode_text(TEXTS)
        assert close(found, wanted) and close(found.norm(dim=1), torch.ones(3))
        assert not close(found[0], found[1], 1e-4)

    def test_a_text_does_not_depend_on_the_others_of_its_batch(self, encoder):
        together = encoder.encode_text(TEXTS).detach()  # gradients are on: one batch, nothing cached
        with torch.no_grad():
            alone = torch.cat([encoder.encode_text([text]) for text in TEXTS])
        assert close(alone, together)

    @torch.no_grad()
    def test_each_text_is_embedded_once(self, encoder, monkeypatch):
        read, encode = [], encoder.model.encode_text
        monkeypatch.setattr(encoder.model, "encode_text", lambda ids: read.append(len(ids)) or encode(ids))
        for _ in range(2):
            encoder.encode_text(["liver", Prompt(("liver", "lungs")), "liver"])
        encoder.encode_image(torch.rand(1, 3, 64, 64))
        assert read == [1, 1]

    # precision, randomness and gradients

    @torch.no_grad()
    def test_in_half_precision_vectors_are_float32_and_near(self, encoder):
        image = torch.rand(2, 3, 64, 64)
        images, texts = encoder.encode_image(image).embedding, encoder.encode_text(["left lung"])
        encoder.bfloat16()
        half_images, half_texts = encoder.encode_image(image).embedding, encoder.encode_text(["left lung"])
        assert half_images.dtype == half_texts.dtype == torch.float32
        assert (images * half_images).sum(1).min() > 0.99 and (texts * half_texts).sum() > 0.99

    @torch.no_grad()
    def test_evaluation_draws_nothing_and_repeats_to_the_bit(self, encoder):
        image, state = torch.rand(2, 3, 64, 64), torch.get_rng_state()
        first = encoder.encode_image(image).embedding, encoder.encode_text(TEXTS)
        assert torch.equal(torch.get_rng_state(), state)
        torch.randn(7)
        encoder._cache.clear()
        second = encoder.encode_image(image).embedding, encoder.encode_text(TEXTS)
        assert all(map(torch.equal, first, second))

    def test_frozen_weights_get_no_gradient_and_the_image_does(self, encoder):
        encoder.requires_grad_(False)
        image = torch.rand(1, 3, 64, 64, requires_grad=True)
        encoder.similarity(
            encoder.encode_image(image).embedding, encoder.encode_text(["liver"])
        ).sum().backward()
        assert image.grad is not None and image.grad.abs().max() > 0
        assert all(weight.grad is None for weight in encoder.parameters())

    def test_training_reaches_every_weight(self, encoder):
        encoder.train()
        features = encoder.encode_image(torch.rand(2, 3, 64, 64))
        logits = encoder.similarity(features.embedding, encoder.encode_text(TEXTS))
        (logits.square().sum() + (0 if features.tokens is None else features.tokens[:, ::2].sum())).backward()
        untouched = [
            name for name, one in encoder.named_parameters() if one.grad is None or not one.grad.any()
        ]
        # a norm or a softmax may take a bias out again
        assert not [
            n for n in untouched if not n.endswith("bias") and not any(word in n for word in self.unused)
        ]

    def test_logits_of_captions_are_the_scaled_cosines(self, encoder):
        image, captions = torch.rand(2, 3, 64, 64), [["left lung", "polyp"], ["liver", "brain tumour"]]
        if self.grid is None:
            with pytest.raises(ValueError, match="no token grid"):
                encoder(image, captions)
            return
        logits = encoder(image, captions)
        features, text = encoder.encode_image(image), encoder.encode_text([*captions[0], *captions[1]])
        assert logits.pairs.shape == (2, 2, 2) and logits.patch_tokens.shape == (2, 2, *self.grid)
        assert close(logits.pairs.flatten(1), encoder.similarity(features.embedding, text), 1e-4)
        token = encoder.similarity(features.tokens[1, :, 0, 1][None], text)[0, 2]
        assert close(logits.patch_tokens[1, 0, 0, 1], token, 1e-4)
        wanted = encoder.text_map(features.tokens[1], text[2])
        assert wanted.shape == self.grid and close(logits.patch_tokens[1, 0], wanted, 1e-4)

    # weights

    def test_a_state_dict_of_open_clip_is_loaded_whole_or_not_at_all(self, encoder, tmp_path):
        source = self.build(tmp_path)
        # open_clip leaves a projection of CoCa as memory was
        state = {key: value.nan_to_num() for key, value in source.model.state_dict().items()}
        encoder.load(state, "these")
        assert all(map(same, encoder.model.state_dict().values(), state.values()))
        before, lost = {key: value.clone() for key, value in state.items()}, next(iter(state))
        others = {key: value + 1 for key, value in state.items() if key != lost}
        with pytest.raises(WeightsError, match=f"these do not fit .*; 1 missing: {lost}") as caught:
            encoder.load(others, "these")
        assert "\n" not in str(caught.value)
        assert all(map(same, encoder.model.state_dict().values(), before.values()))

    @torch.no_grad()
    def test_its_own_state_dict_holds_the_weights_of_the_model_and_nothing_else(self, encoder, tmp_path):
        other, image = self.build(tmp_path), torch.rand(1, 3, 64, 64)
        assert {key.split(".")[0] for key in encoder.state_dict()} == {"model", "_extra_state"}
        # open_clip leaves a projection of CoCa as memory was
        other.load({key: value.nan_to_num() for key, value in encoder.state_dict().items()}, "these")
        assert torch.equal(other.encode_image(image).embedding, encoder.encode_image(image).embedding)

    def test_it_can_be_built_without_memory(self, encoder):
        with torch.device("meta"):
            empty = VisionLanguageEncoder(CONFIGS.get(self.model, self.model), text_files=encoder.text_files)
        assert all(weight.is_meta for weight in empty.model.parameters())
        assert list(empty.model.state_dict()) == list(encoder.model.state_dict())
