"""SAM-Med2D is the authors' network (reference outputs in ../shared/fixtures), and takes images as it was trained to."""

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from monai_ext.networks.decoders.base import EncodedImages
from monai_ext.networks.decoders.sam_med2d import SAMMed2D
from tests.networks.decoders.contract import DecoderContract

FIXTURES = Path(__file__).resolve().parents[4] / "shared" / "fixtures"
SMALL = {
    "encoder": {"embed_dim": 32, "depth": 3, "num_heads": 4, "global_attn_indexes": (1,), "window_size": 3},
    "image_size": 64,
    "dim": 32,
    "decoder": {"num_heads": 4, "mlp_dim": 64, "iou_dim": 32},
}


def fixture(name):
    if not (FIXTURES / name).is_file():
        pytest.skip(f"needs ../shared/fixtures/{name} beside the repository")
    return FIXTURES / name


class TestSAMMed2D(DecoderContract):
    decoder, small = SAMMed2D, SMALL
    public: ClassVar = {"sam-med2d_b.pth": 271_241_776}

    def full_size(self, name):
        return SAMMed2D()

    def public_shapes(self, name):
        keys = json.loads(fixture("sam_med2d_b_keys.json").read_text())
        return {key: tuple(shape) for key, shape in keys.items()}


@pytest.fixture(scope="module")
def reference():
    with np.load(fixture("sam_med2d.npz")) as content:
        return {key: torch.from_numpy(content[key]) for key in content.files}


@pytest.fixture(scope="module")
def network(reference):
    network = SAMMed2D(**SMALL).eval()
    network.load_state_dict({key[2:]: value for key, value in reference.items() if key.startswith("w|")})
    return network


def largest(a, b):
    assert a.shape == b.shape
    return float((a - b).abs().max())


def test_the_image_encoder_is_the_authors(network, reference):
    with torch.no_grad():
        assert largest(network.image_encoder(reference["x"]), reference["emb"]) < 1e-5


@pytest.mark.parametrize("kind", ["box", "pt", "box_pt", "none", "mask_pt"])
def test_every_kind_of_prompt_gives_the_authors_masks(network, reference, kind):
    prompts = {}
    if "box" in kind:
        prompts["boxes"] = reference["box"]
    if "pt" in kind:
        prompts["points"] = (reference["pts"][:, None], reference["lab"][:, None])
    if "mask" in kind:  # theirs are probabilities
        prompts["masks"] = torch.logit(reference["mask_pt|mask_input"])
    features = EncodedImages((reference["emb"],), network.letterbox(64, 64))
    with torch.no_grad():
        low, iou = network.predict(features, **prompts, multimask=True)
        best, best_iou = network.predict(features, **prompts)
    assert largest(low[:, 0], reference[f"{kind}|low"]) < 1e-5
    assert largest(iou[:, 0], reference[f"{kind}|iou"]) < 1e-5
    assert largest(best[:, 0], reference[f"{kind}|sel"]) < 1e-5
    assert largest(best_iou[:, 0, 0], reference[f"{kind}|iou"].amax(1)) < 1e-5


def test_two_thirds_of_the_parameters_are_those_of_the_adapters():
    with torch.device("meta"):
        network = SAMMed2D()
    adapters = [one for key, one in network.named_parameters() if ".Adapter." in key]
    assert sum(one.numel() for one in adapters) == pytest.approx(180.5e6, abs=5e3)


def test_a_small_image_lies_in_the_centre_of_zeros():
    network = SAMMed2D(**SMALL)
    ready = network.prepare(torch.ones(1, 3, 20, 40), network.letterbox(20, 40))
    white = (255 - 123.675) / 58.395
    assert ready.shape == (1, 3, 64, 64)
    assert ready[0, 0, 22:42, 12:52].flatten().tolist() == pytest.approx([white] * 800, abs=1e-5)
    ready[:, :, 22:42, 12:52] = 0
    assert float(ready.abs().max()) == 0.0


def test_a_larger_image_is_squashed_without_interpolation():
    network = SAMMed2D(**SMALL)
    image = torch.zeros(1, 3, 128, 32)
    image[:, :, ::2] = 1.0
    ready = network.prepare(image, network.letterbox(128, 32))
    assert ready.shape == (1, 3, 64, 64)
    assert torch.allclose(ready[0, 1], torch.tensor((255 - 116.28) / 57.12))


def test_the_order_of_colours_can_be_that_of_its_training():
    image = torch.rand(1, 3, 64, 64)
    network, swapped = SAMMed2D(**SMALL), SAMMed2D(**SMALL, bgr=True)
    letterbox = network.letterbox(64, 64)
    assert torch.equal(network.prepare(image, letterbox), swapped.prepare(image.flip(1), letterbox))
