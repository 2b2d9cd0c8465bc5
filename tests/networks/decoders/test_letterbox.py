"""Prompts arrive at the right position of the square, and masks come back to where they were."""

import pytest
import torch

from monai_ext.networks.blocks.content_crop import OUTSIDE_LOGIT
from monai_ext.networks.decoders.letterbox import Letterbox

LETTERBOXES = {
    "squash": Letterbox.squash(300, 500, 1024),
    "longest side": Letterbox.longest_side(300, 500, 1024),
    "padded around the centre": Letterbox.centred(150, 200, 256),
    "squashed by SAM-Med2D": Letterbox.centred(300, 500, 256),
}


def test_a_squashed_box_is_scaled_along_each_axis():
    box = LETTERBOXES["squash"].boxes(torch.tensor([50.0, 75.0, 250.0, 225.0]))
    assert box.tolist() == pytest.approx([102.4, 256.0, 512.0, 768.0], abs=1e-4)


def test_the_longest_side_fits_and_one_scale_serves_both_axes():
    letterbox = LETTERBOXES["longest side"]
    assert (letterbox.inner_height, letterbox.inner_width, letterbox.top, letterbox.left) == (614, 1024, 0, 0)
    box = letterbox.boxes(torch.tensor([50.0, 75.0, 250.0, 225.0]))
    assert box.tolist() == pytest.approx([102.4, 75 * 614 / 300, 512.0, 225 * 614 / 300], abs=1e-4)


def test_a_small_image_is_shifted_to_the_centre_unscaled():
    letterbox = LETTERBOXES["padded around the centre"]
    box = letterbox.boxes(torch.tensor([10.0, 20.0, 110.0, 120.0]))
    assert (letterbox.top, letterbox.left) == (53, 28)
    assert box.tolist() == [38.0, 73.0, 138.0, 173.0]


@pytest.mark.parametrize(("height", "width"), [(300, 500), (256, 40), (255, 256)])
def test_an_image_with_one_long_side_is_squashed_by_sam_med2d(height, width):
    assert Letterbox.centred(height, width, 256) == Letterbox.squash(height, width, 256)


def test_coordinates_are_those_of_segment_anything():
    numpy = pytest.importorskip("numpy")
    from segment_anything.utils.transforms import ResizeLongestSide

    boxes = torch.rand(7, 4) * 300
    theirs = ResizeLongestSide(1024).apply_boxes(boxes.numpy(), (300, 500))
    ours = LETTERBOXES["longest side"].boxes(boxes)
    assert numpy.abs(ours.numpy() - theirs).max() < 1e-3  # of 1024 pixels, in float32


@pytest.mark.parametrize("letterbox", LETTERBOXES.values(), ids=LETTERBOXES)
def test_an_image_and_a_box_around_its_content_arrive_together(letterbox):
    x0, y0, x1, y1 = 40, 30, 120, 90
    image = torch.zeros(1, 1, letterbox.height, letterbox.width)
    image[..., y0:y1, x0:x1] = 1
    inner = torch.nn.functional.interpolate(
        image, (letterbox.inner_height, letterbox.inner_width), mode="nearest"
    )
    rows, columns = (
        (letterbox.pad(inner)[0, 0] > 0).any(1).nonzero(),
        (letterbox.pad(inner)[0, 0] > 0).any(0).nonzero(),
    )
    found = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
    box = letterbox.boxes(torch.tensor([x0, y0, x1, y1])).tolist()
    assert found == pytest.approx(box, abs=1.0)


@pytest.mark.parametrize("letterbox", LETTERBOXES.values(), ids=LETTERBOXES)
def test_a_mask_that_goes_to_the_square_comes_back_to_its_position(letterbox):
    mask = torch.full((1, 2, letterbox.height, letterbox.width), -8.0)
    mask[0, 0, 30:90, 40:120] = 8.0
    mask[0, 1, 100:, 150:] = 8.0
    back = letterbox.to_image(letterbox.to_square(mask, letterbox.side // 2))
    assert back.shape == mask.shape
    wrong = ((back > 0) != (mask > 0)).float().sum((2, 3))[0]
    edge = torch.tensor([2 * (60 + 80), (letterbox.height - 100) + (letterbox.width - 150)])
    assert bool((wrong <= 0.25 * edge).all())  # less than half a pixel of the low resolution along the edge


def test_nothing_of_a_mask_is_in_the_padding():
    square = LETTERBOXES["longest side"].to_square(torch.full((1, 1, 300, 500), 9.0), 256)
    assert float(square[0, 0, 152, 255]) == pytest.approx(9.0, abs=1e-4)
    assert float(square[0, 0, 155:].max()) == pytest.approx(OUTSIDE_LOGIT, abs=1e-4)


def test_the_way_back_is_that_of_segment_anything():
    from segment_anything.modeling import Sam

    low = torch.randn(2, 3, 256, 256)
    sam = Sam.postprocess_masks
    letterbox = LETTERBOXES["longest side"]
    whole = type("Sam", (), {"image_encoder": type("Encoder", (), {"img_size": 1024})})
    assert torch.equal(letterbox.to_image(low), sam(whole, low, (614, 1024), (300, 500)))
