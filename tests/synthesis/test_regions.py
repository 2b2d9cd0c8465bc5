"""Altered masks stay close to what they were, and random ellipses are never empty."""

import pytest
import torch
from numpy.random import RandomState

from monai_ext.synthesis.regions import altered_mask, random_ellipse


@pytest.fixture
def region():
    found = torch.zeros(64, 64, dtype=torch.bool)
    found[20:40, 10:30] = True
    return found


def test_altered_regions_overlap_with_the_mask_and_differ_in_kind(region):
    overlaps = []
    for seed in range(60):
        found = altered_mask(region, RandomState(seed))
        overlaps.append(float((found & region).sum() / (found | region).sum()))
    assert min(overlaps) > 0.2
    assert 0.25 < sum(overlap == 1 for overlap in overlaps) / 60 < 0.6  # some three tenths stay as they are
    assert any(overlap < 0.7 for overlap in overlaps)


def test_a_single_pixel_is_never_altered_to_nothing():
    region = torch.zeros(64, 64, dtype=torch.bool)
    region[5, 5] = True
    assert all(bool(altered_mask(region, RandomState(seed)).any()) for seed in range(40))


def test_ellipses_are_never_empty_and_the_same_for_the_same_seed():
    regions = [random_ellipse(48, RandomState(seed)) for seed in range(40)]
    assert all(bool(region.any()) and not bool(region.all()) for region in regions)
    assert torch.equal(random_ellipse(48, RandomState(3)), regions[3])
