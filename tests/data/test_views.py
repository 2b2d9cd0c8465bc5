"""Views show a region and hide the rest; altered regions stay close to what they were."""

import pytest
import torch
from numpy.random import RandomState

from monai_ext.data.views import FILLS, altered, elsewhere, view


@pytest.fixture
def picture():
    return torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1


@pytest.fixture
def region():
    found = torch.zeros(64, 64, dtype=torch.bool)
    found[20:40, 10:30] = True
    return found


def test_black_keeps_the_region_and_nothing_else(picture, region):
    shown, box = view(picture, region, "black")
    assert torch.equal(shown[:, region], picture[:, region])
    assert not shown[:, ~region].any()
    assert box == (0, 64, 0, 64)


def test_blur_keeps_the_region_and_flattens_the_rest(picture, region):
    shown, _ = view(picture, region, "blur")
    assert torch.equal(shown[:, region], picture[:, region])
    assert float(shown[:, ~region].std()) < 0.35 * float(picture[:, ~region].std())


def test_a_crop_shows_the_box_and_a_margin(picture, region):
    shown, (y0, y1, x0, x1) = view(picture, region, "crop", margin=0.2)
    assert (y0, y1, x0, x1) == (14, 46, 4, 36)  # 20 % of 20 and two pixels more
    assert shown.shape == picture.shape
    assert torch.allclose(shown[:, ::2, ::2].mean(), picture[:, y0:y1, x0:x1].mean(), atol=0.02)


def test_a_crop_stays_inside_the_picture(picture):
    whole = torch.ones(64, 64, dtype=torch.bool)
    assert torch.allclose(view(picture, whole, "crop")[0], picture)


@pytest.mark.parametrize("fill", FILLS)
def test_one_pixel_can_be_shown(picture, fill):
    region = torch.zeros(64, 64, dtype=torch.bool)
    region[0, 63] = True
    shown, _ = view(picture, region, fill)
    assert torch.isfinite(shown).all()


def test_altered_regions_overlap_with_the_mask_and_differ_in_kind(region):
    overlaps = []
    for seed in range(60):
        found = altered(region, RandomState(seed))
        overlaps.append(float((found & region).sum() / (found | region).sum()))
    assert min(overlaps) > 0.2
    assert 0.25 < sum(one == 1 for one in overlaps) / 60 < 0.6  # some three tenths stay as they are
    assert any(one < 0.7 for one in overlaps)


def test_a_single_pixel_is_never_altered_to_nothing():
    region = torch.zeros(64, 64, dtype=torch.bool)
    region[5, 5] = True
    assert all(bool(altered(region, RandomState(seed)).any()) for seed in range(40))


def test_places_are_never_empty_and_the_same_for_the_same_seed():
    regions = [elsewhere(48, RandomState(seed)) for seed in range(40)]
    assert all(bool(one.any()) and not bool(one.all()) for one in regions)
    assert torch.equal(elsewhere(48, RandomState(3)), regions[3])
