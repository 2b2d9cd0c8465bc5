"""Chest radiographs with turned grey levels are recognised, others are left as they are."""

from __future__ import annotations

import pytest
import torch

from monai_ext.transforms.polarity import HALF_CHEST, inverted_chest, shows_chest


def mean_chest(turned: bool = False) -> torch.Tensor:
    """(1, 128, 128): the mean chest itself, enlarged, within 0.2 and 0.9."""
    half = torch.tensor(HALF_CHEST, dtype=torch.float32)
    small = torch.cat([half, half.flip(1)], dim=1)
    scaled = 0.2 + 0.7 * (small - small.min()) / (small.max() - small.min())
    image = torch.nn.functional.interpolate(scaled[None, None], (128, 128), mode="bilinear")[0]
    return 1 - image if turned else image


def alike(correlation: float) -> torch.Tensor:
    """(1, 8, 8) within 0.2 and 0.9: the mean chest and a slope from side to side, for this correlation with it."""
    half = torch.tensor(HALF_CHEST, dtype=torch.float32)
    chest = torch.cat([half, half.flip(1)], dim=1)
    slope = (torch.arange(8) - 3.5).expand(8, 8)
    both = correlation * chest / chest.norm() + (1 - correlation**2) ** 0.5 * slope / slope.norm()
    return (0.2 + 0.7 * (both - both.min()) / (both.max() - both.min()))[None]


def test_the_mean_chest_is_given_as_differences_from_its_mean() -> None:
    assert sum(map(sum, HALF_CHEST)) == 0


@pytest.mark.parametrize(("correlation", "found"), [(-0.56, True), (-0.54, False), (0.56, False)])
def test_a_turned_chest_correlates_with_the_mean_below_minus_055(correlation: float, found: bool) -> None:
    assert inverted_chest(alike(correlation)) == ((slice(0, 8), slice(0, 8)) if found else None)


@pytest.mark.parametrize(("correlation", "found"), [(0.71, True), (0.69, False), (-0.71, False)])
def test_an_upright_chest_correlates_with_the_mean_above_07(correlation: float, found: bool) -> None:
    assert shows_chest(alike(correlation)) is found


def test_a_turned_chest_is_found_and_an_upright_one_is_not() -> None:
    assert inverted_chest(mean_chest(turned=True)) == (slice(0, 128), slice(0, 128))
    assert inverted_chest(mean_chest()) is None


def test_a_dark_border_is_not_turned() -> None:
    image = torch.zeros(1, 160, 168)
    image[:, 10:138, 30:158] = mean_chest(turned=True)
    assert inverted_chest(image) == (slice(10, 138), slice(30, 158))


@pytest.mark.parametrize("image", [torch.zeros(1, 64, 64), torch.linspace(0, 1, 64).expand(1, 64, 64)])
def test_what_is_no_chest_is_left_alone(image: torch.Tensor) -> None:
    assert inverted_chest(image) is None
    assert inverted_chest(1 - image) is None


def test_an_upright_chest_is_recognised_and_a_turned_one_is_not() -> None:
    assert shows_chest(mean_chest()) is True
    assert shows_chest(mean_chest(turned=True)) is False
    assert shows_chest(torch.zeros(1, 64, 64)) is False


@pytest.mark.parametrize(("surround", "recognised"), [(0.16, True), (0.2, False)])
def test_a_dark_surround_is_that_of_a_slice_and_not_of_a_film(surround: float, recognised: bool) -> None:
    image = mean_chest()
    corner = round(128 * (surround / 4) ** 0.5)  # of each of four squares
    for rows in (slice(0, corner), slice(128 - corner, 128)):
        for columns in (slice(0, corner), slice(128 - corner, 128)):
            image[:, rows, columns] = 0
    image[:, [0, -1]] = 0.5  # content up to the edge, so that the corners are not cut off
    image[:, :, [0, -1]] = 0.5
    assert shows_chest(image) is recognised
