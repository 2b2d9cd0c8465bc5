"""Which reader takes a file, and how several files or sequences become channels; the readers have tests of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.io.read_image import load_image
from tests.io.dicom.dicom_files import write_series
from tests.io.image_files import write_dicom, write_itk, write_nifti, write_picture
from tests.orientations import affine_of, rotation

AFFINE = affine_of((2.0, 3.0, 5.0), rotation(10, -20, 30))
STORED = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
GREY = np.arange(24, dtype=np.uint8).reshape(6, 4)


def nifti(path: Path, value: int, affine: np.ndarray = AFFINE) -> Path:
    return write_nifti(path, np.full((2, 2, 2), value, np.int16), affine)


@pytest.mark.parametrize(
    "name", ["v.nii", "V.NII.GZ", "v.mha", "v.mhd", "v.nrrd", "ct", "ct.zip", "ct/1-001.dcm"]
)
def test_one_volume_is_the_same_in_every_format(tmp_path: Path, name: str) -> None:
    stored = STORED[..., :1] if name.endswith(".dcm") else STORED
    write_nifti(tmp_path / "v.nii", stored, AFFINE)
    write_nifti(tmp_path / "v.nii.gz", stored, AFFINE).rename(tmp_path / "V.NII.GZ")
    for suffix in ("mha", "mhd", "nrrd"):
        write_itk(tmp_path / f"v.{suffix}", stored, AFFINE)
    write_dicom(tmp_path / "ct", stored, AFFINE)
    shutil.make_archive(str(tmp_path / "ct"), "zip", tmp_path, "ct")
    planes, meta = load_image([tmp_path / name])
    np.testing.assert_array_equal(planes, stored[None])
    known = 2 if name.endswith(".dcm") else 3  # a single slice has no distance to the next
    np.testing.assert_allclose(meta["affine"][:3, :known], AFFINE[:3, :known], atol=1e-6)
    np.testing.assert_allclose(meta["affine"][:3, 3], AFFINE[:3, 3], atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, None])
def test_the_array_has_the_type_that_is_asked_for(tmp_path: Path, dtype: type | None) -> None:
    planes, _ = load_image([write_nifti(tmp_path / "v.nii", STORED, AFFINE)], dtype=dtype)
    assert planes.dtype == (np.int16 if dtype is None else dtype)


def test_what_float32_cannot_hold_is_infinite(tmp_path: Path) -> None:
    array = np.array([[[1e300, -1e300]]])
    planes, _ = load_image([write_nifti(tmp_path / "v.nii", array, AFFINE)])
    assert planes.ravel().tolist() == [np.inf, -np.inf]


def test_a_name_of_no_format_is_refused_with_those_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(InputError, match=r"^x\.txt: not a format that is read; give PNG, JPEG, .* file\)\.$"):
        load_image([tmp_path / "x.txt"])


@pytest.mark.parametrize("name", ["gone.png", "gone.nii.gz", "gone.mha", "gone"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"^{name}: no such file or folder"):
        load_image([tmp_path / name])


def test_more_than_the_memory_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr("monai_ext.io.read_image.load_nifti", full)
    with pytest.raises(InputError, match=r"^v\.nii: more than the memory holds; crop it"):
        load_image([nifti(tmp_path / "v.nii", 1)])


# several files, several sequences


def test_files_of_one_position_become_channels(tmp_path: Path) -> None:
    first, second = nifti(tmp_path / "a.nii", 1), nifti(tmp_path / "b.nii", 2)
    planes, meta = load_image([first, second])
    assert (planes.shape, planes[:, 0, 0, 0].tolist()) == ((2, 2, 2, 2), [1, 2])
    np.testing.assert_allclose(meta["affine"], AFFINE, atol=1e-6)


def test_files_of_different_position_or_shape_are_refused(tmp_path: Path) -> None:
    first = nifti(tmp_path / "a.nii", 1)
    for name, shape, moved in (("moved", (2, 2, 2), 0.002), ("longer", (2, 2, 3), 0.0)):
        affine = AFFINE.copy()
        affine[0, 3] += moved
        other = write_nifti(tmp_path / f"{name}.nii", np.zeros(shape, np.int16), affine)
        with pytest.raises(InputError, match=rf"^{name}\.nii: not of the shape and position of “a\.nii”"):
            load_image([first, other])


def test_a_position_is_the_same_up_to_a_micrometre(tmp_path: Path) -> None:
    affine = AFFINE.copy()
    affine[0, 3] += 0.0009
    load_image([nifti(tmp_path / "a.nii", 1), nifti(tmp_path / "b.nii", 2, affine)])


def test_the_warnings_of_all_files_are_kept(tmp_path: Path) -> None:
    for name, more in (("a", {}), ("b", {"ImagerPixelSpacing": [1, 1]})):
        write_series(tmp_path / name, STORED[..., :1], Modality="DX", PixelSpacing=None, **more)
    first, second = load_image([tmp_path / "a", tmp_path / "b"])[1]["warnings"]
    assert first.startswith("no pixel spacing in the DICOM file")
    assert second.startswith("pixel spacing is that of the detector")


def test_channels_choose_among_files_and_only_those_are_read(tmp_path: Path) -> None:
    files = [nifti(tmp_path / f"{i}.nii", i) for i in range(3)]
    files.append(tmp_path / "gone.nii")
    assert load_image(files, channels=[2, 0, 1])[0][:, 0, 0, 0].tolist() == [2, 0, 1]
    assert load_image(files, channels=[1])[0][:, 0, 0, 0].tolist() == [1]
    with pytest.raises(InputError, match=r"^0\.nii: channels \[0, 4\] ask for sequence 4, but there are 4"):
        load_image(files, channels=[0, 4])


def test_channels_choose_among_the_volumes_of_a_4d_file(tmp_path: Path) -> None:
    array = np.arange(2 * 2 * 2 * 4, dtype=np.int16).reshape(2, 2, 2, 4)
    path = write_nifti(tmp_path / "t.nii.gz", array, AFFINE)
    np.testing.assert_array_equal(load_image([path], channels=[0, 3])[0], np.moveaxis(array, -1, 0)[[0, 3]])


@pytest.mark.parametrize("name", ["f.png", "v.mha", "ct"])
def test_an_only_sequence_is_number_0_of_one(tmp_path: Path, name: str) -> None:
    write_picture(tmp_path / "f.png", GREY)
    write_itk(tmp_path / "v.mha", STORED, AFFINE)
    write_dicom(tmp_path / "ct", STORED, AFFINE)
    assert len(load_image([tmp_path / name], channels=[0])[0]) == 1
    with pytest.raises(InputError, match=rf"^{name}: channels \[1\] ask for sequence 1, but there is 1"):
        load_image([tmp_path / name], channels=[1])


def test_pictures_of_different_depth_are_not_mixed(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    Image.fromarray(GREY.astype(np.uint16)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match=r"^b\.png: not of as many bits as “a\.png”"):
        load_image([tmp_path / "a.png", tmp_path / "b.png"])


@pytest.mark.parametrize("name", ["l.nii.gz", "l.tif"])
def test_labels_that_are_scaled_by_nearly_one_are_whole_numbers(tmp_path: Path, name: str) -> None:
    stored = np.array([[0, 1], [255, 1000]], np.float32) * np.float32(1.00000035)
    stored[0, 0] = -1e-3
    path = tmp_path / name
    Image.fromarray(stored).save(path) if name == "l.tif" else write_nifti(path, stored, AFFINE)
    assert sorted(load_image([path], label=True)[0].ravel().tolist()) == [0, 1, 255, 1000]
    np.testing.assert_array_equal(np.sort(load_image([path])[0].ravel()), np.sort(stored.ravel()))


def test_labels_with_fractions_or_without_end_stay(tmp_path: Path) -> None:
    stored = np.array([[[0.002], [np.inf]]], np.float32)
    planes, _ = load_image([write_nifti(tmp_path / "l.nii", stored, AFFINE)], label=True)
    np.testing.assert_array_equal(planes[0], stored)


def test_the_series_of_a_folder_is_chosen_by_number(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((2, 2, 2)), number=3)
    write_series(tmp_path / "ct", np.zeros((2, 2, 3)), number=7, Modality="MR")
    with pytest.raises(InputError, match=r"^ct: 2 DICOM series"):
        load_image([tmp_path / "ct"])
    assert load_image([tmp_path / "ct"], series="7")[1]["modality"] == "MR"


def test_a_real_slab_lies_where_its_nifti_lies(shared_data: Path) -> None:
    slab, meta = load_image([shared_data / "dicom/mr_remind022_t1c_slab"])
    whole, whole_meta = load_image([shared_data / "mri_brain_remind_3d/images/remind022_t1c.nii.gz"])
    assert (meta["modality"], meta["warnings"]) == ("MR", [])
    to_whole = np.linalg.inv(whole_meta["affine"]) @ meta["affine"]
    corners = np.array([[0, 0, 0, 1], [247, 255, 63, 1]]).T
    at = np.round(to_whole @ corners).astype(int)
    np.testing.assert_allclose(to_whole @ corners, at, atol=5e-3)
    (x0, y0, z0), (x1, y1, z1) = at[:3, 0], at[:3, 1]
    assert (z0, z1) == (27 + 63, 27) or (z0, z1) == (27, 90)
    step = 1 if z1 > z0 else -1
    part = whole[0, x0 : x1 + 1, y0 : y1 + 1, min(z0, z1) : max(z0, z1) + 1]
    np.testing.assert_array_equal(slab[0], part[:, :, ::step])
