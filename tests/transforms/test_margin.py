"""Even bright margins around pictures, and the even backgrounds that are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from monai_ext.transforms.margin import content_box, inside_bright_margin


def framed(level: float, top: int, below: int, left: int, right: int, channels: int = 1) -> torch.Tensor:
    """Noise of 64 x 48 pixels, not brighter than 0.5, inside a margin."""
    picture = torch.rand(channels, 64, 48, generator=torch.Generator().manual_seed(0)) / 2
    return torch.nn.functional.pad(picture, (left, right, top, below), value=level)


@pytest.mark.parametrize("level", [1.0, 0.7])
@pytest.mark.parametrize("sides", [(10, 12, 14, 16), (10, 0, 0, 0), (0, 0, 0, 9), (4, 4, 0, 0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_inside_is_found(level: float, sides: tuple[int, ...], channels: int) -> None:
    top, _, left, _ = sides
    box = inside_bright_margin(framed(level, *sides, channels=channels))
    assert box == (slice(top, top + 64), slice(left, left + 48))


@pytest.mark.parametrize("quality", [95, 50])
def test_the_noise_of_jpeg_hides_no_margin(tmp_path, quality: int) -> None:
    array = (framed(1.0, 16, 16, 16, 16)[0] * 255).round().byte().numpy()
    Image.fromarray(array).save(tmp_path / "p.jpg", quality=quality)
    shown = torch.from_numpy(np.asarray(Image.open(tmp_path / "p.jpg")) / 255.0).float()[None]
    rows, columns = inside_bright_margin(shown)
    assert (
        max(abs(rows.start - 16), abs(rows.stop - 80), abs(columns.start - 16), abs(columns.stop - 64)) <= 1
    )


def test_a_dark_margin_is_left_to_the_network() -> None:
    assert inside_bright_margin(framed(0.05, 10, 10, 10, 10)) is None


def test_a_margin_below_three_hundredths_is_the_edge_of_a_film() -> None:
    assert inside_bright_margin(framed(1.0, 0, 1, 0, 0)) is None
    assert inside_bright_margin(framed(1.0, 0, 3, 0, 0)) == (slice(0, 64), slice(0, 48))


def test_a_round_thing_on_an_even_ground_has_no_margin() -> None:
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(200.0), indexing="ij")
    cell = (y - 100) ** 2 + (x - 100) ** 2 < 60**2
    assert inside_bright_margin(torch.where(cell, 0.4, 0.9)[None]) is None


def test_an_uneven_edge_is_no_margin() -> None:
    image = framed(1.0, 10, 10, 10, 10)
    image[:, [0, -1]] -= torch.linspace(0, 0.5, 68)
    image[:, :, [0, -1]] -= torch.linspace(0, 0.5, 84)[:, None]
    assert inside_bright_margin(image) is None


def test_pictures_of_few_pixels_are_left_alone() -> None:
    assert inside_bright_margin(framed(1.0, 10, 10, 10, 10)[:, 5:36, :]) is None


def test_a_picture_all_even_has_no_inside() -> None:
    assert inside_bright_margin(torch.ones(1, 64, 64)) is None
    assert content_box(torch.zeros(8, 8, dtype=torch.bool)) is None


def test_a_box_holds_the_lines_of_which_more_than_a_hundredth_is_content() -> None:
    content = torch.zeros(200, 200, dtype=torch.bool)
    content[50:60, 20:90] = True
    content[150, :2] = True
    assert content_box(content) == (slice(50, 60), slice(20, 90))
