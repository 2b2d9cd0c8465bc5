from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor, decollate_batch
from monai.transforms import LoadImaged
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.transforms import MedicalLoadImage, MedicalLoadImaged
from tests.io.dicom.dicom_files import write_series

F = np.array(
    [
        [255, 255, 255, 255],
        [255, 0, 0, 0],
        [255, 255, 255, 0],
        [255, 0, 0, 0],
        [255, 0, 0, 0],
        [255, 0, 0, 0],
    ],
    dtype=np.uint8,
)
"""The letter F: no two of its eight turns and mirrors are equal."""
AFFINE = np.array([[-2.0, 0, 0, 11], [0, 0, 3, 12], [0, 1.5, 0, 13], [0, 0, 0, 1]])


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


# pictures


@pytest.mark.parametrize("colour", [False, True])
def test_an_f_shaped_picture_arrives_upright(tmp_path: Path, colour: bool) -> None:
    pixels = np.stack([F, F // 2, F // 3], axis=-1) if colour else F
    Image.fromarray(pixels).save(tmp_path / "f.png")
    image = MedicalLoadImage()(tmp_path / "f.png")
    assert image.shape == ((3, 6, 4) if colour else (1, 6, 4))
    assert image.dtype == torch.float32
    np.testing.assert_array_equal(image.numpy()[0], F)
    np.testing.assert_array_equal(image.affine, np.eye(4))
    assert tuple(image.meta["spatial_shape"]) == (6, 4)


def test_a_jpeg_arrives_upright(tmp_path: Path) -> None:
    Image.fromarray(np.kron(F, np.ones((8, 8), np.uint8))).save(tmp_path / "f.JPG", quality=100)
    image = MedicalLoadImage()(tmp_path / "f.JPG")
    np.testing.assert_array_equal(image.numpy()[0, 4::8, 4::8] > 127, F > 127)


@pytest.mark.parametrize(
    ("orientation", "stored"), [(3, F[::-1, ::-1]), (6, np.rot90(F)), (8, np.rot90(F, -1))]
)
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, stored: np.ndarray) -> None:
    picture = Image.fromarray(np.ascontiguousarray(stored))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "f.png", exif=exif)
    np.testing.assert_array_equal(MedicalLoadImage()(tmp_path / "f.png").numpy()[0], F)


def test_palette_colours_are_shown_but_palette_indices_are_labels(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], dtype=np.uint8)).convert("P")
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.save(tmp_path / "p.png")
    image = MedicalLoadImage()(tmp_path / "p.png")
    np.testing.assert_array_equal(image.numpy()[:, 0, 1], [40, 50, 60])
    label = MedicalLoadImage(label=True)(tmp_path / "p.png")
    np.testing.assert_array_equal(label.numpy(), [[[0, 1], [2, 1]]])


def test_transparency_is_laid_on_black(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[200, 100, 50, 255], [200, 100, 50, 0]]], dtype=np.uint8)).save(
        tmp_path / "a.png"
    )
    image = MedicalLoadImage()(tmp_path / "a.png")
    np.testing.assert_array_equal(image.numpy()[:, 0, 0], [200, 100, 50])
    np.testing.assert_array_equal(image.numpy()[:, 0, 1], [0, 0, 0])


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 1000], [40000, 65535]], dtype=np.uint16)).save(tmp_path / "s.png")
    image = MedicalLoadImage()(tmp_path / "s.png")
    assert image.meta["bits"] == 16
    np.testing.assert_array_equal(image.numpy(), [[[0, 1000], [40000, 65535]]])


def test_grey_stored_as_colour_has_one_channel(tmp_path: Path) -> None:
    Image.fromarray(F).convert("RGB").save(tmp_path / "f.png")
    assert MedicalLoadImage()(tmp_path / "f.png").shape == (1, 6, 4)


# NIfTI


def test_a_volume_keeps_its_order_and_affine(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 7
    image = MedicalLoadImage()(write_nifti(tmp_path / "v.nii.gz", array))
    np.testing.assert_array_equal(image.numpy(), array[None])
    np.testing.assert_allclose(image.affine, AFFINE)
    np.testing.assert_allclose(image.meta["spacing"], [2.0, 1.5, 3.0])
    assert (image.meta["kind"], image.meta["modality"], image.meta["warnings"]) == ("nifti", "", "")


@pytest.mark.parametrize(("shape", "loaded"), [((3, 4), (1, 3, 4, 1)), ((3, 4, 2, 1), (1, 3, 4, 2))])
def test_a_slice_and_a_trailing_axis_of_one_become_a_volume(
    tmp_path: Path, shape: tuple[int, ...], loaded: tuple[int, ...]
) -> None:
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    image = MedicalLoadImage()(write_nifti(tmp_path / "v.nii", array))
    assert image.shape == loaded
    np.testing.assert_array_equal(image.numpy().ravel(), array.ravel())


def test_free_text_of_the_header_is_not_kept(tmp_path: Path) -> None:
    volume = nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), AFFINE)
    volume.header["descrip"], volume.header["db_name"] = b"Jane Doe", b"Jane Doe"
    nib.save(volume, tmp_path / "v.nii")
    meta = MedicalLoadImage()(tmp_path / "v.nii").meta
    assert b"Jane" not in np.asarray(meta["nifti_header"]).tobytes()
    assert not any("Jane" in str(value) for value in meta.values())


def test_a_singular_affine_is_refused(tmp_path: Path) -> None:
    volume = nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), None)
    volume.header.set_sform(np.diag([1.0, 1.0, 0.0, 1.0]), code=1)
    volume.header.set_qform(None, code=0)
    nib.save(volume, tmp_path / "v.nii")
    with pytest.raises(InputError, match=r"^v\.nii: "):
        MedicalLoadImage()(tmp_path / "v.nii")


# image and label, several files


def test_image_and_label_load_in_one_call(tmp_path: Path) -> None:
    image = write_nifti(tmp_path / "i.nii", np.full((2, 2, 2), -1000.5, np.float32))
    label = write_nifti(tmp_path / "l.nii", np.array([[[0, 300], [2, 3]], [[4, 5], [6, 65535]]], np.uint16))
    item = MedicalLoadImaged(keys=["image", "label"])({"image": str(image), "label": str(label), "case": "c"})
    assert item["case"] == "c"
    assert float(item["image"].min()) == -1000.5
    np.testing.assert_array_equal(item["label"].numpy().ravel(), [0, 300, 2, 3, 4, 5, 6, 65535])


def test_a_label_in_colour_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[1, 2, 3]]], dtype=np.uint8)).save(tmp_path / "l.png")
    with pytest.raises(InputError, match=r"^l\.png: a label map in colour"):
        MedicalLoadImaged(keys="label")({"label": tmp_path / "l.png"})


def test_several_sequences_become_channels_if_they_lie_in_one_place(tmp_path: Path) -> None:
    a = write_nifti(tmp_path / "a.nii", np.full((2, 2, 2), 1, np.int16))
    b = write_nifti(tmp_path / "b.nii", np.full((2, 2, 2), 2, np.int16))
    image = MedicalLoadImage()([a, b])
    assert image.shape == (2, 2, 2, 2)
    assert image[:, 0, 0, 0].tolist() == [1, 2]
    moved = write_nifti(tmp_path / "moved.nii", np.zeros((2, 2, 2), np.int16), np.diag([2.0, 2, 2, 1]))
    with pytest.raises(InputError, match=r"^moved\.nii: not of the shape and position of a\.nii"):
        MedicalLoadImage()([a, moved])


def test_channels_choose_among_files_and_only_those_are_read(tmp_path: Path) -> None:
    files = [write_nifti(tmp_path / f"{i}.nii", np.full((2, 2, 2), i, np.int16)) for i in range(3)]
    files.append(tmp_path / "gone.nii")
    image = MedicalLoadImage(channels=[2, 0, 1])(files)
    assert image[:, 0, 0, 0].tolist() == [2, 0, 1]
    assert image.meta["filename_or_obj"] == str(files[0])  # a case is named after its first file
    assert MedicalLoadImage(channels=1)(files)[:, 0, 0, 0].tolist() == [1]
    with pytest.raises(InputError, match=r"^0\.nii: channels \[0, 4\] ask for sequence 4, but there are 4"):
        MedicalLoadImage(channels=[0, 4])(files)


def test_channels_choose_among_volumes_of_the_image_but_not_of_its_label(tmp_path: Path) -> None:
    array = np.arange(2 * 2 * 2 * 4, dtype=np.int16).reshape(2, 2, 2, 4)
    image = write_nifti(tmp_path / "i.nii.gz", array)
    label = write_nifti(tmp_path / "l.nii.gz", array[..., 0] % 3)
    load = MedicalLoadImaged(keys=["image", "label"], channels=[0, 2, 3])
    item = load({"image": image, "label": label})
    np.testing.assert_array_equal(item["image"].numpy(), np.moveaxis(array, -1, 0)[[0, 2, 3]])
    np.testing.assert_array_equal(item["label"].numpy()[0], array[..., 0] % 3)


def test_one_sequence_is_number_0_of_one(tmp_path: Path) -> None:
    Image.fromarray(F).save(tmp_path / "f.png")
    assert MedicalLoadImage(channels=[0])(tmp_path / "f.png").shape == (1, 6, 4)
    with pytest.raises(InputError, match=r"^f\.png: channels \[1\] ask for sequence 1, but there is 1"):
        MedicalLoadImage(channels=[1])(tmp_path / "f.png")


@pytest.mark.parametrize("channels", [[], [-1], [0, -2]])
def test_channels_are_numbers_of_sequences(channels: list[int]) -> None:
    with pytest.raises(InputError, match="give numbers of sequences, counted from 0"):
        MedicalLoadImage(channels=channels)


def test_pictures_of_different_depth_are_not_mixed(tmp_path: Path) -> None:
    Image.fromarray(F).save(tmp_path / "a.png")
    Image.fromarray(F.astype(np.uint16)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match=r"^b\.png: not of as many bits as a\.png"):
        MedicalLoadImage()([tmp_path / "a.png", tmp_path / "b.png"])


@pytest.mark.parametrize("name", ["f.png", "v.nii.gz", "v.mha"])
def test_the_limit_holds_for_every_format_and_key(tmp_path: Path, name: str) -> None:
    import itk

    Image.fromarray(F).save(tmp_path / "f.png")
    write_nifti(tmp_path / "v.nii.gz", F[..., None])
    itk.imwrite(itk.image_from_array(F[None]), str(tmp_path / "v.mha"))
    for key in ("image", "label"):
        MedicalLoadImaged(keys=key, max_voxels=24)({key: tmp_path / name})
        with pytest.raises(InputError, match="is above the limit of 23 values"):
            MedicalLoadImaged(keys=key, max_voxels=23)({key: tmp_path / name})


def test_an_mha_file_and_its_nifti_copy_are_one_case(tmp_path: Path) -> None:
    import itk

    volume = itk.image_from_array(np.arange(24, dtype=np.int16).reshape(4, 3, 2))
    volume.SetSpacing([2.0, 3.0, 5.0])
    volume.SetOrigin([10.0, 20.0, 30.0])
    for name in ("v.mha", "v.nii.gz"):
        itk.imwrite(volume, str(tmp_path / name))
    both = MedicalLoadImage()([tmp_path / "v.mha", tmp_path / "v.nii.gz"])
    np.testing.assert_array_equal(both[0], both[1])


# what MONAI's loader and its applications ask of a loader


def test_applications_know_it_as_a_loader_and_can_ask_for_the_meta(tmp_path: Path) -> None:
    loader = MedicalLoadImaged(keys="image")
    assert isinstance(loader, LoadImaged)
    assert "LoadImage" in type(loader).__name__
    loader._loader.image_only = False  # as MONAI Label does
    item = loader({"image": str(write_nifti(tmp_path / "v.nii", np.zeros((2, 3, 4), np.int16)))})
    assert tuple(item["image_meta_dict"]["spatial_shape"]) == (2, 3, 4)


@pytest.mark.parametrize("name", ["f.png", "v.nii.gz", "s.nii"])
def test_the_meta_survives_collation(tmp_path: Path, name: str) -> None:
    Image.fromarray(F).save(tmp_path / "f.png")
    write_nifti(tmp_path / "v.nii.gz", np.zeros((2, 3, 4), np.int16))
    write_nifti(tmp_path / "s.nii", np.zeros((2, 3), np.int16))
    before = MedicalLoadImage()(tmp_path / name)
    items = Dataset([{"image": tmp_path / name}], MedicalLoadImaged(keys="image"))
    after = decollate_batch(next(iter(DataLoader(items, batch_size=1))))[0]["image"]
    assert isinstance(after, MetaTensor)
    assert set(after.meta) == set(before.meta)
    for key, value in before.meta.items():
        np.testing.assert_array_equal(np.asarray(after.meta[key]), np.asarray(value), err_msg=key)


@pytest.mark.parametrize(
    "name", ["gone.png", "gone.nii.gz", "broken.png", "cut.png", "broken.nii", "cut.nii.gz", "x.txt"]
)
def test_what_cannot_be_read_gets_one_line_with_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.txt").write_text("hello")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "broken.nii").write_bytes(b"no volume")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (64, 64), dtype=np.uint8)).save(tmp_path / "whole.png")
    write_nifti(tmp_path / "whole.nii.gz", rng.integers(0, 999, (16, 16, 16)).astype(np.int16))
    for suffix in ("png", "nii.gz"):
        whole = (tmp_path / f"whole.{suffix}").read_bytes()
        (tmp_path / f"cut.{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError) as caught:
        MedicalLoadImage()(tmp_path / name)
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


# DICOM


def test_a_dicom_folder_is_rescaled_ordered_and_placed(tmp_path: Path) -> None:
    stored = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    write_series(tmp_path / "ct", stored, slope=2.0)
    image = MedicalLoadImage()(tmp_path / "ct")
    np.testing.assert_array_equal(image.numpy()[0], stored * 2.0 - 1024)
    expected = [[-1, 0, 0, -10], [0, -2, 0, -20], [0, 0, 5, 30], [0, 0, 0, 1]]  # LPS turned to RAS
    np.testing.assert_allclose(image.affine, expected, atol=1e-6)
    assert (image.meta["kind"], image.meta["modality"], image.meta["warnings"]) == ("dicom", "CT", "")
    assert not any("Doe" in str(v) or "secret" in str(v) for v in image.meta.values())


def test_one_slice_is_a_volume_of_one(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.arange(6).reshape(2, 3, 1))
    image = MedicalLoadImage()(tmp_path / "ct")
    assert image.shape == (1, 2, 3, 1)
    np.testing.assert_allclose(image.meta["spacing"][:2], [1.0, 2.0])


def test_the_series_of_a_folder_is_chosen_by_number(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((2, 2, 2)), number=3)
    write_series(tmp_path / "ct", np.zeros((2, 2, 3)), number=7, Modality="MR")
    with pytest.raises(InputError, match=r"^ct: "):
        MedicalLoadImage()(tmp_path / "ct")
    load = MedicalLoadImaged(keys="image", series="7")
    assert load({"image": tmp_path / "ct"})["image"].meta["modality"] == "MR"


def test_the_limit_holds_for_a_series(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((2, 2, 2)))
    assert MedicalLoadImage(max_voxels=8)(tmp_path / "ct").shape == (1, 2, 2, 2)
    with pytest.raises(InputError, match=r"^ct: .*limit"):
        MedicalLoadImage(max_voxels=7)(tmp_path / "ct")


def test_a_real_slab_lies_where_its_nifti_lies(shared_data: Path) -> None:
    slab = MedicalLoadImage()(shared_data / "dicom/mr_remind022_t1c_slab")
    whole = MedicalLoadImage()(shared_data / "mri_brain_remind_3d/images/remind022_t1c.nii.gz")
    assert (slab.meta["modality"], slab.meta["warnings"]) == ("MR", "")
    to_whole = np.linalg.inv(whole.affine.numpy()) @ slab.affine.numpy()
    corners = np.array([[0, 0, 0, 1], [247, 255, 63, 1]]).T
    at = np.round(to_whole @ corners).astype(int)
    np.testing.assert_allclose(to_whole @ corners, at, atol=5e-3)
    (x0, y0, z0), (x1, y1, z1) = at[:3, 0], at[:3, 1]
    assert (z0, z1) == (27 + 63, 27) or (z0, z1) == (27, 90)
    step = 1 if z1 > z0 else -1
    np.testing.assert_array_equal(
        slab.numpy()[0],
        whole.numpy()[0, x0 : x1 + 1, y0 : y1 + 1, min(z0, z1) : max(z0, z1) + 1][:, :, ::step],
    )
