"""Components of a mask are counted and the largest kept."""

import pytest
import torch

from monai_ext.errors import InputError
from monai_ext.masks import count_components, keep_components, touching_components
from monai_ext.masks.components import label_components


def mask_of_three():
    """Of 12, 4 and 1 pixels; that of 4 is two pairs that touch by a corner."""
    mask = torch.zeros(20, 24, dtype=torch.bool)
    mask[12:15, 3:7] = True
    mask[2, 8:10] = mask[3, 10:12] = True
    mask[18, 20] = True
    return mask


def test_components_that_touch_by_a_corner_are_one_and_numbered_in_reading_order():
    labels = label_components(mask_of_three())
    assert (labels[2, 8], labels[3, 11], labels[12, 3], labels[18, 20], labels[0, 0]) == (1, 1, 2, 3, 0)
    assert count_components(mask_of_three()) == 3


def test_the_largest_components_are_kept():
    mask = mask_of_three()
    assert [int(keep_components(mask, n).sum()) for n in range(5)] == [0, 12, 16, 17, 17]
    assert keep_components(mask, 1)[12:15, 3:7].all() and keep_components(mask, 3).equal(mask)


def test_components_as_large_as_the_last_one_are_kept_where_ties_are():
    mask = mask_of_three()
    mask[6, 20] = mask[10, 20] = True  # three of one pixel now
    assert [int(keep_components(mask, n, ties=True).sum()) for n in range(5)] == [0, 12, 16, 19, 19]
    assert [int(keep_components(mask, n).sum()) for n in range(5)] == [0, 12, 16, 17, 18]


def test_an_empty_mask_has_no_components():
    empty = torch.zeros(5, 7, dtype=torch.bool)
    assert count_components(empty) == 0 and keep_components(empty, 2).equal(empty)
    assert keep_components(empty, 2, ties=True).equal(empty)


def test_components_that_share_a_pixel_with_another_mask_are_found():
    mask, other = mask_of_three(), torch.zeros(20, 24, dtype=torch.bool)
    assert not touching_components(mask, other).any()
    other[10:13, 0:4] = True  # one pixel of the largest, and nothing
    other[3, 11] = True
    assert touching_components(mask, other).equal(mask & (torch.arange(20) < 18)[:, None])


def test_a_negative_number_is_refused():
    with pytest.raises(InputError, match="-1 components"):
        keep_components(mask_of_three(), -1)
