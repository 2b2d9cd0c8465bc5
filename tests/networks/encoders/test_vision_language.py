"""Encoders of every architecture: open_clip's own embeddings, one call per text, no network."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch.nn.functional import normalize

from monai_ext.errors import WeightsError
from monai_ext.networks.encoders.vision_language import CACHE_SIZE, VisionLanguageEncoder
from monai_ext.prompts.prompt import Prompt
from tests.networks.encoders.small_clip import BYTE_PAIRS, CONFIGS, HF_TEXT, small

pytestmark = pytest.mark.usefixtures("no_network")


def close(a: torch.Tensor, b: torch.Tensor, atol: float = 1e-5) -> bool:
    return torch.allclose(a, b, atol=atol, rtol=0)


@pytest.fixture
def calls(monkeypatch):
    """Counts the texts that a model's text tower reads."""

    def count(encoder: VisionLanguageEncoder) -> list[int]:
        read, encode = [], encoder.model.encode_text
        monkeypatch.setattr(encoder.model, "encode_text", lambda ids: read.append(len(ids)) or encode(ids))
        return read

    return count


@pytest.mark.parametrize("name", CONFIGS)
class TestImages:
    @torch.no_grad()
    def test_the_embedding_is_that_of_open_clip(self, name, tmp_path):
        encoder = small(name, tmp_path)
        image = torch.rand(2, 3, *encoder.image_size)
        mean, std = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
        normalised = (image - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
        wanted = normalize(encoder.model.encode_image(normalised), dim=-1)
        found = encoder.encode_image(image).embedding
        assert close(found, wanted)
        assert not close(found[0], found[1], 1e-4)  # the image matters

    @torch.no_grad()
    def test_an_image_does_not_depend_on_the_others_of_its_batch(self, name, tmp_path):
        encoder = small(name, tmp_path)
        images = torch.rand(3, 3, 70, 50)
        together = encoder.encode_image(images)
        for i, image in enumerate(images):
            alone = encoder.encode_image(image[None])
            assert close(alone.embedding[0], together.embedding[i])
            if together.tokens is not None:
                assert close(alone.tokens[0], together.tokens[i])

    @torch.no_grad()
    def test_a_prefix_and_its_suffix_are_the_whole(self, name, tmp_path):
        encoder = small(name, tmp_path)
        tower, x = encoder.tower, encoder.prepare(torch.rand(2, 3, 64, 64))
        half = tower.advance(tower.stem(x), 0, 1)
        pooled = tower.finish(tower.advance(half, 1))[0]
        assert close(normalize(pooled, dim=-1), encoder.encode_prepared(x).embedding)


GRIDS = {"ResNet": (2, 2), "ViT": (3, 3), "ViT, averaged, normalised after": (3, 3), "timm ViT": (10, 10)}


@pytest.mark.parametrize("name", GRIDS)
class TestGrid:
    @torch.no_grad()
    def test_each_place_has_a_unit_vector_of_the_joint_space(self, name, tmp_path):
        tokens = small(name, tmp_path).encode_image(torch.rand(2, 3, 64, 64)).tokens
        assert tokens.shape == (2, 24, *GRIDS[name])
        assert close(tokens.norm(dim=1), torch.ones(2, *GRIDS[name]))

    @torch.no_grad()
    def test_rows_run_down_and_columns_to_the_right(self, name, tmp_path):
        encoder = small(name, tmp_path)
        size, (h, w) = encoder.image_size[0], GRIDS[name]
        image = torch.full((1, 3, size, size), 0.5)
        marked = image.clone()
        marked[..., : size // h, -size // w :] = torch.rand(3, size // h, size // w)  # the upper right place
        # before the first block of a transformer, and in a ResNet's first layers, places are still themselves
        tower = encoder.tower
        last = 1 if name == "ResNet" else 0
        first, second = (
            tower.as_map(tower.advance(tower.stem(encoder.prepare(x)), 0, last)) for x in (image, marked)
        )
        change = (first - second).abs().sum((0, 1))
        row, column = divmod(int(change.argmax()), change.shape[1])
        assert row < change.shape[0] / 2 <= column

    @torch.no_grad()
    def test_layers_come_by_number_from_either_end(self, name, tmp_path):
        encoder = small(name, tmp_path)
        depth, image = len(encoder.tower.blocks), torch.rand(1, 3, 64, 64)
        layers = encoder.encode_image(image, [0, -1, depth - 1]).layers
        assert list(layers) == [0, -1, depth - 1]
        assert torch.equal(layers[-1], layers[depth - 1])
        assert layers[-1].shape[-2:] == GRIDS[name]
        seen = []
        encoder.tower.blocks[0].register_forward_hook(lambda *args: seen.append(args[2]))
        encoder.encode_image(image)
        assert torch.equal(encoder.tower.as_map(seen[0]), layers[0])

    def test_a_layer_that_is_not_there_is_refused(self, name, tmp_path):
        encoder = small(name, tmp_path)
        depth = len(encoder.tower.blocks)
        for layer in (depth, -depth - 1):
            with pytest.raises(ValueError, match=f"no layer {layer}: .* has layers 0 to {depth - 1}"):
                encoder.encode_image(torch.rand(1, 3, 64, 64), [layer])

    def test_every_place_of_the_cam_layer_moves_the_embedding(self, name, tmp_path):
        encoder, kept = small(name, tmp_path), []
        encoder.tower.cam_layer.register_forward_hook(lambda *args: kept.append(args[2]))
        embedding = encoder.encode_image(torch.rand(1, 3, 64, 64)).embedding
        (gradient,) = torch.autograd.grad(embedding[0, 0], kept[0])
        assert encoder.tower.as_map(gradient).abs().sum(1).min() > 0


def test_places_that_pooling_mixes_have_no_tokens_and_unknown_towers_no_layers(tmp_path):
    assert small("CoCa", tmp_path).encode_image(torch.rand(1, 3, 48, 48)).tokens is None
    other = small("timm, not a ViT", tmp_path)
    assert other.encode_image(torch.rand(1, 3, 64, 64)).tokens is None
    assert other.tower.cam_layer is None
    with pytest.raises(ValueError, match="no layer 0: TimmModel has no layers that can be asked for"):
        other.encode_image(torch.rand(1, 3, 64, 64), [0])


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_a_picture_is_resized_and_normalised_as_open_clip_does(interpolation, tmp_path):
    import numpy as np
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from PIL import Image

    values = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "interpolation": interpolation}
    encoder = VisionLanguageEncoder({"model_cfg": CONFIGS["ViT"], "preprocess_cfg": values})
    picture = np.random.default_rng(0).integers(60, 196, (101, 83, 3), dtype=np.uint8)
    transform = image_transform_v2(PreprocessCfg(48, resize_mode="squash", **values), is_train=False)
    wanted = transform(Image.fromarray(picture))
    found = encoder.prepare(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255)[0]
    assert (found - wanted).mul(torch.tensor(values["std"])[:, None, None]).abs().max() < 1.5 / 255


def test_resizing_stays_within_black_and_white(tmp_path):
    encoder = small("ViT", tmp_path)
    x = encoder.prepare((torch.rand(1, 3, 20, 20) > 0.5).float())  # black beside white: bicubic overshoots
    image = x * encoder.std + encoder.mean
    assert close(image.amin(), torch.tensor(0.0)) and close(image.amax(), torch.tensor(1.0))


def test_images_of_another_shape_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"images are \(B, 3, H, W\), got \(1, 1, 48, 48\)"):
        small("ViT", tmp_path).encode_image(torch.rand(1, 1, 48, 48))


def test_similarity_is_the_scaled_cosine_plus_the_bias(tmp_path):
    encoder = small("timm, not a ViT", tmp_path)
    image, text = normalize(torch.rand(2, 24), dim=-1), normalize(torch.rand(3, 24), dim=-1)
    assert close(encoder.similarity(image, text), image @ text.T / 0.07 - 10, 1e-4)
    assert close(small("ViT", tmp_path).similarity(image, text), image @ text.T / 0.07, 1e-4)


class TestTexts:
    @pytest.mark.parametrize("name", CONFIGS)
    @torch.no_grad()
    def test_the_embedding_is_that_of_open_clip(self, name, tmp_path):
        encoder = small(name, tmp_path)
        texts = ["lungs", "the left lung in a chest x-ray", ""]
        wanted = normalize(encoder.model.encode_text(encoder.tokenizer(texts)), dim=-1)
        found = encoder.encode_text(texts)
        assert close(found, wanted)
        assert not close(found[0], found[1], 1e-4)

    @torch.no_grad()
    def test_an_ensemble_is_the_mean_of_unit_vectors(self, tmp_path):
        encoder = small("ViT", tmp_path)
        one, two, both = encoder.encode_text(["liver", "hepatic tissue", Prompt(("liver", "hepatic tissue"))])
        assert close(both, normalize((one + two) / 2, dim=0))

    @torch.no_grad()
    def test_each_text_is_read_once(self, tmp_path, calls):
        encoder = small("ViT", tmp_path)
        read = calls(encoder)
        for _ in range(3):
            encoder.encode_text(["liver", Prompt(("liver", "lungs")), "liver"])
        assert read == [1, 1]

    @pytest.mark.parametrize(
        "change",
        [
            lambda encoder: encoder.load_state_dict({k: v + 0.1 for k, v in encoder.state_dict().items()}),
            lambda encoder: encoder.load(
                {k: v + 0.1 for k, v in encoder.model.state_dict().items()}, "other"
            ),
            lambda encoder: torch.nn.Sequential(encoder).double(),
            lambda encoder: encoder.model.double(),
            lambda encoder: encoder.model.token_embedding.weight.mul_(-1),
        ],
        ids=["load_state_dict", "load", "type", "type of the part", "in place"],
    )
    @torch.no_grad()
    def test_new_weights_are_asked_anew(self, change, tmp_path, calls):
        encoder = small("ViT", tmp_path)
        before = encoder.encode_text(["liver"])
        change(encoder)
        read = calls(encoder)
        after = encoder.encode_text(["liver"])
        assert read == [1]
        assert not torch.equal(before, after)

    def test_an_optimiser_step_is_noticed(self, tmp_path):
        encoder = small("ViT", tmp_path)
        optimiser = torch.optim.SGD(encoder.parameters(), lr=10.0)
        with torch.no_grad():
            before = encoder.encode_text(["liver"])
        encoder.encode_text(["liver"])[0, 0].backward()
        optimiser.step()
        with torch.no_grad():
            assert not close(before, encoder.encode_text(["liver"]), 1e-3)

    def test_while_text_weights_learn_nothing_is_remembered_and_all_get_gradients(self, tmp_path, calls):
        encoder = small("timm ViT", tmp_path).train()
        read = calls(encoder)
        for _ in range(2):
            encoder.encode_text(["left lung", "liver", "liver"])[:, 0].sum().backward()
        assert read == [2, 2]
        assert not encoder._cache
        unused = {"pooler", "position"}
        weights = {k: w for k, w in encoder.model.text.named_parameters() if not unused & set(k.split("."))}
        assert all(w.grad is not None for w in weights.values())

    def test_frozen_text_weights_are_remembered_in_training_without_dropout(self, tmp_path, calls):
        encoder = small("timm ViT", tmp_path)
        wanted = encoder.encode_text(["left lung"]).detach()
        encoder.model.text.requires_grad_(False)
        encoder.train()
        read = calls(encoder)
        found = [encoder.encode_text(["left lung"]) for _ in range(2)]
        assert read == [1]
        assert close(found[0], wanted) and torch.equal(found[0], found[1])
        assert encoder.model.text.training  # as it was

    def test_what_inference_mode_remembered_may_meet_gradients(self, tmp_path):
        encoder = small("ViT", tmp_path).requires_grad_(False)
        with torch.inference_mode():
            encoder.encode_text(["liver"])
        image = torch.rand(1, 3, 48, 48, requires_grad=True)
        encoder.similarity(
            encoder.encode_image(image).embedding, encoder.encode_text(["liver"])
        ).sum().backward()
        assert image.grad.abs().sum() > 0

    @torch.no_grad()
    def test_autocast_does_not_change_what_is_remembered(self, tmp_path):
        encoder = small("ViT", tmp_path)
        plain = encoder.encode_text(["liver"])
        other = copy.deepcopy(encoder)  # whose weights lie elsewhere, so it reads the text again
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(other.encode_text(["liver"]), plain)

    @torch.no_grad()
    def test_the_memory_is_bounded(self, tmp_path, monkeypatch):
        encoder = small("ViT", tmp_path)
        encoder.encode_text(["liver"])
        encoder._cache.update({str(i): torch.zeros(24) for i in range(CACHE_SIZE)})
        encoder.encode_text(["lungs"])
        assert list(encoder._cache) == ["lungs"]

    def test_a_copy_of_an_encoder_is_its_own(self, tmp_path):
        encoder = small("ViT", tmp_path)
        other = copy.deepcopy(encoder)
        with torch.no_grad():
            before = encoder.encode_text(["liver"])
            for weight in other.parameters():
                weight.zero_()
            assert torch.equal(encoder.encode_text(["liver"]), before)
            assert other.tower.visual is other.model.visual
            assert other.encode_text(["liver"]).abs().sum() == 0


class TestPadding:
    """BiomedCLIP's texts: padded to the longest of the batch, with the result of padding to the context."""

    POOLERS = ("cls_last_hidden_state_pooler", "cls_pooler", "mean_pooler")

    @pytest.mark.parametrize("pooler", POOLERS)
    @torch.no_grad()
    def test_padding_to_the_longest_gives_the_embeddings_of_padding_to_256(self, pooler, tmp_path):
        encoder = small("timm ViT", tmp_path, text_cfg={**HF_TEXT, "hf_pooler_type": pooler})
        texts = ["lungs", "the left lung in a chest x-ray", "liver"]
        ids = encoder.tokenizer(texts)
        assert ids.shape == (3, 256)
        wanted = normalize(encoder.model.encode_text(ids), dim=-1)
        assert close(encoder._embed(texts), wanted)
        assert close(encoder.encode_text(texts), wanted)

    def test_the_text_tower_sees_no_more_than_the_longest(self, tmp_path, monkeypatch):
        encoder = small("timm ViT", tmp_path)
        widths, encode = [], encoder.model.encode_text
        monkeypatch.setattr(encoder.model, "encode_text", lambda ids: widths.append(ids.shape) or encode(ids))
        encoder.encode_text(["lungs", "the left lung in a chest x-ray"])  # gradients are on: one batch
        assert widths == [(2, 11)]  # nine words and signs, [CLS], [SEP]


class TestLongTexts:
    def test_one_warning_names_what_was_cut(self, tmp_path):
        encoder = small("ViT", tmp_path, text_cfg={**BYTE_PAIRS, "context_length": 6})
        with torch.no_grad(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(2):
                encoder.encode_text(["the left lung in a chest", "a lung in a"])
        assert [str(w.message) for w in caught] == ["config reads 6 tokens; cut from a prompt: 'a chest'."]

    def test_what_is_cut_does_not_count(self, tmp_path):
        encoder = small("ViT", tmp_path, text_cfg={**BYTE_PAIRS, "context_length": 6})
        with torch.no_grad(), pytest.warns(UserWarning, match="'a chest'"):
            whole, first = encoder.encode_text(["the left lung in a chest", "the left lung in"])
        assert close(whole, first)


class TestWeights:
    def test_a_state_dict_of_the_model_is_taken_whole_or_not_at_all(self, tmp_path):
        source, target = small("ViT", tmp_path), small("ViT", tmp_path)
        state = source.model.state_dict()
        target.load(state, "these")
        assert all(torch.equal(v, state[k]) for k, v in target.model.state_dict().items())
        state.pop("visual.proj")
        with pytest.raises(WeightsError, match="these do not fit CLIP; 1 missing: visual.proj"):
            target.load(state, "these")

    def test_leftovers_of_public_files_and_the_layout_with_one_module_are_accepted(self, tmp_path):
        source, target = small("ViT", tmp_path), small("ViT", tmp_path, custom_text=True)
        leftovers = {
            "text.transformer.embeddings.position_ids": torch.arange(4),
            "vocab_size": torch.tensor(1),
        }
        target.load({**source.model.state_dict(), **leftovers}, "these")
        with torch.no_grad():
            assert close(source.encode_text(["liver"]), target.encode_text(["liver"]))

    @pytest.mark.parametrize("name", ["ResNet", "ViT", "timm ViT"])
    @torch.no_grad()
    def test_in_half_precision_vectors_are_float32_and_near(self, name, tmp_path):
        encoder, image = small(name, tmp_path), torch.rand(2, 3, 64, 64)
        before = encoder.encode_image(image), encoder.encode_text(["left lung"])
        encoder.bfloat16()
        after = encoder.encode_image(image), encoder.encode_text(["left lung"])
        assert after[0].embedding.dtype == after[0].tokens.dtype == after[1].dtype == torch.float32
        assert (before[0].embedding * after[0].embedding).sum(1).min() > 0.99
        assert (before[1] * after[1]).sum() > 0.99

    def test_mean_and_std_are_no_weights(self, tmp_path):
        encoder = small("ViT", tmp_path)
        assert {key.split(".")[0] for key in encoder.state_dict()} == {"model"}
