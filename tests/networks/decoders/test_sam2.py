"""SAM 2.1 behind the interface gives what transformers gives."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers.models.sam2.image_processing_sam2 import Sam2ImageProcessor
from transformers.models.sam2_video import Sam2VideoConfig, Sam2VideoModel

from monai_ext.networks.decoders.sam2 import HIERA, SAM2, published_weights

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


@pytest.fixture
def network():
    network = SAM2(**SMALL)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return network.eval()


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


def test_several_boxes_of_several_images_get_what_they_would_alone(network):
    image, boxes = torch.rand(2, 3, 60, 100), torch.rand(2, 3, 4) * 60
    tokens = torch.randn(2, 3, 32)
    with torch.no_grad():
        together, _ = network(image, boxes=boxes, tokens=tokens, multimask=True)
        plain, _ = network(image, boxes=boxes, multimask=True)
        for b in range(2):
            for n in range(3):
                one, _ = network(
                    image[b : b + 1],
                    boxes=boxes[b : b + 1, n : n + 1],
                    tokens=tokens[b : b + 1, n : n + 1],
                    multimask=True,
                )
                assert torch.allclose(together[b, n], one[0, 0], atol=1e-5)
    assert together.shape == (2, 3, 3, 60, 100)
    assert not torch.allclose(together, plain, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "published"), [("tiny", 38.9), ("small", 46.0), ("base-plus", 80.8), ("large", 224.4)]
)
def test_sizes_are_those_of_the_public_models(name, published):
    with torch.device("meta"):
        network = SAM2(name)
        whole = Sam2VideoModel(
            Sam2VideoConfig(
                vision_config=network.model.config.vision_config,
                enable_occlusion_spatial_embedding=True,
                enable_temporal_pos_encoding_for_object_pointers=True,
            )
        )
    millions = sum(one.numel() for one in whole.parameters()) / 1e6
    assert millions == pytest.approx(published, abs=0.07)  # the numbers of the authors' table
    converted = published_weights(whole.state_dict())
    assert {key: value.shape for key, value in converted.items()} == {
        key: value.shape for key, value in network.state_dict().items()
    }


def test_autocast_does_not_move_prompts(network):
    seen = []
    network.model.prompt_encoder.register_forward_hook(lambda module, given, result: seen.append(result[0]))
    image, boxes = torch.rand(1, 3, 60, 100), torch.rand(1, 2, 4) * 60
    with torch.no_grad():
        network(image, boxes=boxes)
        with torch.autocast("cpu", torch.bfloat16):
            logits, _ = network(image, boxes=boxes)
    assert torch.equal(seen[0], seen[1])
    assert logits.dtype == torch.float32


def test_an_unknown_encoder_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match=", ".join(HIERA)):
        SAM2("huge")
