"""Which model a name, a file or a dict means, and that it is built without the network."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from monai_ext.errors import InputError, WeightsError
from monai_ext.networks.encoders.clip_config import BIOMEDCLIP, HUB, PUBLISHED, build_clip, clip_config
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from tests.networks.encoders.small_clip import CONFIGS, HF_TEXT, write_tokenizer

pytestmark = pytest.mark.usefixtures("no_network")

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)


def test_the_guard_of_these_tests_bites(no_network):
    from huggingface_hub import HfApi

    with pytest.raises(Exception, match="no test may use the network"):
        HfApi().model_info("bert-base-uncased")
    assert no_network
    no_network.clear()


def test_the_paper_s_names_stand_for_these_models():
    assert {name: tuple(entry) for name, entry in PUBLISHED.items()} == {
        "OA-RN50": ("RN50", True, "openai"),
        "OA-RN101": ("RN101", True, "openai"),
        "OA-ViT-B": ("ViT-B-16", True, "openai"),
        "OA-ViT-L": ("ViT-L-14", True, "openai"),
        "CC-RN50": ("RN50", True, "cc12m"),
        "LA-ViT-B": ("ViT-B-16", False, "laion400m_e32"),
        "BC-ViT-B": ("ViT-B-16", False, "hf-hub:imageomics/bioclip"),
        "BiomedCLIP": (
            "BiomedCLIP",
            False,
            "hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        ),
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_quick_gelu_is_what_the_weights_were_trained_with(name):
    from open_clip.pretrained import get_pretrained_cfg

    entry = PUBLISHED[name]
    assert clip_config(name).model.get("quick_gelu", False) == entry.quick_gelu
    if not entry.weights.startswith(HUB):
        tag = get_pretrained_cfg(entry.architecture, entry.weights)
        assert tag.get("quick_gelu", False) == entry.quick_gelu


@pytest.mark.parametrize(
    ("name", "pretrained", "quick_gelu"),
    [
        ("ViT-B-16", None, False),
        ("ViT-B-16-quickgelu", None, True),
        ("ViT-B-16", "openai", True),
        ("ViT-B-16", "laion400m_e32", False),
        ("ViT-B-32", "laion400m_e32", True),
        ("RN50", "cc12m", True),
        ("RN50-quickgelu", "openai", True),
    ],
)
def test_the_tag_of_the_weights_decides_quick_gelu(name, pretrained, quick_gelu):
    assert clip_config(name, pretrained).model.get("quick_gelu", False) == quick_gelu


@pytest.mark.parametrize("quick_gelu", [True, False])
def test_the_config_decides_the_activation_of_the_network(quick_gelu):
    from open_clip.transformer import QuickGELU

    model = build_clip(clip_config({**CONFIGS["ViT"], "quick_gelu": quick_gelu}))
    assert any(isinstance(m, QuickGELU) for m in model.modules()) == quick_gelu


def test_mean_and_std_are_those_of_the_weights():
    assert clip_config("ViT-L-14").mean == OPENAI_MEAN
    assert clip_config("ViT-L-14", "laion2b_s32b_b82k").mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_full_size_models_are_built_on_the_meta_device(name):
    with torch.device("meta"):
        encoder = VisionLanguageEncoder(name)
    assert all(weight.is_meta for weight in encoder.model.parameters())
    assert encoder.image_size == (224, 224)


def test_biomedclip_has_the_keys_and_shapes_of_the_public_file(shared_data):
    keys = json.loads((shared_data.parent / "fixtures" / "biomedclip_openclip_keys.json").read_text())
    with torch.device("meta"):
        encoder = VisionLanguageEncoder("BiomedCLIP")
    assert {key: list(value.shape) for key, value in encoder.model.state_dict().items()} == keys


def test_old_keys_of_the_hub_s_config_are_renamed():
    content = json.loads(BIOMEDCLIP.read_text())
    text = content["model_cfg"]["text_cfg"]
    wanted = clip_config("BiomedCLIP").model
    text["proj"], text["pooler_type"] = text.pop("hf_proj_type"), text.pop("hf_pooler_type")
    del text["hf_config"]
    assert clip_config(content).model == wanted
    text["hf_model_name"] = "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract"  # its name before
    assert clip_config(content).model["text_cfg"]["hf_config"] == wanted["text_cfg"]["hf_config"]


def test_a_folder_of_the_hub_s_files_is_all_that_is_needed(tmp_path):
    write_tokenizer(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(HF_TEXT["hf_config"]))
    text = {key: value for key, value in HF_TEXT.items() if key != "hf_config"}
    model = {**CONFIGS["timm ViT"], "text_cfg": text}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": {}}))
    encoder = VisionLanguageEncoder(tmp_path)
    assert encoder.encode_text(["left lung"]).shape == (1, 24)
    assert encoder.config.name == tmp_path.name


def test_a_folder_that_is_called_like_a_model_is_not_mistaken_for_it(tmp_path, monkeypatch):
    (tmp_path / "RN50").mkdir()
    monkeypatch.chdir(tmp_path)
    assert clip_config("RN50").model["embed_dim"] == 1024
    with pytest.raises(InputError, match="open_clip_config.json: no readable config"):
        clip_config("./RN50")


def test_a_config_may_be_a_file_of_the_model_alone_and_is_not_changed(tmp_path):
    (tmp_path / "small.json").write_text(json.dumps(CONFIGS["ViT"]))
    before = json.dumps(CONFIGS["ViT"])
    assert clip_config(tmp_path / "small.json").model == clip_config(CONFIGS["ViT"]).model
    build_clip(clip_config(CONFIGS["ViT"]))
    assert json.dumps(CONFIGS["ViT"]) == before


@pytest.mark.parametrize(
    ("model", "pretrained", "message"),
    [
        ("ViT-B16", None, "no vision-language model 'ViT-B16'; near it are ViT-B-16"),
        ("OA-ViTB", None, "no vision-language model 'OA-ViTB'; near it are OA-ViT-B"),
        ("RN50", "laion", "RN50: open_clip knows no weights 'laion' of it; known are openai, yfcc15m, cc12m"),
        ("OA-RN50", "openai", "OA-RN50: pretrained='openai' goes with a name of open_clip"),
        ("nowhere.json", None, "nowhere.json: no readable config of a model (No such file"),
        ({"embed_dim": 8}, None, "config: model_cfg lacks vision_cfg, text_cfg"),
        ({"model_cfg": CONFIGS["ViT"], "preprocess_cfg": {"interpolation": "x"}}, None, "interpolation 'x'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(model, pretrained, message):
    with pytest.raises(InputError) as caught:
        clip_config(model, pretrained)
    assert message in str(caught.value)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_file_that_is_no_config_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=r"^a\.json: "):
        clip_config(tmp_path / "a.json")


@pytest.mark.parametrize(
    "vision", [{"widht": 3}, {"timm_model_name": "no_such_vit"}, {"pool_type": "sum"}], ids=str
)
def test_what_open_clip_cannot_build_is_an_input_error(vision):
    model = {**CONFIGS["ViT"], "vision_cfg": {**CONFIGS["ViT"]["vision_cfg"], **vision}}
    with pytest.raises(InputError, match="config: open_clip cannot build this model"):
        build_clip(clip_config(model))


def test_a_text_tower_without_a_config_says_what_to_fetch(tmp_path):
    with pytest.raises(WeightsError, match=r"fetch config\.json .* of 'roberta-base'"):
        clip_config("roberta-ViT-B-32")
    (tmp_path / "config.json").write_text(json.dumps(HF_TEXT["hf_config"]))
    assert clip_config("roberta-ViT-B-32", text_files=tmp_path).text["hf_config"] == HF_TEXT["hf_config"]


def test_the_table_of_names_needs_neither_torch_nor_open_clip():
    code = (
        "import sys; from monai_ext.networks.encoders.clip_config import PUBLISHED;"
        "print({'torch', 'open_clip', 'timm', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
