"""The picture of how a result came about shows each stage in its panel."""

import numpy as np
import pytest

from monai_ext.visualize.explanation import (
    COARSE,
    GAP,
    LINE,
    PANEL,
    RESULT,
    Explanation,
    explanation_picture,
)

SIZE = 32
SCALE = PANEL // SIZE


def explanation(**changed):
    coarse, mask = np.zeros((2, SIZE, SIZE), dtype=bool)
    coarse[4:20, 4:20] = True
    mask[6:18, 6:18] = True
    saliency = np.zeros((8, 8), dtype=np.float16)
    saliency[1:5, 1:5] = 1
    values = {
        "prompt": "a thing",
        "presence": 0.875,
        "saliency": saliency,
        "coarse": coarse,
        "boxes": np.array([[4.0, 4.0, 19.0, 19.0]]),
        "points": np.array([[10.0, 28.0]]),
        "mask": mask,
    }
    return Explanation(**{**values, **changed})


def at(picture, column, row, x):
    """The colour in the middle of a pixel of the image, in one of the four panels."""
    left = GAP + column * (PANEL + GAP)
    return np.array(picture.getpixel((left + x * SCALE + SCALE // 2, 2 * LINE + row * SCALE + SCALE // 2)))


def test_each_stage_is_in_its_panel():
    image = np.full((SIZE, SIZE, 3), 0.5)
    picture = explanation_picture(image, [explanation()])
    assert picture.size == (4 * (PANEL + GAP) + GAP, 2 * LINE + PANEL + GAP)
    assert at(picture, 0, 10, 10).tolist() == [128, 128, 128]
    assert at(picture, 1, 10, 10)[0] > 180 > 100 > at(picture, 1, 10, 10)[2]  # the colour of heat
    assert at(picture, 1, 30, 30).tolist() == [128, 128, 128]
    for column, colour, inside in ((2, COARSE, 15), (3, RESULT, 12)):
        mixed = at(picture, column, inside, inside)
        assert np.abs(mixed - (0.7 * 127.5 + 0.3 * colour)).max() <= 1
        assert at(picture, column, 25, 25).tolist() == [128, 128, 128]
    assert at(picture, 2, 28, 10).tolist() != [128, 128, 128]  # the point


def test_prompts_lie_one_below_the_other_and_narrow_pixels_are_stretched():
    rows = [explanation(), explanation(mask=np.zeros((SIZE, SIZE), dtype=bool), note="judged absent")]
    tall = explanation_picture(np.zeros((SIZE, SIZE, 3)), rows, size=(64, 32))
    assert tall.size == (4 * (PANEL // 2 + GAP) + GAP, 2 * (2 * LINE + PANEL + GAP))


@pytest.mark.parametrize("size", [(1, 400), (400, 1)])
def test_boxes_of_one_pixel_in_a_very_narrow_image_are_drawn(size):
    one = explanation(
        coarse=np.ones(size, dtype=bool),
        mask=np.ones(size, dtype=bool),
        boxes=np.array([[0.0, 0.0, 0.0, 0.0]]),
    )
    assert explanation_picture(np.zeros((*size, 3)), [one]).size[0] > 0
