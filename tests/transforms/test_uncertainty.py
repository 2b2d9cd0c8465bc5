"""What is written of uncertainty, and what a record says of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.data import MetaTensor
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.transforms import MaskSaveImaged, MedicalLoadImaged, PopPresenced, UncertaintySaveImaged
from monai_ext.transforms.uncertainty import quality_text
from tests.io.dicom.dicom_files import write_series

LEVELS = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
PICTURE = {"kind": "picture", "filename_or_obj": "a.png"}


def case(folder: Path, meta: dict[str, Any], shape: tuple[int, ...] = (4, 6), **more: Any) -> dict[Any, Any]:
    """An item with two prompts, of which the second has no mask; its masks are written."""
    masks = torch.zeros(2, *shape, dtype=torch.uint8)
    masks[0, :2] = 1
    levels = torch.from_numpy(LEVELS.reshape(shape).copy())
    item = {
        "case": "a",
        "masks": MetaTensor(masks, meta=meta),
        "pred": MetaTensor(masks[:1], meta=meta),
        "image": MetaTensor(torch.full((3, *shape), 0.5), meta=meta),
        "presence": torch.tensor([0.9, 0.2]),
        "quality": torch.tensor([0.75, math.nan]),
        "members": torch.tensor([7, 6]),
        "members_found": torch.tensor([7, 2]),
        "entropy": torch.stack([levels, 255 - levels]),
    }
    return {**MaskSaveImaged(output_dir=folder, prompt="liver; polyp", **more)(item)}


def nifti(tmp_path: Path, affine: np.ndarray) -> dict[str, Any]:
    header = nib.Nifti1Image(np.zeros((4, 6, 1), np.int16), affine).header
    block = np.frombuffer(header.binaryblock, np.uint8)
    return {"kind": "nifti", "filename_or_obj": "a.nii.gz", "affine": affine, "nifti_header": block}


def test_a_picture_gets_an_upright_png_of_255_levels_a_bit(tmp_path: Path) -> None:
    UncertaintySaveImaged(output_dir=tmp_path)(case(tmp_path, PICTURE))
    with Image.open(tmp_path / "a/liver.entropy.png") as found:
        assert found.mode == "L"
        np.testing.assert_array_equal(np.asarray(found), LEVELS)
    with Image.open(tmp_path / "a/polyp.entropy.png") as found:
        np.testing.assert_array_equal(np.asarray(found), 255 - LEVELS)
    assert not (tmp_path / "a/overlay.entropy.png").exists()


@pytest.mark.parametrize("header", [True, False])
def test_a_nifti_gets_bits_in_its_own_geometry(tmp_path: Path, header: bool) -> None:
    affine = np.array([[0, -2.0, 0, 3], [1.5, 0, 0, -4], [0, 0, 4, 5], [0, 0, 0, 1]])
    meta = nifti(tmp_path, affine)
    if not header:
        del meta["nifti_header"]
    UncertaintySaveImaged(output_dir=tmp_path)(case(tmp_path, meta, (4, 6, 1)))
    found, mask = (nib.load(tmp_path / "a" / f"liver{name}.nii.gz") for name in (".entropy", ""))
    np.testing.assert_array_equal(found.affine, mask.affine)
    np.testing.assert_allclose(found.get_fdata()[..., 0], LEVELS / 255, atol=1e-7)
    assert found.header.get_data_dtype() == np.uint8
    assert mask.header["scl_slope"] in (1, np.nan) or np.isnan(mask.header["scl_slope"])
    assert sorted(np.unique(mask.get_fdata())) == [0, 1]


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_metaimage_and_nrrd_get_bits_as_numbers(tmp_path: Path, name: str) -> None:
    source = {"spacing": [2.0, 1.5, 4.0], "origin": [1.0, 2.0, 3.0], "direction": list(np.eye(3).ravel())}
    meta = {
        "kind": "itk",
        "filename_or_obj": name,
        "affine": np.diag([-2.0, -1.5, 4, 1]),
        "source": json.dumps({**source, "lines": []}),
    }
    UncertaintySaveImaged(output_dir=tmp_path)(case(tmp_path, meta, (4, 6, 1)))
    suffix = Path(name).suffix
    found = sitk.ReadImage(str(tmp_path / f"a/liver.entropy{suffix}"))
    values = sitk.GetArrayFromImage(found).T[..., 0]
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, LEVELS / 255, atol=1e-7)
    if suffix == ".mha":
        assert found.GetSpacing() == (2.0, 1.5, 4.0)
    assert sitk.ReadImage(str(tmp_path / f"a/liver{suffix}")).GetPixelID() == sitk.sitkUInt8


@pytest.mark.parametrize("output_format", ["auto", "nifti", "rtstruct"])
def test_a_dicom_series_gets_nifti_in_its_place(tmp_path: Path, output_format: Any) -> None:
    write_series(tmp_path / "ct", np.zeros((4, 3, 2)), StudyInstanceUID="1.2.3", FrameOfReferenceUID="1.2.4")
    image = MedicalLoadImaged(keys="image")({"image": str(tmp_path / "ct")})["image"]
    item = case(tmp_path, dict(image.meta), (4, 3, 2), output_format=output_format)
    done = UncertaintySaveImaged(output_dir=tmp_path, output_format=output_format)(item)
    assert done["record"][0]["uncertainty"]["entropy"] == "a/liver.entropy.nii.gz"
    found = nib.load(tmp_path / "a/liver.entropy.nii.gz")
    np.testing.assert_allclose(found.affine, [[-1, 0, 0, -10], [0, -2, 0, -20], [0, 0, 5, 30], [0, 0, 0, 1]])
    np.testing.assert_allclose(found.get_fdata(), LEVELS.reshape(4, 3, 2) / 255, atol=1e-7)


def test_the_record_says_how_far_the_members_agree_and_why_not(tmp_path: Path) -> None:
    before = case(tmp_path, PICTURE)
    done = UncertaintySaveImaged(output_dir=tmp_path)(before)
    found, absent = done["record"]
    assert found == {
        **before["record"][0],
        "uncertainty": {
            "quality": 0.75,
            "reason": "",
            "members": 7,
            "members_found": 7,
            "entropy": "a/liver.entropy.png",
        },
    }
    assert absent["uncertainty"] == {
        "quality": None,
        "reason": absent["warnings"][-1],
        "members": 6,
        "members_found": 2,
        "entropy": "a/polyp.entropy.png",
    }
    assert absent["uncertainty"]["reason"].startswith("judged absent: presence 0.20")
    assert done["files"] == [*before["files"], "a/liver.entropy.png", "a/polyp.entropy.png"]


def test_a_single_member_has_no_quality_and_the_record_says_so(tmp_path: Path) -> None:
    item = case(tmp_path, PICTURE)
    item["quality"][0] = math.nan
    [found, _] = UncertaintySaveImaged(output_dir=tmp_path)(item)["record"]
    assert (found["uncertainty"]["quality"], found["uncertainty"]["reason"]) == (
        None,
        "it has a single member",
    )


def test_a_preview_shows_where_the_entropy_is_high(tmp_path: Path) -> None:
    item = case(tmp_path, PICTURE)
    item["entropy"] = torch.zeros(2, 4, 6, dtype=torch.uint8)
    item["entropy"][1, 3, :3] = 255
    done = UncertaintySaveImaged(output_dir=tmp_path, preview=True)(item)
    assert done["files"][-1] == "a/overlay.entropy.png"
    with Image.open(tmp_path / "a/overlay.entropy.png") as picture:
        drawn = np.asarray(picture).astype(int)
    step = picture.width // 6
    certain, uncertain = drawn[int(3.6 * step), int(5.5 * step)], drawn[int(3.6 * step), step // 2]
    assert abs(certain - 128).max() <= 1
    assert uncertain[0] > 200 and uncertain[1] < 60  # magenta


def test_prompts_that_are_named_as_these_files_do_not_overwrite_them(tmp_path: Path) -> None:
    item = case(tmp_path, PICTURE)
    item.update(prompt=["liver entropy", "liver.entropy"])
    item = MaskSaveImaged(output_dir=tmp_path)(item)
    done = UncertaintySaveImaged(output_dir=tmp_path)(item)
    names = [row["mask"] for row in done["record"]] + [
        row["uncertainty"]["entropy"] for row in done["record"]
    ]
    assert len(set(names)) == 4


def test_nothing_is_written_where_it_is_not_enabled(tmp_path: Path) -> None:
    item = case(tmp_path, PICTURE)
    for key in ("quality", "entropy"):
        del item[key]
    before = sorted(tmp_path.rglob("*"))
    assert UncertaintySaveImaged(output_dir=tmp_path, enabled=False)(item) == item
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_half_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = case(tmp_path, PICTURE)
    before = sorted(tmp_path.rglob("*"))
    from monai_ext.transforms import uncertainty

    real = uncertainty.write_entropy

    def full(path: Path, *rest: Any) -> None:
        if path.name.startswith("polyp"):
            raise OSError(28, "No space left on device")
        real(path, *rest)

    monkeypatch.setattr(uncertainty, "write_entropy", full)
    with pytest.raises(
        InputError, match=r"a: cannot write into the output folder \(No space left on device\)"
    ):
        UncertaintySaveImaged(output_dir=tmp_path)(item)
    assert sorted(tmp_path.rglob("*")) == before


def test_applications_know_it_as_a_writer() -> None:
    from monai.transforms import SaveImaged

    assert issubclass(UncertaintySaveImaged, SaveImaged) and "SaveImaged" in UncertaintySaveImaged.__name__


def test_a_few_words_say_what_was_found() -> None:
    assert quality_text({"quality": 0.925, "members": 7, "members_found": 7}) == "quality 0.93"
    assert quality_text({"quality": 0.0, "members": 7, "members_found": 7}) == "quality 0.00"
    absent = {"quality": None, "members": 7, "members_found": 2}
    assert quality_text(absent) == "no mask, 2 of 7 members found one"
    assert quality_text({**absent, "members": 0, "members_found": 0}) == "not asked"


@pytest.mark.parametrize("batched", [False, True], ids=["of a case", "of a batch of one"])
def test_figures_leave_the_metadata_of_the_prediction(batched: bool) -> None:
    values: dict[str, Any] = {
        "quality": torch.tensor([0.5, math.nan]),
        "members": torch.tensor([7, 7]),
        "members_found": torch.tensor([3, 0]),
        "entropy": torch.ones(2, 4, 6, dtype=torch.uint8),
        "presence": torch.tensor([0.9, 0.1]),
        "slice_presence": torch.tensor([[0.9], [0.1]]),
        "unknown": "\n",
        "reading": "[{}, {}]",
    }
    if batched:
        values = {key: one[None] if isinstance(one, torch.Tensor) else [one] for key, one in values.items()}
    done = PopPresenced()({"pred": MetaTensor(torch.zeros(2, 4, 6), meta=values)})
    assert done["quality"][0] == 0.5 and done["quality"].shape == (2,)
    assert (done["members"].tolist(), done["members_found"].tolist()) == ([7, 7], [3, 0])
    assert done["entropy"].shape == (2, 4, 6)
    assert not {"quality", "members", "members_found", "entropy"} & done["pred"].meta.keys()
