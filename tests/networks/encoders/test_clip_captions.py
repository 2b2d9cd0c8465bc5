"""The embedded vision-language encoder: its size, its token grid, and what training sees of it."""

import pytest
import torch

from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from tests.networks.encoders.small_clip import CONFIGS


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return VisionLanguageEncoder("compact-clip").eval()


def test_it_has_two_and_a_half_megabytes_and_a_grid_of_sixteen(encoder):
    assert sum(2 * one.numel() for one in encoder.state_dict().values()) <= 2_500_000  # float16
    features = encoder.encode_image(torch.rand(2, 3, 100, 60))
    assert features.embedding.shape == (2, 96)
    assert features.tokens.shape == (2, 96, 16, 16)


def test_pairs_and_patch_tokens_are_the_scaled_cosines(encoder):
    image = torch.rand(2, 3, 128, 128)
    captions = [["left lung", "polyp"], ["liver", "brain tumour"]]
    logits = encoder(image, captions)
    features, text = encoder.encode_image(image), encoder.encode_text([*captions[0], *captions[1]])
    assert logits.pairs.shape == (2, 2, 2)
    assert torch.allclose(logits.pairs.flatten(1), encoder.similarity(features.embedding, text), atol=1e-5)
    token = encoder.similarity(features.tokens[1, :, 3, 5][None], text)[0, 2]
    assert logits.patch_tokens.shape == (2, 2, 16, 16)
    assert torch.allclose(logits.patch_tokens[1, 0, 3, 5], token, atol=1e-5)


def test_every_weight_learns():
    encoder = VisionLanguageEncoder("compact-clip").train()
    logits = encoder(torch.rand(2, 3, 128, 128), [["left lung"], ["liver"]])
    (logits.pairs.square().sum() + logits.patch_tokens.square().sum()).backward()
    unused = {
        name for name, one in encoder.named_parameters() if one.grad is None or not bool(one.grad.any())
    }
    assert not {name for name in unused if "class_embedding" not in name and "bias" not in name}


def test_images_with_different_numbers_of_captions_are_refused(encoder):
    with pytest.raises(ValueError, match="one list of captions each, all of the same length"):
        encoder(torch.rand(2, 3, 128, 128), [["a", "b"], ["a"]])
    with pytest.raises(ValueError, match="2 images need one list"):
        encoder(torch.rand(2, 3, 128, 128), [["a"]])


def test_a_tower_without_a_token_grid_says_so():
    content = {
        "embed_dim": 24,
        "custom_text": True,
        "vision_cfg": {"timm_model_name": "convnext_zepto_rms", "timm_pool": "", "image_size": 64},
        "text_cfg": CONFIGS["ViT"]["text_cfg"],
    }
    with pytest.raises(ValueError, match="no token grid"):
        VisionLanguageEncoder(content)(torch.rand(1, 3, 64, 64), [["liver"]])
