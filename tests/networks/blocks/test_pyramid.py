"""Image pyramids have maps of the same strides and channels, whatever they are made of."""

import json
import socket

import pytest
import timm
import torch

from monai_ext.networks.blocks.pyramid import BackbonePyramid, MergedFeatures, Pyramid
from monai_ext.resources import resource_path

LITE = "tf_efficientnet_lite0"
PYRAMIDS = {
    "own": lambda kind=0: Pyramid((4, 6, 8, 10), 3, 1, 0.1, kind),
    "backbone": lambda kind=0: BackbonePyramid(LITE, (4, 6, 8, 10), 3, 1, 0.1, kind),
}


@pytest.mark.parametrize("make", PYRAMIDS.values(), ids=PYRAMIDS)
@pytest.mark.parametrize("side", [64, 80])  # 80 is no multiple of 32
def test_maps_have_the_stated_strides_and_channels(make, side):
    with torch.no_grad():
        maps = make(kind=7).eval()(torch.rand(2, 3, side, side))
    assert {name: tuple(one.shape) for name, one in maps.items()} == {
        "guide": (2, 3, 4, side // 4, side // 4),
        "8": (2, 8, side // 8, side // 8),
        "16": (2, 10, side // 16, side // 16),
        "medical": (2,),
        "kind": (2, 7),
    }


@pytest.mark.parametrize("make", PYRAMIDS.values(), ids=PYRAMIDS)
def test_without_a_vector_of_kinds_there_is_none_and_every_weight_counts(make):
    pyramid = make()
    maps = pyramid(torch.rand(2, 3, 64, 64))
    assert "kind" not in maps
    sum(one.square().sum() for one in maps.values()).backward()
    assert all(one.grad is not None and bool(one.grad.any()) for one in pyramid.parameters())


def test_the_coarsest_features_of_a_backbone_reach_the_map_of_stride_16():
    pyramid = PYRAMIDS["backbone"]().eval()
    with torch.no_grad():
        image = torch.rand(1, 3, 64, 64)
        before = pyramid.stages(image)[3]
        pyramid.lateral16.bias += 1
        assert not torch.allclose(pyramid.stages(image)[3], before)


@pytest.mark.parametrize("side", [64, 80])
def test_merged_features_lie_at_stride_8_and_come_from_strides_8_16_and_32(side):
    merged = MergedFeatures(LITE, 6, stages=6).eval()
    strides = []
    for lateral in merged.laterals:
        lateral.register_forward_hook(lambda _, inputs, __: strides.append(side / inputs[0].shape[-1]))
    with torch.no_grad():
        assert merged(torch.rand(2, 3, side, side)).shape == (2, 6, side // 8, side // 8)
    assert [round(one) for one in strides] == [8, 16, 32 if side == 64 else 27]
    assert len(merged.trunk["blocks"]) == 6


def test_a_constant_added_at_every_stride_is_added_three_times():
    merged = MergedFeatures(LITE, 6, stages=6).eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = merged(image)
        for lateral in merged.laterals:
            lateral.bias += 1
        assert torch.allclose(merged(image), before + 3, atol=1e-4)


def test_a_backbone_is_built_without_a_download(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    PYRAMIDS["backbone"]()


def test_the_recipe_of_the_embedded_weights_begins_with_all_that_the_backbone_can_take():
    recipe = json.loads(resource_path("vlsm/configs/train_embedded.json", "bundles").read_text())
    names = recipe["layers"]["names"]
    public = timm.create_model(LITE, pretrained=False).state_dict()
    copied = {
        new + key.removeprefix(old): value.shape
        for old, new in names.items()
        for key, value in public.items()
        if key.startswith(old)
    }
    trunk = PYRAMIDS["backbone"]().trunk.state_dict()
    assert copied == {f"encoder.trunk.{key}": value.shape for key, value in trunk.items()}
