"""SAM 2.1 behind the interface gives what transformers gives."""

from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers.models.sam2.image_processing_sam2 import Sam2ImageProcessor
from transformers.models.sam2_video import Sam2VideoConfig, Sam2VideoModel

from monai_ext.networks.decoders.sam2 import HIERA, SAM2, published_weights
from tests.networks.decoders.contract import DecoderContract, randomised

SMALL = {
    "encoder": {
        "hidden_size": 8,
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 4],
        "blocks_per_stage": [1, 1, 2, 1],
        "global_attention_blocks": [3],
        "window_size_per_stage": [4, 4, 4, 4],
    },
    "image_size": 128,
    "dim": 32,
    "decoder": {"num_attention_heads": 2, "mlp_dim": 32, "iou_head_hidden_dim": 16},
}


def video_model(name):
    """The whole public model, of which SAM2 takes what single images need."""
    config = Sam2VideoConfig(
        vision_config=SAM2(name).model.config.vision_config,
        enable_occlusion_spatial_embedding=True,
        enable_temporal_pos_encoding_for_object_pointers=True,
    )
    return Sam2VideoModel(config)


class TestSAM2(DecoderContract):
    decoder, small, noise = SAM2, SMALL, 0.05
    image_encoder, prompt_encoder = "model.vision_encoder", "model.prompt_encoder"
    public: ClassVar = {
        "tiny": 31_440_721,
        "small": 38_538_577,
        "base-plus": 73_328_401,
        "large": 216_924_865,
    }

    def full_size(self, name):
        return SAM2(name)

    def public_shapes(self, name):
        state = published_weights(video_model(name).state_dict())
        return {key: tuple(value.shape) for key, value in state.items()}


@pytest.fixture
def network():
    return randomised(SAM2(**SMALL), 0.05)


@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize("kind", ["boxes", "points", "boxes, points, masks", "none"])
def test_masks_are_those_of_transformers(network, kind, multimask):
    levels = np.random.randint(0, 256, (60, 100, 3), dtype=np.uint8)
    processor = Sam2ImageProcessor(size={"height": 128, "width": 128}, mask_size={"height": 32, "width": 32})
    pixels = processor(levels, return_tensors="pt")["pixel_values"]
    image = torch.from_numpy(levels).permute(2, 0, 1)[None].float() / 255
    scale = torch.tensor([128 / 100, 128 / 60])
    theirs, ours = {}, {}
    if "boxes" in kind:
        ours["boxes"] = torch.tensor([[[10.0, 20.0, 60.0, 50.0]]])
        theirs["input_boxes"] = ours["boxes"] * scale.repeat(2)
    if "points" in kind:
        ours["points"] = (torch.tensor([[[[30.0, 40.0], [5.0, 6.0]]]]), torch.tensor([[[1, 0]]]))
        theirs |= {"input_points": ours["points"][0] * scale, "input_labels": ours["points"][1]}
    if "masks" in kind:
        ours["masks"] = torch.randn(1, 1, 32, 32)
        theirs["input_masks"] = ours["masks"]
    with torch.no_grad():
        reference = network.model(pixel_values=pixels, **theirs, multimask_output=multimask)
        features = network.encode(image)
        low, iou = network.predict(features, **ours, multimask=multimask)
        logits, _ = network.decode(features, **ours, multimask=multimask)
    assert float(reference.pred_masks.abs().max()) > 0.01
    assert float((low - reference.pred_masks).abs().max()) < 1e-5
    assert float((iou - reference.iou_scores).abs().max()) < 1e-5
    enlarged = F.interpolate(reference.pred_masks[0], (60, 100), mode="bilinear", align_corners=False)
    assert float((logits[0] - enlarged).abs().max()) < 1e-5


@pytest.mark.parametrize(
    ("name", "published"), [("tiny", 38.9), ("small", 46.0), ("base-plus", 80.8), ("large", 224.4)]
)
def test_sizes_are_those_of_the_public_models(name, published):
    with torch.device("meta"):
        millions = sum(one.numel() for one in video_model(name).parameters()) / 1e6
    assert millions == pytest.approx(published, abs=0.07)  # the numbers of the authors' table


def test_an_unknown_encoder_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match=", ".join(HIERA)):
        SAM2("huge")
