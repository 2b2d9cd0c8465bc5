"""The lattice filters as a Gaussian kernel does."""

import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.masks.lattice import Lattice


@pytest.mark.parametrize(("dimensions", "error"), [(2, 0.003), (5, 0.015)])
def test_a_lattice_filters_as_a_gaussian_kernel_does(dimensions, error):
    random = np.random.RandomState(dimensions)
    points = random.uniform(0, 4, (400, dimensions))
    values = random.rand(400, 2)
    distances = ((points[:, None] - points[None]) ** 2).sum(-1)
    kernel = np.exp(-distances / 2)
    exact = kernel @ values / kernel.sum(1, keepdims=True)
    lattice = Lattice(points)
    ours = lattice(values) / lattice(np.ones((400, 1)))
    assert np.abs(ours - exact).mean() < error
    assert np.corrcoef(ours.ravel(), exact.ravel())[0, 1] > 0.95


def test_the_weights_of_the_corners_of_a_simplex_sum_to_one():
    points = np.random.RandomState(1).uniform(-20, 20, (300, 5))
    splat = Lattice(points).splat
    assert splat.data.min() >= 0 and np.allclose(splat.sum(1), 1)
    assert splat.getnnz(1).max() == 6


def test_distant_clusters_of_points_do_not_affect_each_other():
    near = np.random.RandomState(2).uniform(0, 3, (50, 3))
    values = np.random.RandomState(3).rand(50, 1)
    far = np.concatenate([near, near + 300])
    alone, together = Lattice(near)(values), Lattice(far)(np.concatenate([values, 0 * values]))
    assert np.allclose(together[:50], alone) and np.allclose(together[50:], 0)


@pytest.mark.parametrize(("largest", "fits"), [(1e9, True), (1e10, False)])
def test_points_that_span_more_than_the_lattice_can_number_are_refused(largest, fits):
    points = np.array([[0.0, 0.0], [largest, largest]])
    if fits:
        assert Lattice(points)(np.eye(2))[0].tolist() == pytest.approx([0.9, 0])
    else:
        with pytest.raises(InputError, match="too many standard deviations"):
            Lattice(points)
