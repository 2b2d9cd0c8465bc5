"""Vision-language encoders: preparation of images, the cache of texts, padding, truncation and weights."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch.nn.functional import normalize

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


def test_similarity_is_the_scaled_cosine_plus_the_bias(tmp_path):
    encoder = small("timm, not a ViT", tmp_path)
    image, text = normalize(torch.rand(2, 24), dim=-1), normalize(torch.rand(3, 24), dim=-1)
    assert close(encoder.similarity(image, text), image @ text.T / 0.07 - 10, 1e-4)
    assert close(small("ViT", tmp_path).similarity(image, text), image @ text.T / 0.07, 1e-4)


class TestTexts:
    @torch.no_grad()
    def test_an_ensemble_is_the_mean_of_unit_vectors(self, tmp_path):
        encoder = small("ViT", tmp_path)
        one, two, both = encoder.encode_text(["liver", "hepatic tissue", Prompt(("liver", "hepatic tissue"))])
        assert close(both, normalize((one + two) / 2, dim=0))

    @pytest.mark.parametrize(
        "change",
        [
            lambda encoder: encoder.load_state_dict(
                {k: v + 0.1 if v.is_floating_point() else v for k, v in encoder.state_dict().items()}
            ),
            lambda encoder: encoder.load(
                {k: v + 0.1 for k, v in encoder.model.state_dict().items()}, "other"
            ),
            lambda encoder: torch.nn.Sequential(encoder).double(),
            lambda encoder: encoder.model.double(),
            lambda encoder: encoder.model.token_embedding.weight.mul_(-1),
        ],
        ids=["load_state_dict", "load", "type", "type of the model", "in place"],
    )
    @torch.no_grad()
    def test_new_weights_clear_the_cache(self, change, tmp_path, calls):
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

    def test_while_text_weights_are_trained_nothing_is_cached_and_all_get_gradients(self, tmp_path, calls):
        encoder = small("timm ViT", tmp_path).train()
        read = calls(encoder)
        for _ in range(2):
            encoder.encode_text(["left lung", "liver", "liver"])[:, 0].sum().backward()
        assert read == [2, 2]
        assert not encoder._cache
        unused = {"pooler", "position"}
        weights = {k: w for k, w in encoder.model.text.named_parameters() if not unused & set(k.split("."))}
        assert all(w.grad is not None for w in weights.values())

    def test_texts_of_frozen_weights_are_cached_in_training_without_dropout(self, tmp_path, calls):
        encoder = small("timm ViT", tmp_path)
        wanted = encoder.encode_text(["left lung"]).detach()
        encoder.model.text.requires_grad_(False)
        encoder.train()
        read = calls(encoder)
        found = [encoder.encode_text(["left lung"]) for _ in range(2)]
        assert read == [1]
        assert close(found[0], wanted) and torch.equal(found[0], found[1])
        assert encoder.model.text.training  # as it was

    def test_what_inference_mode_cached_may_meet_gradients(self, tmp_path):
        encoder = small("ViT", tmp_path).requires_grad_(False)
        with torch.inference_mode():
            encoder.encode_text(["liver"])
        image = torch.rand(1, 3, 48, 48, requires_grad=True)
        encoder.similarity(
            encoder.encode_image(image).embedding, encoder.encode_text(["liver"])
        ).sum().backward()
        assert image.grad.abs().sum() > 0

    @torch.no_grad()
    def test_autocast_does_not_change_what_is_cached(self, tmp_path):
        encoder = small("ViT", tmp_path)
        plain = encoder.encode_text(["liver"])
        other = copy.deepcopy(encoder)  # whose weights lie elsewhere, so it reads the text again
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(other.encode_text(["liver"]), plain)

    @torch.no_grad()
    def test_the_size_of_the_cache_is_limited(self, tmp_path, monkeypatch):
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
    def test_one_warning_names_what_was_truncated(self, tmp_path):
        encoder = small("ViT", tmp_path, text_cfg={**BYTE_PAIRS, "context_length": 6})
        with torch.no_grad(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(2):
                encoder.encode_text(["the left lung in a chest", "a lung in a"])
        assert [str(w.message) for w in caught] == ["config reads 6 tokens; cut from a prompt: 'a chest'."]

    def test_the_truncated_end_does_not_count(self, tmp_path):
        encoder = small("ViT", tmp_path, text_cfg={**BYTE_PAIRS, "context_length": 6})
        with torch.no_grad(), pytest.warns(UserWarning, match="'a chest'"):
            whole, first = encoder.encode_text(["the left lung in a chest", "the left lung in"])
        assert close(whole, first)


class TestWeights:
    def test_leftovers_of_public_files_and_the_layout_with_one_module_are_accepted(self, tmp_path):
        source, target = small("ViT", tmp_path), small("ViT", tmp_path, custom_text=True)
        leftovers = {
            "text.transformer.embeddings.position_ids": torch.arange(4),
            "vocab_size": torch.tensor(1),
        }
        target.load({**source.model.state_dict(), **leftovers}, "these")
        with torch.no_grad():
            assert close(source.encode_text(["liver"]), target.encode_text(["liver"]))
