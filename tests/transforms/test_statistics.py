"""Figures of masks in their records: of the stored values, in the coordinates of the file that holds the mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from monai_ext.transforms import DisplayRanged, MaskStatisticsd, MedicalLoadImaged
from tests.io.dicom.dicom_files import write_series
from tests.io.image_files import AFFINE, write_itk, write_nifti


def item(path: Path, modality: str = "auto", chosen: tuple = (slice(0, 2),) * 3) -> dict[Any, Any]:
    """What post-processing has of a file: stored and displayed image, one mask of a corner, a record."""
    loaded = MedicalLoadImaged(keys="image")({"image": str(path)})
    shown = DisplayRanged(keys="image", modality=modality, keep_stored=True)(loaded)
    masks = torch.zeros(1, *shown["image"].shape[1:], dtype=torch.uint8)
    masks[(0, *chosen)] = 1
    masks = MetaTensor(masks, meta=dict(shown["image"].meta))
    return {**shown, "masks": masks, "record": [{"case": "x", "voxels": int(masks.sum())}]}


def statistics(given: dict, **options: Any) -> dict[str, Any]:
    (row,) = MaskStatisticsd(**options)(given)["record"]
    assert row["case"] == "x"
    return row["statistics"]


VOLUME = np.random.default_rng(0).normal(0, 300, (5, 4, 3)).round().clip(-1000, 1000).astype(np.float32)
VOLUME[0, 0, 0], VOLUME[4, 3, 2] = -1000, 1000


def test_a_nifti_counts_in_ras_and_ct_in_hounsfield_units(tmp_path):
    write_nifti(tmp_path / "v.nii.gz", VOLUME)
    found = statistics(item(tmp_path / "v.nii.gz"))
    assert [found[key] for key in ("coordinates", "length_unit", "intensity_unit")] == ["RAS", "mm", "HU"]
    assert found["mean"] == pytest.approx(VOLUME[:2, :2, :2].mean())
    assert found["centroid"] == pytest.approx((AFFINE @ [0.5, 0.5, 0.5, 1])[:3], rel=1e-5)
    assert statistics(item(tmp_path / "v.nii.gz", "MR"))["intensity_unit"] == "stored value"


@pytest.mark.parametrize("suffix", ["mha", "nrrd"])
def test_metaimage_and_nrrd_count_in_lps_and_as_nifti_in_ras(tmp_path, suffix):
    write_itk(tmp_path / f"v.{suffix}", VOLUME, AFFINE)
    given = item(tmp_path / f"v.{suffix}")
    lps, ras = statistics(given), statistics(given, output_format="nifti")
    assert (lps["coordinates"], ras["coordinates"]) == ("LPS", "RAS")
    assert ras["centroid"] == pytest.approx(
        (np.asarray(given["masks"].meta["affine"]) @ [0.5, 0.5, 0.5, 1])[:3]
    )
    assert lps["centroid"] == pytest.approx(np.array(ras["centroid"]) * [-1, -1, 1])
    assert lps["bbox_min"][:2] == pytest.approx([-one for one in ras["bbox_max"][:2]])


def test_a_dicom_series_counts_in_lps_and_in_rescaled_values(tmp_path):
    write_series(tmp_path / "ct", VOLUME, RescaleIntercept=-1024, RescaleSlope=1)
    given = item(tmp_path / "ct")
    found = statistics(given)
    assert (found["coordinates"], found["intensity_unit"]) == ("LPS", "HU")
    assert statistics(given, output_format="rtstruct") == found
    assert found["mean"] == pytest.approx(float(given["stored"][0, :2, :2, :2].mean()))
    assert found["centroid"] == pytest.approx(
        (np.asarray(given["masks"].meta["affine"]) @ [0.5, 0.5, 0.5, 1])[:3] * [-1, -1, 1]
    )


def test_a_picture_counts_in_pixels_and_colour_is_averaged(tmp_path):
    colours = np.zeros((6, 8, 3), np.uint8)
    colours[:, :4], colours[:, 4:] = (30, 60, 90), (200, 0, 1)
    Image.fromarray(colours).save(tmp_path / "p.png")
    found = statistics(item(tmp_path / "p.png", chosen=(slice(1, 3), slice(0, 4))))
    assert [found[key] for key in ("coordinates", "length_unit")] == ["column, row", "px"]
    assert (found["mean"], found["intensity_unit"]) == (60, "stored value, mean of 3 channels")
    assert found["centroid"] == [1.5, 1.5]


def test_stored_values_are_kept_without_a_copy_and_not_unless_asked_for(tmp_path):
    write_nifti(tmp_path / "v.nii.gz", VOLUME)
    loaded = MedicalLoadImaged(keys="image")({"image": str(tmp_path / "v.nii.gz")})
    shown = DisplayRanged(keys="image", keep_stored=True)(loaded)
    assert shown["stored"] is loaded["image"]
    np.testing.assert_array_equal(shown["stored"][0], VOLUME)
    assert "stored" not in DisplayRanged(keys="image")(loaded)


def test_nothing_is_added_unless_enabled(tmp_path):
    write_nifti(tmp_path / "v.nii.gz", VOLUME)
    given = item(tmp_path / "v.nii.gz")
    assert MaskStatisticsd(enabled=False)(given)["record"] == given["record"]
