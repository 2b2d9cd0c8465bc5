"""The embedded encoder of CLIP-SAM really sees: maps of texts, presence and regions, on real validation images."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from segment_anything.utils.amg import batched_mask_to_box

from monai_ext.data.absence import absent_targets
from monai_ext.data.datasets import read_split
from monai_ext.masks import MaskedImages
from monai_ext.prompts.library import PromptLibrary
from tests.networks.embedded import embedded_network

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "samples" / "breast_ultrasound.png"
LIBRARY = PromptLibrary.load()


@pytest.fixture(scope="module")
def encoder():
    return embedded_network("clip_sam").encoder


def read(path):
    array = np.asarray(Image.open(path).convert("RGB"))
    return torch.tensor(array).permute(2, 0, 1)[None].float() / 255


def labelled(shared_data, name, count):
    """Images (1, 3, H, W), masks (H, W) and sentences of the first cases of a list whose target is there."""
    for item in read_split(shared_data, "validation", [name])[:count]:
        mask = torch.tensor(np.asarray(Image.open(item["label"])) > 0)
        if mask.any():
            yield read(item["image"]), mask, LIBRARY.canonical(next(iter(item["targets"])), item["modality"])


@torch.no_grad()
def text_map(encoder, image, text):
    tokens = encoder.encode_image(image).tokens[0]
    scores = encoder.text_map(tokens, encoder.encode_text([text])[0])
    return F.interpolate(scores[None, None], image.shape[-2:], mode="bilinear")[0, 0]


def test_of_the_sample_the_text_is_found_at_the_tumour_and_nothing_else_is(encoder):
    image = read(SAMPLE)
    scores = text_map(encoder, image, "tumour in a breast ultrasound")
    row, column = divmod(int(scores.argmax()), scores.shape[1])
    assert (row, column) == pytest.approx((169, 253), abs=60)
    for other in ("polyp", "lungs in a chest X-ray"):
        assert bool((text_map(encoder, image, other) < 0).all()), other
    liver = text_map(encoder, image, "liver in a CT scan")
    assert float((liver > 0).float().mean()) < 0.02 and float(liver.max()) < float(scores.max()) - 2


@pytest.mark.parametrize(
    ("name", "dice", "pointing"),
    [("cxr_lung_shenzhen", 0.85, 1.0), ("us_breast_busi", 0.5, 0.7), ("endo_polyp_kvasir", 0.5, 0.7)],
)
def test_maps_of_texts_lie_on_what_they_name(encoder, shared_data, name, dice, pointing):
    overlaps, hits = [], []
    for image, mask, text in labelled(shared_data, name, 12):
        scores = text_map(encoder, image, text)
        found = scores > 0
        overlaps.append(float(2 * (found & mask).sum() / (found.sum() + mask.sum())))
        hits.append(bool(mask.flatten()[scores.argmax()]))
    assert np.mean(overlaps) >= dice
    assert np.mean(hits) >= pointing


def test_what_is_there_is_more_like_the_image_than_what_is_not(encoder, shared_data):
    for image, _, text in labelled(shared_data, "cxr_lung_shenzhen", 6):
        absent = absent_targets("xray", frozenset(["chest"]), LIBRARY, "canonical")
        others = [text for one in absent for text in one.sentences]
        with torch.no_grad():
            likeness = encoder.encode_text([text, *others]) @ encoder.encode_image(image).embedding[0]
        assert float(likeness[0]) > float(likeness[1:].max()) + 0.1


def test_lungs_are_chosen_before_their_surroundings(encoder, shared_data):
    for image, mask, text in labelled(shared_data, "cxr_lung_shenzhen", 6):
        regions = torch.stack([mask, ~mask])
        boxes = batched_mask_to_box(regions)
        (masked,) = MaskedImages("black")(encoder.prepare, image, regions, boxes, 2)
        with torch.no_grad():
            likeness = encoder.encode_prepared(masked).embedding @ encoder.encode_text([text])[0]
        assert float(likeness[0]) > float(likeness[1])
