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


def begun(size: int, margin: int, share: float = 1.0, lines: int = 0) -> torch.Tensor:
    """(1, size, size): a picture below a white margin; beside it are lines of which only a share is picture."""
    image = torch.linspace(0, 0.5, size).expand(1, size, size).clone()
    image[:, :margin] = 1
    image[:, margin : margin + lines, round(share * size) :] = 1
    return image


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


@pytest.mark.parametrize(("level", "found"), [(0.05, False), (0.07, True)])
def test_a_dark_margin_is_left_to_the_network(level: float, found: bool) -> None:
    image = framed(level, 10, 10, 10, 10)
    image[:, 10:74, 10:58] += 0.3
    assert inside_bright_margin(image) == ((slice(10, 74), slice(10, 58)) if found else None)


def test_a_margin_may_have_a_colour_and_the_picture_differ_in_one_channel() -> None:
    image = torch.zeros(3, 100, 100)
    image[2] = 0.5
    image[1, 20:90, 10:95] = 0.4
    assert inside_bright_margin(image) == (slice(20, 90), slice(10, 95))


@pytest.mark.parametrize(("grey", "found"), [(0.93, True), (0.95, False)])
def test_what_nearly_has_the_level_of_the_margin_is_margin(grey: float, found: bool) -> None:
    image = torch.ones(1, 100, 100)
    image[:, 10:90, 20:90] = grey
    assert inside_bright_margin(image) == ((slice(10, 90), slice(20, 90)) if found else None)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize(("thick", "found"), [(2, False), (3, True)])
def test_a_margin_below_three_hundredths_is_the_edge_of_a_film(turns: int, thick: int, found: bool) -> None:
    assert (inside_bright_margin(begun(100, thick).rot90(turns, (1, 2))) is not None) is found


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize(("share", "found"), [(0.49, False), (0.5, True)])
def test_a_margin_ends_where_half_a_line_is_picture(turns: int, share: float, found: bool) -> None:
    assert (inside_bright_margin(begun(100, 10, share, 20).rot90(turns, (1, 2))) is not None) is found


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize(
    ("size", "lines", "found"), [(200, 3, True), (200, 4, False), (60, 1, True), (60, 2, False)]
)
def test_the_picture_begins_within_a_fiftieth_of_the_side_or_two_lines(
    turns: int, size: int, lines: int, found: bool
) -> None:
    image = begun(size, 10, 0.2, lines).rot90(turns, (1, 2))
    assert (inside_bright_margin(image) is not None) is found


@pytest.mark.parametrize(("above", "below", "found"), [(0.9, 0.2, True), (0.8, 0.1, False)])
def test_the_mean_edge_of_all_margins_counts(above: float, below: float, found: bool) -> None:
    halves = [begun(100, 10, above, 5)[:, :50], begun(100, 10, below, 5)[:, :50].flip(1)]
    assert (inside_bright_margin(torch.cat(halves, dim=1)) is not None) is found


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize(("pixels", "darker", "found"), [(40, 0.03, True), (2, 0.05, True), (3, 0.05, False)])
def test_a_margin_is_even_but_for_two_hundredths_of_its_outermost_pixels(
    turns: int, pixels: int, darker: float, found: bool
) -> None:
    image = begun(100, 10).repeat(3, 1, 1)
    image[1, 0, :pixels] -= darker
    assert (inside_bright_margin(image.rot90(turns, (1, 2))) is not None) is found


def test_a_round_thing_on_an_even_ground_has_no_margin() -> None:
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(200.0), indexing="ij")
    cell = (y - 100) ** 2 + (x - 100) ** 2 < 60**2
    assert inside_bright_margin(torch.where(cell, 0.4, 0.9)[None]) is None


def test_an_uneven_edge_is_no_margin() -> None:
    image = framed(1.0, 10, 10, 10, 10)
    image[:, [0, -1]] -= torch.linspace(0, 0.5, 68)
    image[:, :, [0, -1]] -= torch.linspace(0, 0.5, 84)[:, None]
    assert inside_bright_margin(image) is None


@pytest.mark.parametrize(("size", "found"), [(31, False), (32, True)])
def test_pictures_of_few_pixels_are_left_alone(size: int, found: bool) -> None:
    for image in (begun(64, 10)[:, :size], begun(64, 10)[:, :, :size]):
        assert (inside_bright_margin(image) is not None) is found


def test_a_picture_all_even_has_no_inside() -> None:
    assert inside_bright_margin(torch.ones(1, 64, 64)) is None
    assert content_box(torch.zeros(8, 8, dtype=torch.bool)) is None


def test_a_box_holds_the_lines_of_which_more_than_a_hundredth_is_content() -> None:
    content = torch.zeros(200, 200, dtype=torch.bool)
    content[50:60, 20:90] = True
    content[150, :2] = True
    assert content_box(content) == (slice(50, 60), slice(20, 90))
    content[150, :3] = True
    assert content_box(content) == (slice(50, 151), slice(20, 90))


def test_a_line_alone_holds_no_content() -> None:
    content = torch.zeros(200, 200, dtype=torch.bool)
    content[:, 7] = True
    assert content_box(content) is None
    assert content_box(content.T) is None
