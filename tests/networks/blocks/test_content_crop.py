"""Cropping finds the content, and uncropping puts the logits back exactly there."""

import torch

from monai_ext.networks.blocks.content_crop import OUTSIDE_LOGIT, content_boxes, crop_content, uncrop_content


def bright(y0, y1, x0, x1, height=40, width=60):
    image = torch.zeros(1, 3, height, width)
    image[..., y0:y1, x0:x1] = 0.7
    return image


def test_the_box_is_the_bright_part():
    assert content_boxes(bright(10, 30, 5, 45)) == [(10, 30, 5, 45)]


def test_a_black_image_is_taken_whole():
    assert content_boxes(torch.zeros(1, 3, 40, 60)) == [(0, 40, 0, 60)]


def test_a_box_is_at_least_a_quarter_of_the_image():
    assert content_boxes(bright(20, 22, 58, 60)) == [(16, 26, 45, 60)]


def test_a_few_bright_pixels_in_a_row_are_noise():
    image = bright(10, 30, 5, 45, 400, 600)
    image[0, :, 399, 0] = 1.0
    assert content_boxes(image) == [(0, 100, 0, 150)]


def test_uncropping_undoes_cropping():
    boxes = [(10, 26, 8, 24), (0, 40, 0, 60)]
    image = torch.cat([bright(10, 26, 8, 24), torch.full((1, 3, 40, 60), 0.7)])
    cropped = crop_content(image, boxes, 16)
    assert torch.allclose(cropped, torch.full((2, 3, 16, 16), 0.7))
    back = uncrop_content(cropped[:, :1], boxes, 40, 60)
    assert torch.allclose(back[0, 0, 10:26, 8:24], torch.tensor(0.7))
    assert float(back[0, 0, 9, 8]) == OUTSIDE_LOGIT
    assert torch.allclose(back[1], torch.tensor(0.7))
