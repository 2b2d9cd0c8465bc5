from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_ext.io.colours import COLOURS
from monai_ext.io.volumes import FORMS_DISAGREE, ORIENTATION_UNKNOWN
from monai_ext.visualize.overlay import LINE, SHORTEST, overlay_picture
from tests.orientations import ALL_48, IDS, affine_of, stored_as
from tests.transforms.test_load import F


def marked(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Pixels of exactly this colour: the outline of a mask (and its legend)."""
    return (picture == np.array(colour)).all(axis=-1)


def test_a_picture_is_drawn_upright_with_one_outline_per_prompt() -> None:
    image = torch.from_numpy(F / 255.0).float().expand(3, 6, 4)
    masks = torch.zeros(2, 6, 4)
    masks[0, 0, 0], masks[1, 5, 3] = 1, 1
    picture = np.asarray(overlay_picture(image, masks, ["top left", "bottom right"], [0.9, 0.8]))
    scale = SHORTEST // 4
    assert picture.shape == (6 * scale + 2 * LINE + LINE // 2, 4 * scale, 3)
    drawn = picture[: 6 * scale]
    for index, (row, column) in enumerate([(0, 0), (5, 3)]):
        rows, columns = np.nonzero(marked(drawn, COLOURS[index]))
        assert abs(rows.mean() / scale - (row + 0.5)) < 0.1
        assert abs(columns.mean() / scale - (column + 0.5)) < 0.1
    assert (
        marked(picture[6 * scale :], COLOURS[0]).sum() == marked(picture[6 * scale :], COLOURS[1]).sum() > 100
    )


@pytest.mark.parametrize("orientation", ALL_48, ids=IDS)
def test_of_a_volume_the_fullest_slice_is_drawn_as_a_radiologist_sees_it(orientation: np.ndarray) -> None:
    volume = np.zeros((6, 8, 3))
    volume[5, 7, 1] = 1  # patient's right front, in R, A, S
    volume[0, 0, 2] = 0.4
    affine = affine_of((1.0, 1.0, 5.0))
    image = stored_as(volume, affine, orientation)[0]
    masks = MetaTensor((image.as_tensor()[:1] == 1).float(), affine=image.affine)
    picture = np.asarray(overlay_picture(image, masks, ["x"], [1.0]))
    scale = -(-SHORTEST // 6)
    rows, columns = np.nonzero(marked(picture[: 8 * scale], COLOURS[0]))
    assert rows.mean() < scale  # front at the top
    assert columns.mean() < scale  # the patient's right on the left


def test_pixels_that_are_not_square_keep_their_proportions() -> None:
    image = MetaTensor(torch.zeros(3, 10, 10, 1), affine=torch.diag(torch.tensor([1.0, 2.0, 5.0, 1.0])))
    picture = overlay_picture(image, torch.zeros(1, 10, 10, 1), ["x"], [0.0])
    assert (picture.height - LINE - LINE // 2) == 2 * picture.width


@pytest.mark.parametrize(
    ("warnings", "lines"),
    [("", 0), ("1 mm is assumed", 0), (f"no origin: {ORIENTATION_UNKNOWN}", 1), (f"x\n{FORMS_DISAGREE}", 1)],
)
def test_the_picture_says_where_sides_are_in_doubt(warnings: str, lines: int) -> None:
    image = MetaTensor(torch.zeros(3, 600, 700), meta={"warnings": warnings})
    picture = np.asarray(overlay_picture(image, torch.zeros(1, 600, 700), ["x"], [0.5]))
    assert picture.shape[0] == 600 + LINE * (1 + lines) + LINE // 2
    note = picture[600 + LINE // 4 + LINE :]
    assert marked(note, (0, 0, 0)).any() == bool(lines)
    assert not any(marked(note, colour).any() for colour in COLOURS)


def test_a_long_prompt_is_cut_to_the_picture() -> None:
    picture = overlay_picture(
        torch.zeros(3, 600, 600), torch.zeros(1, 600, 600), ["a very long sentence " * 20], [0.5]
    )
    assert picture.width == 600
    legend = np.asarray(picture)[600:, -9:]
    assert (legend == 255).all()
