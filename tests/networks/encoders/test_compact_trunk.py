"""The embedded image tower: registered in timm, built of stages, and initialised from the vlsm encoder."""

import pytest
import timm
import torch

from monai_ext.engines.initial_weights import copy_layers
from monai_ext.errors import WeightsError
from monai_ext.networks.encoders.compact_trunk import AttentionBlock, CompactTrunk
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.weights import load_weights


def test_timm_builds_it_by_name_and_has_no_weights_for_it():
    assert isinstance(timm.create_model("monai_ext_compact"), CompactTrunk)
    with pytest.raises((ValueError, RuntimeError), match=r"weights|pretrained"):
        timm.create_model("monai_ext_compact", pretrained=True)


def test_features_lie_at_stride_8_and_only_averages_are_pooled():
    trunk = CompactTrunk((4, 4, 8, 8), blocks=1, attention=1, heads=2).eval()
    features = trunk.forward_features(torch.rand(2, 3, 64, 48))
    assert features.shape == (2, 8, 8, 6)
    assert torch.allclose(trunk.forward_head(features), features.mean((2, 3)))
    with pytest.raises(ValueError, match="averages"):
        trunk.reset_classifier(10)


@torch.no_grad()
def test_attention_reads_the_map_row_by_row_and_every_position_attends_to_every_other():
    torch.manual_seed(0)
    block = AttentionBlock(8, heads=2).eval()
    x = torch.randn(2, 8, 3, 5)
    tokens = block.block(x.permute(0, 2, 3, 1).reshape(2, 15, 8))
    torch.testing.assert_close(block(x), tokens.reshape(2, 3, 5, 8).permute(0, 3, 1, 2))
    other = x.clone()
    other[:, 0, 2, 4] += 1
    assert (block(other) != block(x)).any(1).all()


def test_the_embedding_is_the_mean_of_the_patch_tokens():
    encoder = VisionLanguageEncoder("compact-clip").eval()
    x = encoder.prepare(torch.rand(2, 3, 128, 128))
    tower = encoder.tower
    with torch.no_grad():
        state = tower.advance(tower.stem(x), 0, 3)
        assert tower.as_map(state).shape == (2, 120, 16, 16)
        pooled, tokens = tower.finish(tower.advance(state, 3))
    assert torch.allclose(tokens.mean((2, 3)), pooled, atol=1e-5)
    assert [isinstance(block, AttentionBlock) for block in tower.blocks] == [False] * 5 + [True] * 2
    assert tower.cam_layer is tower.blocks[-1]


def test_tensors_of_other_weights_are_copied_by_name():
    encoder = VisionLanguageEncoder("compact-clip")
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    copy_layers(encoder, "vlsm", {"encoder.down16.1.": "model.visual.trunk.blocks.0."})
    source = load_weights("vlsm")
    changed = {key for key, value in encoder.state_dict().items() if not torch.equal(value, before[key])}
    assert changed
    assert all(key.startswith("model.visual.trunk.blocks.0.") for key in changed)
    key = "mix.0.weight"
    copied = encoder.state_dict()[f"model.visual.trunk.blocks.0.{key}"]
    assert torch.equal(copied, source[f"encoder.down16.1.{key}"].float())


def test_names_that_do_not_fit_are_refused_and_nothing_is_changed():
    encoder = VisionLanguageEncoder("compact-clip")
    before = encoder.model.visual.trunk.blocks[0].mix[0].weight.clone()
    with pytest.raises(WeightsError, match="hold no tensor"):
        copy_layers(encoder, "vlsm", {"decoder.nothing.": "model.visual.trunk.blocks.0."})
    with pytest.raises(WeightsError, match="shape"):
        copy_layers(encoder, "vlsm", {"encoder.down8.0.": "model.visual.trunk.stem.1.0."})
    assert torch.equal(encoder.model.visual.trunk.blocks[0].mix[0].weight, before)
