"""Masks lie where the image is bright, in whatever order its file is, and keep its geometry and format.

The inference configuration of the vlsm bundle runs with a network that needs no weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image
from pydicom import dcmread
from torch import Tensor

from monai_ext import __version__
from monai_ext.networks.segmenter import Features, Segmentation, TextPromptedSegmenter
from monai_ext.prompts.prompt import Prompt
from monai_ext.resources import resource_path
from tests.bundles.runs import opened, read_mask
from tests.io.dicom.dicom_files import write_series
from tests.orientations import ALL_48, IDS, affine_of, as_before, stored_as
from tests.transforms.test_load import F


class TopLeft(TextPromptedSegmenter):
    """Finds what is bright; of it "left" is the left half of the slice as shown, "teapot" is absent."""

    default_prompt = Prompt(("bright",))

    def encode(self, image: Tensor) -> Features:
        return {"image": image}

    def segment(self, features: Features, prompts: Any) -> Segmentation:
        logits = (features["image"][:, :1] - 0.5) * 20
        width = logits.shape[-1]
        presence = torch.full((len(logits),), 3.0)
        for row, prompt in enumerate(prompts):
            if prompt.texts[0] == "left":
                logits[row, :, :, width // 2 :] = -10
            if prompt.texts[0] == "teapot":
                presence[row] = -3
        return Segmentation(logits, presence)


def run(data: Path, out: Path, prompt: str, **override: Any) -> list[dict[str, Any]]:
    """Run it on `data` and return the record of the last case."""
    settings = {
        "displayable_configs#text_prompt": prompt,
        "network_def": {"_target_": f"{__name__}.TopLeft"},
        "initialize": [],
        "handlers": [],
        "records": None,
        "case_names": "file",
        **override,
    }
    flow = opened(resource_path("vlsm", "bundles"), ["inference"], data, out, **settings)
    flow.run()
    return flow.evaluator.state.output[0]["record"]


def mask(out: Path, row: dict[str, Any]) -> np.ndarray:
    return read_mask(out / row["mask"])


def test_a_folder_of_pictures_gets_upright_masks_of_every_prompt(tmp_path: Path) -> None:
    data = tmp_path / "in"
    data.mkdir()
    Image.fromarray(F).save(data / "a.png")
    Image.fromarray(F.T).save(data / "b.png")
    record = run(data, tmp_path / "out", "bright; left ;teapot", preview=True)
    assert [(r["case"], r["prompt"], r["voxels"]) for r in record] == [
        ("b", "bright", 11),
        ("b", "left", 8),
        ("b", "teapot", 0),
    ]
    np.testing.assert_array_equal(mask(tmp_path / "out", record[0]), F.T)
    with Image.open(tmp_path / "out/a/bright.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), F)
    assert record[2]["warnings"] == [
        "judged absent: presence 0.05 is below 0.50, so the mask of 'teapot' is empty"
    ]
    names = ["bright.png", "labels.png", "left.png", "overlay.png", "teapot.png"]
    assert sorted(p.name for p in (tmp_path / "out/b").iterdir()) == names


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 5.0), (2.0, 2.0, 2.0)], ids=["anisotropic", "isotropic"])
@pytest.mark.parametrize("orientation", ALL_48, ids=IDS)
def test_the_same_patient_gets_the_same_mask_in_whatever_order_the_file_is(
    tmp_path: Path, orientation: np.ndarray, spacing: tuple[float, float, float]
) -> None:
    volume = np.zeros((6, 7, 3))
    volume[:, 2, :] = 200.0  # a bright sheet across the body
    volume[1, 5, 2] = 150.0
    image = stored_as(volume, affine_of(spacing), orientation)
    nib.save(nib.Nifti1Image(image[0, 0].numpy(), image.affine.numpy()), tmp_path / "v.nii.gz")
    record = run(tmp_path / "v.nii.gz", tmp_path / "out", "bright;left", modality="US")
    result = nib.load(tmp_path / "out" / record[0]["mask"])
    np.testing.assert_allclose(result.affine, image.affine, atol=1e-5)
    np.testing.assert_array_equal(as_before(mask(tmp_path / "out", record[0]), orientation), volume > 100)
    expected = volume > 100
    expected[:3] = False  # shown on the left is the patient's right, the high end of R
    np.testing.assert_array_equal(as_before(mask(tmp_path / "out", record[1]), orientation), expected)


def test_a_slice_in_nifti_stays_two_dimensional(tmp_path: Path) -> None:
    nib.save(
        nib.Nifti1Image(np.array([[0, 100, 100], [0, 0, 100]], np.int16), np.diag([-2.0, -2, 1, 1])),
        tmp_path / "s.nii",
    )
    record = run(tmp_path / "s.nii", tmp_path / "out", "bright", modality="US")
    np.testing.assert_array_equal(mask(tmp_path / "out", record[0]), [[0, 1, 1], [0, 0, 1]])
    assert record[0]["area_mm2"] == pytest.approx(12)


def test_a_dicom_folder_is_windowed_in_hu(tmp_path: Path) -> None:
    hu = np.array([[[-1000, 39], [41, 2000]], [[41, -160], [240, 39]]])  # the window's middle is 40 HU
    write_series(tmp_path / "ct", hu + 1024)
    record = run(tmp_path / "ct", tmp_path / "out", "bright", output_format="nifti")
    np.testing.assert_array_equal(mask(tmp_path / "out", record[0]), hu > 40)
    assert record[0]["volume_ml"] == pytest.approx(4 * 10 / 1000)


def test_masks_of_dicom_are_segments_that_name_bundle_and_version(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.where(np.indices((6, 5, 4))[0] < 2, 2000, 0))
    rows = run(tmp_path / "ct", tmp_path / "out", "bright; teapot")
    assert [(row["mask"], row["segment"]) for row in rows] == [
        ("ct/segmentation.dcm", 1),
        ("ct/segmentation.dcm", 2),
    ]
    seg = dcmread(tmp_path / "out/ct/segmentation.dcm")
    assert (int(seg.pixel_array.sum()), seg.NumberOfFrames) == (rows[0]["voxels"], 4)
    algorithm = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("monai_ext vlsm", __version__)


def test_thresholds_reach_inferer_masks_and_record(tmp_path: Path) -> None:
    levels = np.full((4, 4), 140, np.uint8)  # probability 0.73
    levels[0, 0] = 141
    Image.fromarray(levels).save(tmp_path / "f.png")
    data = tmp_path / "f.png"
    assert run(data, tmp_path / "1", "bright", mask_threshold=0.7)[0]["voxels"] == 16
    high = run(data, tmp_path / "2", "bright", mask_threshold=0.75)[0]
    assert (high["voxels"], high["threshold"]) == (0, 0.75)
    assert run(data, tmp_path / "3", "teapot", presence_threshold=0.01)[0]["voxels"] == 16
