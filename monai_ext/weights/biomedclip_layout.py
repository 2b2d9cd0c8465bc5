"""Conversion of BiomedCLIP's state dict between the layouts of Hugging Face's CLIP and of open_clip.

The authors of MedCLIP-SAMv2 publish theirs in the former. The numbers are the same. open_clip's image tower is timm's,
which stacks query, key and value of a block in one matrix, and has a batch axis before the class token and the
positions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from monai_ext.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

# Names of modules, open_clip's first; # stands for the number of a block.
MODULES = {
    "visual.trunk.patch_embed.proj": "vision_model.embeddings.patch_embedding",
    "visual.trunk.blocks.#.norm1": "vision_model.encoder.layers.#.layer_norm1",
    "visual.trunk.blocks.#.attn.proj": "vision_model.encoder.layers.#.self_attn.out_proj",
    "visual.trunk.blocks.#.norm2": "vision_model.encoder.layers.#.layer_norm2",
    "visual.trunk.blocks.#.mlp.fc1": "vision_model.encoder.layers.#.mlp.fc1",
    "visual.trunk.blocks.#.mlp.fc2": "vision_model.encoder.layers.#.mlp.fc2",
    "visual.trunk.norm": "vision_model.post_layernorm",
    "visual.head.proj": "visual_projection",
    "text.transformer.embeddings.word_embeddings": "text_model.embeddings.token_embedding",
    "text.transformer.embeddings.position_embeddings": "text_model.embeddings.position_embedding",
    "text.transformer.embeddings.token_type_embeddings": "text_model.embeddings.token_type_embedding",
    "text.transformer.embeddings.LayerNorm": "text_model.embeddings.layer_norm",
    "text.transformer.encoder.layer.#.attention.self.query": "text_model.encoder.layers.#.self_attn.q_proj",
    "text.transformer.encoder.layer.#.attention.self.key": "text_model.encoder.layers.#.self_attn.k_proj",
    "text.transformer.encoder.layer.#.attention.self.value": "text_model.encoder.layers.#.self_attn.v_proj",
    "text.transformer.encoder.layer.#.attention.output.dense": "text_model.encoder.layers.#.self_attn.out_proj",
    "text.transformer.encoder.layer.#.attention.output.LayerNorm": "text_model.encoder.layers.#.layer_norm1",
    "text.transformer.encoder.layer.#.intermediate.dense": "text_model.encoder.layers.#.mlp.fc1",
    "text.transformer.encoder.layer.#.output.dense": "text_model.encoder.layers.#.mlp.fc2",
    "text.transformer.encoder.layer.#.output.LayerNorm": "text_model.encoder.layers.#.layer_norm2",
    "text.proj.0": "text_projection.fc1",
    "text.proj.2": "text_projection.fc2",
}
TENSORS = {
    "logit_scale": ("logit_scale", 0),
    "visual.trunk.cls_token": ("vision_model.embeddings.class_embedding", 2),
    "visual.trunk.pos_embed": ("vision_model.embeddings.position_embedding.weight", 1),
}
"""Names of single tensors in open_clip: their other name, and how many leading axes of length 1 open_clip's have."""
FUSED = "visual.trunk.blocks.#.attn.qkv"
SPLIT = tuple(f"vision_model.encoder.layers.#.self_attn.{one}_proj" for one in "qkv")
INDEX_TENSORS = ("position_ids", "token_type_ids")
"""Ends of the names of index tensors, which are no weights and which old versions of transformers saved."""


def to_open_clip(state: Mapping[str, Tensor], description: str) -> dict[str, Tensor]:
    """The state dict under open_clip's names.

    Args:
        state: tensors under the names of Hugging Face's CLIP.
        description: what messages call the weights.

    Raises:
        WeightsError: when a name is not one of that layout, or a block lacks its query, key or value.
    """
    import torch

    modules = {theirs: ours for ours, theirs in MODULES.items()}
    tensors = {theirs: (ours, axes) for ours, (theirs, axes) in TENSORS.items()}
    found: dict[str, Tensor] = {}
    fused: dict[str, dict[int, Tensor]] = {}
    unknown = []
    for key, value in state.items():
        module, number, kind = _split_key(key)
        if key.endswith(INDEX_TENSORS):
            continue
        if key in tensors:
            name, axes = tensors[key]
            found[name] = value.reshape((1,) * axes + tuple(value.shape))
        elif module in SPLIT:
            fused.setdefault(_join_key(FUSED, number, kind), {})[SPLIT.index(module)] = value
        elif module in modules:
            found[_join_key(modules[module], number, kind)] = value
        else:
            unknown.append(key)
    _check_known(unknown, description, "of Hugging Face's CLIP")
    for key, three in fused.items():
        if sorted(three) != [0, 1, 2]:
            raise WeightsError(f"{description}: query, key or value of {key} is missing; get the file again.")
        found[key] = torch.cat([three[i] for i in range(3)])
    return found


def to_huggingface(state: Mapping[str, Tensor], description: str) -> dict[str, Tensor]:
    """The state dict under the names of Hugging Face's CLIP.

    Args:
        state: tensors under the names of open_clip's BiomedCLIP.
        description: what messages call the weights.

    Raises:
        WeightsError: when a name is not one of that layout.
    """
    found: dict[str, Tensor] = {}
    unknown = []
    for key, value in state.items():
        module, number, kind = _split_key(key)
        if key.endswith(INDEX_TENSORS):
            continue
        if key in TENSORS:
            name, axes = TENSORS[key]
            found[name] = value.reshape(value.shape[axes:])
        elif module == FUSED:
            for split, one in zip(SPLIT, value.chunk(3), strict=True):
                found[_join_key(split, number, kind)] = one.clone()  # safetensors needs memory of its own
        elif module in MODULES:
            found[_join_key(MODULES[module], number, kind)] = value
        else:
            unknown.append(key)
    _check_known(unknown, description, "of open_clip's BiomedCLIP")
    return found


def _split_key(key: str) -> tuple[str, str, str]:
    """A tensor's key as the name of its module with # for the block's number, that number or "", and the last word."""
    number = re.search(r"\.(?:blocks|layers?)\.(\d+)\.", key)
    module, _, kind = key.rpartition(".")
    if number is None:
        return module, "", kind
    return module[: number.start(1)] + "#" + module[number.end(1) :], number[1], kind


def _join_key(module: str, number: str, kind: str) -> str:
    return f"{module.replace('#', number)}.{kind}"


def _check_known(unknown: list[str], description: str, layout: str) -> None:
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise WeightsError(
            f"{description}: {', '.join(unknown[:3])}{more}: no names {layout}; this is another model, or another layout."
        )
