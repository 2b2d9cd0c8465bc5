"""BiomedCLIP under the names of Hugging Face's CLIP is BiomedCLIP under those of open_clip, and the other way round."""

import json

import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModel

from monai_ext.errors import WeightsError
from monai_ext.weights.biomedclip_layout import to_huggingface, to_open_clip
from tests.networks.encoders.small_clip import small


@pytest.fixture
def encoder(tmp_path):
    return small("timm ViT", tmp_path)


@pytest.fixture
def keys(shared_data):
    """Names and shapes of the public BiomedCLIP, as open_clip has them."""
    path = shared_data.parent / "fixtures" / "biomedclip_openclip_keys.json"
    if not path.is_file():
        pytest.skip("needs ../shared/fixtures/biomedclip_openclip_keys.json beside the repository")
    return json.loads(path.read_text())


def shapes(state):
    return {key: list(value.shape) for key, value in state.items()}


def test_there_and_back_is_the_same(encoder):
    before = encoder.model.state_dict()
    after = to_open_clip(to_huggingface(before, "these"), "these")
    assert sorted(after) == sorted(before)
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_every_key_of_the_public_file_has_exactly_one_origin_and_its_shape(keys):
    state = {key: torch.empty(shape, device="meta") for key, shape in keys.items()}
    theirs = to_huggingface(state, "these")
    assert len(theirs) == len(keys) + 2 * 2 * 12  # 12 blocks whose weight and bias fall in three
    assert shapes(to_open_clip(theirs, "these")) == keys
    for left in (
        key for key in theirs if ".layers." not in key or ".layers.7." in key
    ):  # without one, one is missing, or its block cannot be put together
        rest = {key: value for key, value in theirs.items() if key != left}
        if ".self_attn." in left and left.startswith("vision_model") and "out_proj" not in left:
            with pytest.raises(WeightsError, match="query, key or value of"):
                to_open_clip(rest, "these")
        else:
            assert len(to_open_clip(rest, "these")) == len(keys) - 1, left


def test_names_and_shapes_are_those_that_the_authors_publish(keys):
    theirs = to_huggingface({k: torch.empty(s, device="meta") for k, s in keys.items()}, "these")
    layer, found = "encoder.layers.11", shapes(theirs)
    for key, shape in {
        "logit_scale": [],
        "vision_model.embeddings.class_embedding": [768],
        "vision_model.embeddings.position_embedding.weight": [197, 768],
        "vision_model.embeddings.patch_embedding.bias": [768],
        f"vision_model.{layer}.self_attn.k_proj.weight": [768, 768],
        f"vision_model.{layer}.mlp.fc1.weight": [3072, 768],
        "vision_model.post_layernorm.bias": [768],
        "visual_projection.weight": [512, 768],
        "text_model.embeddings.token_type_embedding.weight": [2, 768],
        "text_model.embeddings.layer_norm.weight": [768],
        f"text_model.{layer}.self_attn.out_proj.bias": [768],
        f"text_model.{layer}.layer_norm2.weight": [768],
        "text_projection.fc1.weight": [640, 768],
        "text_projection.fc2.weight": [512, 640],
    }.items():
        assert found[key] == shape, key


def test_hugging_face_s_image_tower_computes_the_same_with_the_converted_weights(encoder):
    """So query, key and value are not mixed up: an independent network, but for what BiomedCLIP does without."""
    trunk = encoder.model.visual.trunk
    width, heads = trunk.embed_dim, trunk.blocks[0].attn.num_heads
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=trunk.blocks[0].mlp.fc1.out_features,
        num_hidden_layers=len(trunk.blocks),
        num_attention_heads=heads,
        image_size=160,
        patch_size=16,
        hidden_act="gelu",
        layer_norm_eps=1e-6,
    )
    tower = CLIPVisionModel(config).eval()
    inner = getattr(tower, "vision_model", tower)
    inner.pre_layrnorm = torch.nn.Identity()
    inner.embeddings.patch_embedding = torch.nn.Conv2d(3, width, 16, 16)
    theirs = to_huggingface(encoder.model.state_dict(), "these")
    inner.load_state_dict(
        {k.removeprefix("vision_model."): v for k, v in theirs.items() if k.startswith("vision_model.")}
    )
    image = torch.rand(2, 3, 160, 160)
    with torch.no_grad():
        ours = encoder.model.visual(image)
        pooled = tower(pixel_values=image).pooler_output @ theirs["visual_projection.weight"].T
    assert torch.allclose(pooled, ours, atol=1e-5)


def test_what_transformers_counts_by_itself_is_left_out(encoder):
    before = encoder.model.state_dict()
    theirs = to_huggingface({**before, "text.transformer.embeddings.position_ids": torch.arange(9)}, "these")
    theirs |= {
        "vision_model.embeddings.position_ids": torch.arange(101)[None],
        "text_model.embeddings.token_type_ids": torch.zeros(1, 9, dtype=torch.long),
    }
    assert sorted(to_open_clip(theirs, "these")) == sorted(before)


def test_converted_weights_can_be_written_as_safetensors(encoder, tmp_path):
    theirs = to_huggingface(encoder.model.state_dict(), "these")
    save_file(theirs, tmp_path / "theirs.safetensors")
    save_file(to_open_clip(theirs, "these"), tmp_path / "ours.safetensors")


def test_a_file_of_another_layout_is_refused(encoder):
    before = encoder.model.state_dict()
    with pytest.raises(WeightsError, match=r"these: .* and \d+ more: no names of Hugging Face's CLIP"):
        to_open_clip(before, "these")
    with pytest.raises(WeightsError, match="these: a.weight: no names of open_clip's BiomedCLIP"):
        to_huggingface({**before, "a.weight": torch.ones(1)}, "these")
