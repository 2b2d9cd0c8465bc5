"""The embedded image tower: registered in timm, built of stages, and initialised from the vlsm encoder."""

import json

import pytest
import timm
import torch
from monai.bundle import ConfigParser

from monai_ext.engines.initial_weights import copy_layers
from monai_ext.errors import WeightsError
from monai_ext.networks.encoders.compact_trunk import AttentionBlock, CompactTrunk, convolutional_stem
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.resources import resource_path
from monai_ext.weights import load_weights


@pytest.mark.parametrize(("name", "width"), [("monai_ext_compact", 120), ("monai_ext_lite", 96)])
def test_timm_builds_it_by_name_and_has_no_weights_for_it(name, width):
    trunk = timm.create_model(name)
    assert isinstance(trunk, CompactTrunk)
    assert trunk.forward_features(torch.rand(1, 3, 64, 48)).shape == (1, width, 8, 6)
    with pytest.raises((ValueError, RuntimeError), match=r"weights|pretrained"):
        timm.create_model(name, pretrained=True)


def test_features_lie_at_stride_8_and_only_averages_are_pooled():
    trunk = CompactTrunk(convolutional_stem((4, 4, 8, 8)), 8, blocks=1, attention=1, heads=2).eval()
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
    encoder = VisionLanguageEncoder("compact-clip-lite").eval()
    x = encoder.prepare(torch.rand(2, 3, 160, 160))
    tower = encoder.tower
    with torch.no_grad():
        state = tower.advance(tower.stem(x), 0, 1)
        assert tower.as_map(state).shape == (2, 96, 20, 20)
        pooled, tokens = tower.finish(tower.advance(state, 1))
    assert torch.allclose(tokens.mean((2, 3)), pooled, atol=1e-5)
    assert [isinstance(block, AttentionBlock) for block in tower.blocks] == [False, True]
    assert tower.cam_layer is tower.blocks[-1]


def test_tensors_of_other_weights_are_copied_by_name():
    encoder = torch.nn.Module()
    encoder.one, encoder.other = torch.nn.Conv2d(24, 40, 1), torch.nn.Conv2d(24, 40, 1)
    before = encoder.other.weight.clone()
    copy_layers(encoder, "vlsm", {"encoder.skips.1.": "one."})
    source = load_weights("vlsm")
    assert torch.equal(encoder.one.weight, source["encoder.skips.1.weight"].float())
    assert torch.equal(encoder.one.bias, source["encoder.skips.1.bias"].float())
    assert torch.equal(encoder.other.weight, before)


def test_names_that_do_not_fit_are_refused_and_nothing_is_changed():
    encoder = VisionLanguageEncoder("compact-clip-lite")
    before = encoder.model.visual.trunk.blocks[0].mix[0].weight.clone()
    with pytest.raises(WeightsError, match="hold no tensor"):
        copy_layers(encoder, "vlsm", {"decoder.nothing.": "model.visual.trunk.blocks.0."})
    with pytest.raises(WeightsError, match="shape"):
        copy_layers(encoder, "vlsm", {"encoder.context.0.": "model.visual.trunk.blocks.0."})
    assert torch.equal(encoder.model.visual.trunk.blocks[0].mix[0].weight, before)


@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_the_recipe_of_the_embedded_weights_begins_with_the_backbone_of_vlsm(name):
    configs = resource_path("clip_sam/configs", "bundles")
    recipe = {}
    for laid in ("", "_embedded"):
        recipe |= json.loads((configs / f"train_{name}{laid}.json").read_text())
    network = ConfigParser(recipe).get_parsed_content("network_def")
    copy_layers(network, recipe["layers"]["weights"], recipe["layers"]["names"])
    source, own = load_weights("vlsm"), network.state_dict()
    (prefix,) = {
        new.removesuffix("bn1.") for new in recipe["layers"]["names"].values() if "trunk.bn1." in new
    }
    trunk = {key.removeprefix(prefix): value for key, value in own.items() if key.startswith(prefix)}
    assert len(trunk) > 200
    for key, value in trunk.items():
        assert torch.equal(value.float(), source[f"encoder.trunk.{key}"].float()), key
    size = sum(one.numel() * (2 if one.is_floating_point() else one.element_size()) for one in own.values())
    assert size <= 5_980_000  # in float16, with room for the names of the tensors
