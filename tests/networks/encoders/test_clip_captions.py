"""The embedded vision-language encoder: its size, its token grid, and what training sees of it."""

import pytest
import torch

from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return VisionLanguageEncoder("compact-clip-lite").eval()


def test_it_has_six_megabytes_and_a_grid_of_twenty(encoder):
    weights = [one for one in encoder.state_dict().values() if one.is_floating_point()]
    assert sum(2 * one.numel() for one in weights) <= 5_980_000  # float16
    features = encoder.encode_image(torch.rand(2, 3, 100, 60))
    assert features.embedding.shape == (2, 96)
    assert features.tokens.shape == (2, 96, 20, 20)


def test_every_weight_learns():
    encoder = VisionLanguageEncoder("compact-clip-lite").train()
    logits = encoder(torch.rand(2, 3, 160, 160), [["left lung"], ["liver"]])
    (logits.pairs.square().sum() + logits.patch_tokens.square().sum()).backward()
    unused = {
        name for name, one in encoder.named_parameters() if one.grad is None or not bool(one.grad.any())
    }
    assert not {name for name in unused if "class_embedding" not in name and "bias" not in name}


def test_images_with_different_numbers_of_captions_are_refused(encoder):
    with pytest.raises(ValueError, match="one list of captions each, all of the same length"):
        encoder(torch.rand(2, 3, 160, 160), [["a", "b"], ["a"]])
    with pytest.raises(ValueError, match="2 images need one list"):
        encoder(torch.rand(2, 3, 160, 160), [["a"]])
