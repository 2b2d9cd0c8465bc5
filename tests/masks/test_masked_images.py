"""Masked images as a vision-language encoder sees them, in exact numbers."""

import pytest
import torch
from segment_anything.utils.amg import batched_mask_to_box

from monai_ext.errors import InputError
from monai_ext.masks import MaskedImages
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from tests.networks.encoders.small_clip import CONFIGS

SIDE = 48  # of the encoder's square


@pytest.fixture(scope="module")
def encoder():
    return VisionLanguageEncoder(CONFIGS["ViT"]).eval()


def rectangle(height, width, rows, columns):
    mask = torch.zeros(height, width)
    mask[slice(*rows), slice(*columns)] = 1
    return mask


def shown(encoder, image, *masks, batch_size=4, **settings):
    whole = torch.stack(masks).bool()
    return list(
        MaskedImages(**settings)(encoder.prepare, image, whole, batched_mask_to_box(whole), batch_size)
    )


def displayed(encoder, masked):
    """Back in display range."""
    return masked * encoder.std + encoder.mean


def test_outside_of_the_mask_is_black(encoder):
    image = torch.rand(1, 3, SIDE, SIDE)
    mask = rectangle(SIDE, SIDE, (10, 30), (5, 20))
    (masked,) = shown(encoder, image, mask, fill="black")
    torch.testing.assert_close(displayed(encoder, masked), image * mask, atol=1e-6, rtol=0)


def test_a_pixel_half_in_the_mask_is_half_as_bright(encoder):
    image = torch.full((1, 3, SIDE, 4 * SIDE), 0.8)
    mask = rectangle(SIDE, 4 * SIDE, (0, SIDE), (0, 82))  # 4 columns become one, and 20.5 are inside
    (masked,) = shown(encoder, image, mask, fill="black")
    row = displayed(encoder, masked)[0, 0, 7]
    torch.testing.assert_close(row[:19], torch.full((19,), 0.8))
    torch.testing.assert_close(row[22:], torch.zeros(SIDE - 22), atol=1e-6, rtol=0)
    assert float(row[20]) == pytest.approx(0.4, abs=1e-6)


def test_a_crop_is_what_the_encoder_makes_of_the_box(encoder):
    image = torch.rand(1, 3, 60, 80)
    masks = rectangle(60, 80, (10, 30), (5, 25)), rectangle(60, 80, (0, 60), (0, 80))
    (crops,) = shown(encoder, image, *masks, fill="crop", crop_margin=0)
    torch.testing.assert_close(crops[:1], encoder.prepare(image[..., 10:30, 5:25]))
    torch.testing.assert_close(crops[1:], encoder.prepare(image))


def test_the_margin_of_a_crop_ends_at_the_image():
    boxes = torch.tensor([[20, 10, 29, 49], [0, 0, 79, 59]])  # 10 wide, 40 high; the whole image
    assert MaskedImages("crop", 0.25).crops(boxes, 60, 80) == [(17, 0, 33, 60), (0, 0, 80, 60)]
    assert MaskedImages("crop", 0).crops(boxes, 60, 80) == [(20, 10, 30, 50), (0, 0, 80, 60)]


def test_outside_of_the_mask_is_blurred(encoder):
    image = torch.zeros(1, 3, SIDE, SIDE)
    image[..., 24, 24] = image[..., 8, 8] = 1
    (masked,) = shown(encoder, image, rectangle(SIDE, SIDE, (20, 28), (20, 28)), fill="blur", blur=2 / SIDE)
    row = displayed(encoder, masked)[0, 0]
    weights = torch.exp(
        -0.5 * (torch.arange(-6, 7.0) / 2) ** 2
    )  # a Gaussian of two pixels, to three of its widths
    spot = torch.nn.functional.pad(torch.outer(weights, weights) / weights.sum() ** 2, (1, 1, 1, 1))
    torch.testing.assert_close(row[1:16, 1:16], spot, atol=1e-6, rtol=0)
    torch.testing.assert_close(row[20:28, 20:28], image[0, 0, 20:28, 20:28], atol=1e-6, rtol=0)


@pytest.mark.parametrize("fill", ["black", "crop", "blur"])
def test_masked_images_come_in_batches_and_do_not_depend_on_them(encoder, fill):
    torch.manual_seed(0)
    image = torch.rand(1, 3, 40, 60)
    masks = [rectangle(40, 60, (n, 20 + n), (2 * n, 30)) for n in range(5)]
    chunks = shown(encoder, image, *masks, batch_size=2, fill=fill)
    assert [chunk.shape for chunk in chunks] == [(2, 3, SIDE, SIDE)] * 2 + [(1, 3, SIDE, SIDE)]
    (whole,) = shown(encoder, image, *masks, batch_size=9, fill=fill)
    assert torch.equal(torch.cat(chunks), whole)


@pytest.mark.parametrize("wrong", [{"fill": "white"}, {"crop_margin": -0.1}, {"blur": 0}, {"blur": 0.3}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=str(next(iter(wrong.values())))):
        MaskedImages(**wrong)
