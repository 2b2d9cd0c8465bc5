"""Every image tower keeps the contract of encoders."""

import pytest
import torch

from monai_ext.networks.encoders.clip_towers import (
    CompactTower,
    ImageTower,
    OpaqueTower,
    ResNetTower,
    TimmViTTower,
    ViTTower,
)
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from tests.abstract import concrete_subclasses, incomplete
from tests.networks.encoders.contract import EncoderContract


class TestResNet(EncoderContract):
    model, tower, grid, depth = "ResNet", ResNetTower, (2, 2), 4
    first_layer = 1


class TestViT(EncoderContract):
    model, tower, grid, depth = "ViT", ViTTower, (3, 3), 3


class TestAveragedViT(EncoderContract):
    model, tower, grid, depth = "ViT, averaged, normalised after", ViTTower, (3, 3), 3


class TestCoCa(EncoderContract):
    model, tower, grid, depth = "CoCa", ViTTower, None, 2
    unused = ("text_decoder",)


class TestTimmViT(EncoderContract):
    model, tower, grid, depth = "timm ViT", TimmViTTower, (10, 10), 6
    unused = ("pooler", "position")


class TestOpaque(EncoderContract):
    model, tower, grid, depth = "timm, not a ViT", OpaqueTower, None, 0


class TestCompact(EncoderContract):
    model, tower, grid, depth = "compact-clip-lite", CompactTower, (20, 20), 2
    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

    def build(self, folder):
        encoder = VisionLanguageEncoder(self.model).eval()
        with torch.no_grad():
            for weight in encoder.model.visual.parameters():
                weight.add_(0.05 * torch.randn_like(weight))
        return encoder


class TestCompactOfConvolutions(TestCompact):
    model, grid, depth = "compact-clip", (16, 16), 7


def test_every_image_tower_has_a_contract_test():
    tested = {contract.tower for contract in EncoderContract.__subclasses__()}
    assert tested == concrete_subclasses(ImageTower)


@pytest.mark.parametrize("missing", ["blocks", "cam_layer", "finish", "pooled_tokens", "stem"])
def test_a_tower_without_an_abstract_method_cannot_be_built(missing):
    with pytest.raises(TypeError, match=f"abstract method '?{missing}'?"):
        incomplete(ImageTower, missing)(None)
