"""The conditional random field is that of the reference (tests/fixtures)."""

import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.masks.crf import DenseCRF
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
