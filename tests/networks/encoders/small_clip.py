"""Small vision-language models with random weights, one of each architecture, and a tokenizer's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.networks.language.tokenizer import WordPieceTokenizer

BYTE_PAIRS = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
TEXT = {
    "context_length": 20,
    "vocab_size": len(WordPieceTokenizer()),
    "width": 32,
    "heads": 2,
    "layers": 2,
    "tokenizer": "wordpiece",
    "pool_type": "eos",
}
BERT = {
    "model_type": "bert",
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
}
HF_TEXT = {
    "hf_model_name": "nobody/small-bert",
    "hf_tokenizer_name": "nobody/small-bert",
    "hf_proj_type": "mlp",
    "hf_pooler_type": "cls_last_hidden_state_pooler",
    "context_length": 256,
    "hf_config": BERT,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "ResNet": {
        "embed_dim": 24,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 32},
        "text_cfg": BYTE_PAIRS,
    },
    "ViT": {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 48, "layers": 3, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": TEXT,
    },
    "ViT, averaged, normalised after": {
        "embed_dim": 24,
        "custom_text": True,
        "vision_cfg": {
            "image_size": 48,
            "layers": 3,
            "width": 32,
            "head_width": 16,
            "patch_size": 16,
            "pool_type": "avg",
            "final_ln_after_pool": True,
        },
        "text_cfg": TEXT,
    },
    "CoCa": {
        "embed_dim": 32,
        "vision_cfg": {
            "image_size": 48,
            "layers": 2,
            "width": 32,
            "head_width": 16,
            "patch_size": 16,
            "attentional_pool": True,
            "attn_pooler_heads": 2,
            "output_tokens": True,
        },
        "text_cfg": {**TEXT, "embed_cls": True, "output_tokens": True},
        "multimodal_cfg": {"context_length": 20, "vocab_size": 64, "width": 32, "heads": 2, "layers": 2},
        "custom_text": True,
    },
    "timm ViT": {
        "embed_dim": 24,
        "vision_cfg": {
            "timm_model_name": "test_vit",
            "timm_pool": "",
            "timm_proj": "linear",
            "timm_model_pretrained": True,
            "image_size": 160,  # True would download
        },
        "text_cfg": HF_TEXT,
    },
    "timm, not a ViT": {
        "embed_dim": 24,
        "vision_cfg": {
            "timm_model_name": "test_convnext",
            "timm_pool": "",
            "timm_proj": "linear",
            "image_size": 64,
        },
        "text_cfg": TEXT,
        "init_logit_bias": -10,
    },
}
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *["left", "right", "lung", "##s", "liver", "the", "in", "a", "chest", "x", "-", "ray"],
]


def write_tokenizer(folder: Path) -> Path:
    """The files of a BERT tokenizer of few words, as the hub has them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    )
    return folder


def small(name: str, tmp_path: Path, **changes: Any) -> VisionLanguageEncoder:
    """An encoder in evaluation mode with random weights everywhere, also where open_clip begins with zeros."""
    config = {**CONFIGS[name], **changes}
    files = write_tokenizer(tmp_path / "tokenizer") if "hf_model_name" in config["text_cfg"] else None
    encoder = VisionLanguageEncoder(config, text_files=files).eval()
    with torch.no_grad():
        for weight in encoder.model.parameters():
            if weight.ndim:
                weight.add_(torch.randn_like(weight) * 0.05)
    return encoder
