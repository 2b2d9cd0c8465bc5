"""Tokenizers from local files: their ids, what they cut, and what they say when the files are not there."""

from __future__ import annotations

import json

import pytest
import torch

from monai_ext.errors import WeightsError
from monai_ext.networks.encoders.clip_config import clip_config
from monai_ext.networks.encoders.clip_text import read_tokenizer
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from tests.networks.encoders.small_clip import BYTE_PAIRS, CONFIGS, HF_TEXT, TEXT, write_tokenizer

pytestmark = pytest.mark.usefixtures("no_network")


def config(text: dict):
    return clip_config({**CONFIGS["ViT"], "text_cfg": text})


def test_byte_pairs_are_those_of_openai_s_clip():
    ids = read_tokenizer(config(BYTE_PAIRS), None)(["a diagram", ""])
    assert ids.shape == (2, 77)
    assert ids[:, :4].tolist() == [[49406, 320, 22697, 49407], [49406, 49407, 0, 0]]


def test_a_folder_s_tokenizer_pads_to_the_context(tmp_path):
    tokenizer = read_tokenizer(config({**HF_TEXT, "context_length": 6}), write_tokenizer(tmp_path))
    # [CLS] left lung ##s [SEP] [PAD], and a sentence that is cut
    assert tokenizer(["LEFT lungs", "the left lung in a chest"]).tolist() == [
        [2, 5, 7, 8, 3, 0],
        [2, 10, 5, 7, 11, 3],
    ]


@pytest.mark.parametrize(
    ("text_cfg", "fits", "cut"),
    [
        ({**BYTE_PAIRS, "context_length": 6}, "the left lung in", "a chest"),
        ({**HF_TEXT, "context_length": 6}, "the left lung in", "a chest"),
        ({**TEXT, "context_length": 5}, "the left lung in", "a chest"),
    ],
    ids=["byte pairs", "folder", "wordpiece"],
)
def test_the_end_of_a_text_that_exceeds_the_context_is_returned(text_cfg, fits, cut, tmp_path):
    tokenizer = read_tokenizer(config(text_cfg), write_tokenizer(tmp_path))
    assert tokenizer.overflow(fits) == ""
    assert tokenizer.overflow(f"{fits} {cut}") == cut
    assert torch.equal(tokenizer([f"{fits} {cut}"]), tokenizer([fits]))


def test_the_packaged_wordpieces_end_with_the_mark_that_a_causal_tower_reads():
    from monai_ext.networks.language.tokenizer import WordPieceTokenizer

    words = WordPieceTokenizer()
    encoder = VisionLanguageEncoder(CONFIGS["ViT"]).eval()
    ids = encoder.tokenizer(["left lung", "liver"])
    left, lung, liver = (words.ids[word] for word in ("left", "lung", "liver"))
    assert ids.shape == (2, 20)
    assert ids[:, :4].tolist() == [[left, lung, 2, 0], [liver, 2, 0, 0]]
    with torch.no_grad():
        one, two = encoder.encode_text(["left lung", "right lung"])
    assert not torch.allclose(one, two, atol=1e-4)


def test_without_its_files_a_model_sees_but_says_what_to_fetch_for_texts():
    encoder = VisionLanguageEncoder(CONFIGS["timm ViT"]).eval()
    encoder.encode_image(torch.rand(1, 3, 32, 32))
    with pytest.raises(
        WeightsError, match="fetch the tokenizer's files of 'nobody/small-bert' .* text_files"
    ):
        encoder.encode_text(["liver"])


@pytest.mark.parametrize("content", [None, "no JSON"])
def test_a_folder_without_readable_files_is_refused_at_once(content, tmp_path):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(WeightsError, match=rf"no readable tokenizer in {tmp_path.name} .* fetch .* again"):
        VisionLanguageEncoder(CONFIGS["timm ViT"], text_files=tmp_path)


def test_code_beside_a_tokenizer_is_never_run_whatever_the_config_asks_for(tmp_path):
    write_tokenizer(tmp_path)
    settings = {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}, "tokenizer_class": "Tokenizer"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    canary = tmp_path / "canary"
    (tmp_path / "evil.py").write_text(f"open({str(canary)!r}, 'w')")
    with pytest.raises(WeightsError, match="no readable tokenizer"):
        read_tokenizer(config({**HF_TEXT, "tokenizer_kwargs": {"trust_remote_code": True}}), tmp_path)
    assert not canary.exists()
