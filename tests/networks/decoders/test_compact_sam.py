"""The embedded visual-prompt decoder is small, draws boxes as masks, and learns."""

from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F

from monai_ext.networks.decoders.compact_sam import CompactSAM
from monai_ext.weights import load_weights
from tests.networks.decoders.contract import DecoderContract

LITE = "tf_efficientnet_lite0"
SMALL = {"image_size": 64, "channels": (4, 4, 8, 8, 8), "context": 1, "dim": 16, "decoder": {"num_heads": 2}}


class TestCompactSAM(DecoderContract):
    decoder, small = CompactSAM, SMALL
    public: ClassVar = {"compact-sam": 2_793_700}

    def full_size(self, name):
        return CompactSAM(image_size=192, backbone=LITE)

    def public_shapes(self, name):
        return {key: tuple(value.shape) for key, value in load_weights(name).items()}


def test_the_default_has_less_than_a_million_parameters_and_two_megabytes():
    network = CompactSAM()
    assert sum(one.numel() for one in network.parameters()) <= 1_000_000
    assert sum(2 * one.numel() for one in network.state_dict().values()) <= 2_000_000  # float16


def test_features_lie_at_stride_8_and_masks_at_stride_2():
    network = CompactSAM(**SMALL).eval()
    with torch.no_grad():
        features = network.encode(torch.rand(2, 3, 50, 70))
        low, _ = network.predict(features, boxes=torch.rand(2, 3, 4) * 50)
    assert features.maps[0].shape == (2, 16, 8, 8)
    assert low.shape == (2, 3, 1, 32, 32)


def test_on_a_backbone_features_and_masks_have_the_same_strides():
    network = CompactSAM(image_size=64, dim=16, decoder={"num_heads": 2}, backbone=LITE).eval()
    with torch.no_grad():
        features = network.encode(torch.rand(2, 3, 50, 70))
        low, _ = network.predict(features, boxes=torch.rand(2, 3, 4) * 50)
    assert features.maps[0].shape == (2, 16, 8, 8)
    assert low.shape == (2, 3, 1, 32, 32)


def test_a_box_is_drawn_as_a_mask_at_the_resolution_of_masks():
    network = CompactSAM(**SMALL)
    drawn = network.draw_boxes(torch.tensor([[10.0, 20, 29, 59], [0, 0, 63, 63], [5, 7, 5, 7]]))
    assert drawn.shape == (3, 1, 32, 32) and drawn.abs().max() <= 10
    rows, columns = (drawn[0, 0] > 0).nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 29, 5, 14)
    assert bool((drawn[1] > 0).all())
    assert drawn[2].argmax() == 3 * 32 + 2  # a single pixel is half a cell: steep, but not inside


def test_a_mask_prompt_replaces_the_drawn_box():
    network = CompactSAM(**SMALL).eval()
    image, boxes = torch.rand(1, 3, 64, 64), torch.tensor([[[10.0, 20, 29, 59]]])
    with torch.no_grad():
        alone, _ = network(image, boxes=boxes)
        same, _ = network(image, boxes=boxes, masks=network.draw_boxes(boxes[0])[:, 0][None])
        other, _ = network(image, boxes=boxes, masks=torch.randn(1, 1, 32, 32))
    assert torch.equal(alone, same)
    assert not torch.allclose(alone, other, atol=1e-3)


def test_training_steps_make_the_loss_smaller_and_reach_every_weight_that_boxes_use():
    network = CompactSAM(**SMALL).train()
    image = torch.rand(4, 3, 64, 64) * 0.3
    label = torch.zeros(4, 2, 1, 64, 64)
    boxes = torch.tensor([[8.0, 8, 32, 40], [40.0, 10, 60, 60]]).expand(4, 2, 4)
    for n, (x0, y0, x1, y1) in enumerate(boxes[0].int().tolist()):
        label[:, n, :, y0:y1, x0:x1] = 1
        image[..., y0:y1, x0:x1] += 0.3 * (n + 1)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        logits, iou = network(image, boxes=boxes)
        loss = F.binary_cross_entropy_with_logits(logits, label) + 0.1 * (iou - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    silent = {
        name.split(".")[1]
        for name, one in network.named_parameters()
        if one.grad is None or not bool(one.grad.any())
    }
    # Points and the alternatives' networks are not asked by boxes and a single mask; a box is drawn as a mask.
    assert silent <= {
        "point_embeddings",
        "not_a_point_embed",
        "no_mask_embed",
        "output_hypernetworks_mlps",
    }


def test_an_image_size_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="multiple of 32"):
        CompactSAM(image_size=100)
