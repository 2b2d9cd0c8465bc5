"""The conditional random field is that of the reference (tests/fixtures), and its lattice a Gaussian kernel."""

import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.masks.crf import DenseCRF
from monai_ext.masks.lattice import Lattice
from tests.conftest import FIXTURES

V1 = {"gaussian_sxy": 3, "bilateral_sxy": 60, "bilateral_srgb": 5}


@pytest.fixture(scope="module")
def reference():
    with np.load(FIXTURES / "densecrf.npz") as content:
        return {key: content[key] for key in content.files}


def test_energies_are_those_of_the_reference(reference):
    energies = DenseCRF().energies(reference["saliency"] / 255)
    assert np.abs(energies.reshape(2, -1) - reference["unary"]).max() < 1e-5


@pytest.mark.parametrize(("version", "settings"), [("v1", V1), ("v2", {})])
@pytest.mark.parametrize("iterations", [1, 5])
def test_marginals_are_those_of_the_reference(reference, version, settings, iterations):
    crf = DenseCRF(**settings, iterations=iterations)
    image = (reference["image"] / 255).astype(np.float32)
    ours = crf(reference["saliency"] / 255, image)
    theirs = reference[f"{version}_it{iterations}_Q"].reshape(2, *ours.shape)
    assert ((ours > 0.5) == (theirs.argmax(0) == 1)).mean() >= 0.999
    assert np.abs(ours - theirs[1]).max() < 1e-3


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


def test_a_mask_follows_the_edge_of_its_image():
    image = np.full((40, 40, 3), 0.2)
    image[:, 18:] = 0.8
    probability = np.full((40, 40), 0.2)
    probability[:, 20:] = 0.8  # two columns beside the edge
    after = DenseCRF(**V1, iterations=5)(probability, image) > 0.5
    assert not after[:, :18].any() and after[:, 18:].all()


def test_a_single_pixel_against_all_its_neighbours_is_removed():
    probability = np.full((30, 30), 0.2)
    probability[15, 15] = 0.6
    assert not (DenseCRF()(probability, np.full((30, 30, 3), 0.5)) > 0.5).any()


def test_without_iterations_the_energies_decide():
    random = np.random.RandomState(4)
    probability, image = random.rand(12, 17), random.rand(12, 17, 3)
    assert np.array_equal(DenseCRF(iterations=0)(probability, image) > 0.5, probability > 0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gaussian_sxy": 0},
        {"bilateral_sxy": -1},
        {"bilateral_srgb": float("nan")},
        {"tau": float("inf")},
        {"bilateral_compat": -1},
        {"iterations": -1},
    ],
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=rf"{next(iter(wrong))}\b"):
        DenseCRF(**wrong)


def test_kernels_too_narrow_for_the_image_are_refused():
    random = np.random.RandomState(5)
    with pytest.raises(InputError, match="too many standard deviations"):
        DenseCRF(bilateral_sxy=1e-3, bilateral_srgb=1e-3)(random.rand(20, 20), random.rand(20, 20, 3))
