"""SAM gives what segment_anything's own predictor gives; MedSAM what its paper says."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam
from skimage import transform

from monai_ext.networks.decoders.sam import SAM, MedSAM
from tests.networks.decoders.contract import DecoderContract, randomised

SMALL = {
    "encoder": {"embed_dim": 16, "depth": 2, "num_heads": 2, "global_attn_indexes": (1,), "window_size": 3},
    "image_size": 128,
    "dim": 16,
    "decoder": {"num_heads": 2, "mlp_dim": 32, "iou_dim": 16},
}


def published_shapes(name):
    return {key: tuple(value.shape) for key, value in sam_model_registry[name]().state_dict().items()}


class TestSAM(DecoderContract):
    decoder, small = SAM, SMALL
    public: ClassVar = {"vit_b": 93_735_472, "vit_l": 312_342_832, "vit_h": 641_090_608}

    def full_size(self, name):
        return SAM(name)

    def public_shapes(self, name):
        return published_shapes(name)


class TestMedSAM(DecoderContract):
    decoder, small = MedSAM, SMALL
    public: ClassVar = {"vit_b": 93_735_472}

    def full_size(self, name):
        return MedSAM(name)

    def public_shapes(self, name):
        return published_shapes(name)


@pytest.fixture
def network():
    return randomised(SAM(**SMALL), 0.1)


def predictor(network):
    return SamPredictor(Sam(network.image_encoder, network.prompt_encoder, network.mask_decoder).eval())


def picture(height, width):
    levels = np.random.randint(0, 256, (height, width, 3), dtype=np.uint8)
    return levels, torch.from_numpy(levels).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("size", [(300, 500), (90, 64), (128, 100)])
@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize("kind", ["box", "points", "box, points and mask"])
def test_masks_are_those_of_segment_anything(network, size, multimask, kind):
    levels, image = picture(*size)
    box = np.array([10.0, 20.0, 50.0, 80.0])
    coordinates, labels = np.array([[30.0, 40.0], [5.0, 6.0], [60.0, 80.0]]), np.array([1, 0, 1])
    low_mask = np.random.randn(1, 32, 32).astype(np.float32)
    theirs, ours = {}, {}
    if "box" in kind:
        theirs["box"] = box
        ours["boxes"] = torch.from_numpy(box)[None, None]
    if "points" in kind:
        theirs |= {"point_coords": coordinates, "point_labels": labels}
        ours["points"] = (torch.from_numpy(coordinates)[None, None], torch.from_numpy(labels)[None, None])
    if "mask" in kind:
        theirs["mask_input"] = low_mask
        ours["masks"] = torch.from_numpy(low_mask)[None]
    reference = predictor(network)
    reference.set_image(levels)
    masks, iou, low = reference.predict(**theirs, multimask_output=multimask, return_logits=True)
    with torch.no_grad():
        features = network.encode(image)
        our_low, _ = network.predict(features, **ours, multimask=multimask)
        our_masks, our_iou = network.decode(features, **ours, multimask=multimask)
    assert np.abs(low).max() > 0.01
    assert np.abs(our_low[0, 0].numpy() - low).max() < 1e-5
    assert np.abs(our_masks[0, 0].numpy() - masks).max() < 1e-5
    assert np.abs(our_iou[0, 0].numpy() - iou).max() < 1e-5


def test_an_unknown_encoder_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match="vit_b, vit_l, vit_h"):
        SAM("vit_g")


def test_medsam_squashes_and_stretches_each_image_to_0_1_and_does_no_more():
    network = MedSAM(**SMALL)
    image = torch.full((2, 3, 128, 128), 0.2)
    image[0, :, 32:64] = 0.6
    image[0, :, 64:] = 1.0
    ready = network.prepare(image, network.letterbox(128, 128))
    assert ready[0, 0, ::32, 0].tolist() == pytest.approx([0.0, 0.5, 1.0, 1.0], abs=1e-6)
    assert float(ready[1].abs().max()) == 0.0  # one grey level
    wide = network.prepare(torch.rand(1, 3, 30, 50), network.letterbox(30, 50))
    assert wide.shape == (1, 3, 128, 128)
    assert (float(wide.min()), float(wide.max())) == (0.0, 1.0)


def published_medsam(levels, side):
    """What MedSAM_Inference.py makes of (H, W, 3) grey levels: (side, side, 3) in [0, 1]."""
    resized = transform.resize(levels, (side, side), order=3, preserve_range=True, anti_aliasing=True)
    whole = resized.astype(np.uint8)
    return (whole - whole.min()) / np.clip(whole.max() - whole.min(), 1e-8, None)


@pytest.mark.parametrize("size", [(300, 500), (90, 64), (128, 128), (40, 260)])
def test_medsam_as_published_has_the_input_of_its_own_code(size):
    pairs = [picture(*size), picture(*size)]
    network = MedSAM(**SMALL, as_published=True)
    ready = network.prepare(torch.cat([image for _, image in pairs]), network.letterbox(*size))
    wanted = np.stack([published_medsam(levels, 128) for levels, _ in pairs])
    assert np.abs(ready.permute(0, 2, 3, 1).numpy() - wanted).max() < 1e-7


def test_medsam_by_default_resizes_quickly_and_is_off_at_edges_only():
    image = torch.zeros(1, 3, 200, 200)
    image[..., 100:, 60:] = 1
    network = MedSAM(**SMALL)
    quick = 255 * network.prepare(image, network.letterbox(200, 200))
    published = 255 * published_medsam((255 * image[0]).permute(1, 2, 0).byte().numpy(), 128)
    off = np.abs(quick[0].permute(1, 2, 0).numpy() - published)
    assert off.max() == pytest.approx(45, abs=1e-3) and off.mean() < 0.5


def test_medsam_resizes_probabilities_and_scales_boxes_along_each_axis():
    network = randomised(MedSAM(**SMALL), 0.1)
    image, box = torch.rand(1, 3, 30, 50), torch.tensor([[[5.0, 6.0, 25.0, 21.0]]])
    with torch.no_grad():
        features = network.encode(image)
        low, _ = network.predict(features, boxes=box)
        logits, _ = network.decode(features, boxes=box)
        sparse, dense = network.prompt_encoder(
            points=None, boxes=torch.tensor([[12.8, 25.6, 64.0, 89.6]]), masks=None
        )
        published, _ = network.mask_decoder(
            features.maps[0], network.prompt_encoder.get_dense_pe(), sparse, dense, multimask_output=False
        )
    assert torch.allclose(low[0], published, atol=1e-5)
    probability = torch.nn.functional.interpolate(published.sigmoid(), (30, 50), mode="bilinear")
    assert torch.allclose(logits[0].sigmoid(), probability, atol=1e-5)
