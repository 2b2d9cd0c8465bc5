"""The Python API gives what the command line writes, and takes arrays as well as files."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

import monai_ext
from monai_ext.cli.main import main
from monai_ext.errors import InputError
from tests.bundles.small import picture


@pytest.fixture(scope="module")
def segmenter(bundle):
    return monai_ext.load(bundle, device="cpu")


def test_a_file_gives_the_mask_that_the_command_line_writes(tmp_path, bundle, segmenter):
    source = picture(tmp_path / "a.png")
    words = ["segment", str(source), "-p", "lungs", "-p", "heart", "-o", str(tmp_path / "out"), "--quiet"]
    assert main([*words, "--names", "file", "--bundle", str(bundle)]) == 0
    results = segmenter.segment(source, ["lungs", "heart"])
    assert [r.prompt for r in results] == ["lungs", "heart"]
    for result in results:
        with Image.open(tmp_path / "out/a" / f"{result.prompt}.png") as mask:
            np.testing.assert_array_equal(result.mask.numpy() * 255, np.asarray(mask))
        assert result.mask.dtype == torch.uint8
        assert (result.found, result.reason) == (True, "")
        assert torch.equal(result.mask, (result.probability > 0.5).to(torch.uint8))


def test_an_array_of_a_picture_gives_the_mask_of_its_file(tmp_path, segmenter):
    source = picture(tmp_path / "a.png")
    expected = segmenter.segment(source, "lungs; heart")
    with Image.open(source) as opened:
        array = np.asarray(opened)
    for image in (array, array[None], torch.from_numpy(array.copy()), np.stack([array] * 3)):
        results = segmenter.segment(image, "lungs; heart")
        assert [r.prompt for r in results] == ["lungs", "heart"]
        for result, other in zip(results, expected, strict=True):
            assert torch.equal(result.mask.as_tensor(), other.mask.as_tensor())


def test_a_volume_in_memory_with_its_affine_gives_the_mask_of_its_file(tmp_path, segmenter):
    volume = np.random.default_rng(0).normal(100, 30, (20, 18, 3)).astype(np.float32)
    affine = np.diag([-1.0, 1, 5, 1])
    nib.save(nib.Nifti1Image(volume, affine), tmp_path / "v.nii.gz")
    [expected] = segmenter.segment(tmp_path / "v.nii.gz", "lungs")
    [result] = segmenter.segment(
        MetaTensor(torch.from_numpy(volume)[None], affine=torch.from_numpy(affine)), "lungs"
    )
    assert result.mask.shape == (20, 18, 3)
    assert torch.equal(result.mask.as_tensor(), expected.mask.as_tensor())
    np.testing.assert_allclose(result.mask.affine, affine)
    assert result.presence == expected.presence


def test_a_threshold_of_one_call_changes_its_mask_only(tmp_path, segmenter):
    source = picture(tmp_path / "a.png")
    before = segmenter.segment(source, "lungs")[0]
    [none] = segmenter.segment(source, "lungs", threshold=1)
    assert not none.found
    assert none.reason == f"judged present ({none.presence:.2f}), but no pixel is above 1.00"
    assert torch.equal(segmenter.segment(source, "lungs")[0].mask, before.mask)


@pytest.mark.parametrize("shape", [(4,), (5, 6, 2), (2, 4, 5, 3), (0, 4, 5)])
def test_arrays_of_another_shape_are_refused(segmenter, shape):
    with pytest.raises(InputError, match=r"an array of shape .*: give \(H, W\)"):
        segmenter.segment(np.zeros(shape, np.uint8), "lungs")


def test_what_cannot_be_used_is_raised_as_it_is(tmp_path, segmenter):
    with pytest.raises(InputError, match=r"^no\.png: no such file or folder\.$"):
        segmenter.segment(tmp_path / "no.png", "lungs")
    with pytest.raises(InputError, match="threshold is 2"):
        segmenter.segment(np.zeros((4, 4), np.uint8), "lungs", threshold=2)
    with pytest.raises(InputError, match="no bundle 'nosuch'; known are clip_sam, medclip_sam, vlsm"):
        monai_ext.load("nosuch")
