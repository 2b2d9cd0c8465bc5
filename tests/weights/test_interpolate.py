"""Weights between those before and those after a training."""

import pytest
import torch

from monai_ext.errors import WeightsError
from monai_ext.weights.interpolate import interpolated


@pytest.mark.parametrize(("share", "expected"), [(0.0, [2.0, 4.0]), (0.25, [3.0, 3.0]), (1.0, [6.0, 0.0])])
def test_weights_lie_on_the_line_between_both_ends(share, expected):
    mixed = interpolated({"w": torch.tensor([2.0, 4.0])}, {"w": torch.tensor([6.0, 0.0])}, share)
    assert mixed["w"].tolist() == expected


def test_weights_have_the_type_of_the_training():
    mixed = interpolated({"w": torch.tensor([1.0], dtype=torch.float16)}, {"w": torch.tensor([2.0])}, 0.5)
    assert mixed["w"].dtype == torch.float32 and mixed["w"].item() == 1.5


def test_what_is_counted_or_spelled_is_that_of_the_training():
    old = {"batches": torch.tensor(3), "words": torch.zeros(2, dtype=torch.uint8)}
    new = {"batches": torch.tensor(9), "words": torch.ones(5, dtype=torch.uint8)}
    assert interpolated(old, new, 0.5) == new


def test_the_ends_stay_as_they_are():
    old, new = {"w": torch.zeros(1)}, {"w": torch.ones(1)}
    interpolated(old, new, 0.5)
    assert (old["w"].item(), new["w"].item()) == (0, 1)


@pytest.mark.parametrize("initial", [{}, {"w": torch.zeros(2)}])
def test_weights_of_another_network_are_refused(initial):
    with pytest.raises(WeightsError, match="^w is not in the weights that the training began with"):
        interpolated(initial, {"w": torch.zeros(1)}, 0.5)
