"""The embedded decoder really segments: what boxes and points show it, on the sample image and on real images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_ext.data.datasets import read_split
from monai_ext.data.simulated_prompts import centre_point
from monai_ext.transforms import DisplayRanged, MedicalLoadImaged
from monai_ext.transforms.simulated_prompts import ObjectPrompts
from monai_ext.weights.registry import REGISTRY, embedded_file, registered
from tests.networks.embedded import embedded_network

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
LOADED = MedicalLoadImaged(("image", "label"), allow_missing_keys=True)
SHOWN = DisplayRanged("image")


@pytest.fixture(scope="module")
def decoder():
    return embedded_network("clip_sam").decoder


def dice(one, other):
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def test_the_file_is_small_enough_to_be_embedded():
    assert embedded_file(registered("compact-sam"), REGISTRY).stat().st_size <= 6e6


@torch.no_grad()
def test_a_box_around_the_tumour_of_the_sample_gives_a_mask_at_its_position(decoder):
    image = torch.as_tensor(SHOWN(LOADED({"image": SAMPLES / "breast_ultrasound.png"}))["image"])
    row, column = 169, 253  # the middle of the tumour, as the text-prompted weights are tested by
    box = torch.tensor([[[column - 70.0, row - 50.0, column + 70.0, row + 50.0]]])
    logits, iou = decoder(image[None], boxes=box)
    rows, columns = np.nonzero(logits[0, 0, 0].numpy() > 0)
    assert (rows.mean(), columns.mean()) == pytest.approx((row, column), abs=20)
    assert float(iou) > 0.4


@pytest.mark.parametrize(
    ("name", "count", "boxed", "pointed"),
    [
        ("cxr_lung_shenzhen", 8, 0.9, 0.6),  # a point lies in one of two lungs
        ("us_breast_busi", 12, 0.78, 0.6),
        ("endo_polyp_kvasir", 12, 0.78, 0.5),
    ],
)
@torch.no_grad()
def test_dice_on_real_validation_images(decoder, shared_data, name, count, boxed, pointed):
    scores = []
    for item in read_split(shared_data, "validation", [name])[:count]:
        label = np.asarray(Image.open(item["label"]))
        if not label.any():
            continue
        texts = {"prompt": [""], "target": [""], "values": ["1"]}
        data = ObjectPrompts(jitter=0.1)(SHOWN(LOADED({**item, **texts})))
        truth = torch.as_tensor(data["label"])[0] > 0
        features = decoder.encode(torch.as_tensor(data["image"])[None])
        box, _ = decoder.decode(features, boxes=data["boxes"][None])
        points = centre_point(truth)[None, None, None], torch.ones(1, 1, 1, dtype=torch.int32)
        several, iou = decoder.decode(features, points=points, multimask=True)
        scores.append((dice(box[0, 0, 0] > 0, truth), dice(several[0, 0, iou.argmax()] > 0, truth)))
    assert np.mean(scores, axis=0)[0] >= boxed
    assert np.mean(scores, axis=0)[1] >= pointed
