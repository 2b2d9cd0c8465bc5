"""The MONAI transform around the readers, whose values and geometry are tested in tests/io."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor, decollate_batch
from monai.transforms import LoadImaged
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.transforms import MedicalLoadImage, MedicalLoadImaged
from tests.io.dicom.dicom_files import write_series
from tests.io.image_files import AFFINE, write_dicom, write_itk, write_nifti, write_picture

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
STORED = np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 7


def every_format(folder: Path) -> dict[str, Path]:
    """A file or folder of each."""
    return {
        "picture": write_picture(folder / "f.png", F),
        "colour": write_picture(folder / "c.png", np.stack([F, F // 2, F // 3], axis=-1)),
        "nifti": write_nifti(folder / "v.nii", STORED),
        "gz": write_nifti(folder / "v.nii.gz", STORED),
        "2D": write_nifti(folder / "s.nii", STORED[:, :, 0]),
        "itk": write_itk(folder / "v.mha", STORED, AFFINE),
        "dicom": write_dicom(folder / "ct", STORED, np.diag([-1.0, -2, 5, 1])),
    }


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return every_format(tmp_path)


# values


@pytest.mark.parametrize("colour", [False, True])
def test_an_f_shaped_picture_arrives_upright(files: dict[str, Path], colour: bool) -> None:
    image = MedicalLoadImage()(files["colour" if colour else "picture"])
    assert image.shape == ((3, 6, 4) if colour else (1, 6, 4))
    np.testing.assert_array_equal(image.numpy()[0], F)
    np.testing.assert_array_equal(image.affine, np.eye(4))


@pytest.mark.parametrize("name", ["nifti", "gz", "itk"])
def test_a_volume_keeps_its_order_and_affine(files: dict[str, Path], name: str) -> None:
    image = MedicalLoadImage()(files[name])
    np.testing.assert_array_equal(image.numpy(), STORED[None])
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-9)
    np.testing.assert_allclose(image.meta["spacing"], [2.0, 1.5, 3.0])


def test_a_dicom_folder_is_rescaled_ordered_and_placed(tmp_path: Path) -> None:
    stored = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    write_series(tmp_path / "ct", stored, slope=2.0)
    image = MedicalLoadImage()(tmp_path / "ct")
    np.testing.assert_array_equal(image.numpy()[0], stored * 2.0 - 1024)
    expected = [[-1, 0, 0, -10], [0, -2, 0, -20], [0, 0, 5, 30], [0, 0, 0, 1]]  # LPS turned to RAS
    np.testing.assert_allclose(image.affine, expected, atol=1e-6)
    assert image.meta["modality"] == "CT"


@pytest.mark.parametrize("name", ["picture", "colour", "nifti", "gz", "2D", "itk", "dicom"])
def test_every_format_gives_a_float_tensor_that_may_be_written_to(files: dict[str, Path], name: str) -> None:
    image = MedicalLoadImage()(files[name])
    assert isinstance(image, MetaTensor)
    assert image.dtype == torch.float32
    before = files[name].read_bytes() if files[name].is_file() else b""
    image += 1  # a mapped file, or a picture's own memory, would refuse
    assert not before or files[name].read_bytes() == before


@pytest.mark.parametrize("dtype", [np.float64, np.int32])
def test_the_tensor_has_the_type_that_is_asked_for(files: dict[str, Path], dtype: type) -> None:
    assert MedicalLoadImage(dtype=dtype)(files["nifti"]).numpy().dtype == dtype


# meta


@pytest.mark.parametrize(
    ("name", "kind", "shape"),
    [
        ("picture", "picture", (6, 4)),
        ("2D", "nifti", (2, 3, 1)),
        ("itk", "itk", (2, 3, 4)),
        ("dicom", "dicom", (2, 3, 4)),
    ],
)
def test_the_meta_says_what_monai_and_the_writers_need(
    files: dict[str, Path], name: str, kind: str, shape: tuple[int, ...]
) -> None:
    image = MedicalLoadImage()(files[name])
    meta = image.meta
    assert tuple(meta["spatial_shape"]) == shape == tuple(image.shape[1:])
    np.testing.assert_array_equal(meta["original_affine"], image.affine)
    assert (meta["kind"], meta["space"], meta["original_channel_dim"]) == (kind, "RAS", 0)
    assert (meta["filename_or_obj"], meta["warnings"]) == (str(files[name]), "")


@pytest.mark.parametrize("name", ["picture", "nifti", "2D", "itk", "dicom"])
def test_the_meta_names_no_patient(files: dict[str, Path], name: str) -> None:
    meta = MedicalLoadImage()(files[name]).meta
    assert b"Doe" not in np.asarray(meta["nifti_header"]).tobytes()
    assert not any("Doe" in str(value) for value in meta.values())


@pytest.mark.parametrize("name", ["picture", "gz", "2D", "itk", "dicom"])
def test_the_meta_survives_collation(files: dict[str, Path], name: str) -> None:
    before = MedicalLoadImage()(files[name])
    items = Dataset([{"image": files[name]}], MedicalLoadImaged(keys="image"))
    after = decollate_batch(next(iter(DataLoader(items, batch_size=1))))[0]["image"]
    assert isinstance(after, MetaTensor)
    assert set(after.meta) == set(before.meta)
    for key, value in before.meta.items():
        np.testing.assert_array_equal(np.asarray(after.meta[key]), np.asarray(value), err_msg=key)


def test_warnings_are_lines_each_once(tmp_path: Path) -> None:
    write_series(tmp_path / "x", STORED[..., :1], Modality="DX", PixelSpacing=None)
    (line,) = MedicalLoadImage()(tmp_path / "x").meta["warnings"].split("\n")
    assert line.startswith("no pixel spacing")
    assert MedicalLoadImage()([tmp_path / "x"] * 2).meta["warnings"] == line


def test_a_case_is_named_after_its_first_file_whatever_channels_are_read(tmp_path: Path) -> None:
    paths = [write_nifti(tmp_path / f"{i}.nii", np.full((2, 2, 2), i, np.int16)) for i in range(3)]
    image = MedicalLoadImage(channels=[2, 1])(paths)
    assert image[:, 0, 0, 0].tolist() == [2, 1]
    assert image.meta["filename_or_obj"] == str(paths[0])
    assert MedicalLoadImage(channels=1)(paths)[:, 0, 0, 0].tolist() == [1]


@pytest.mark.parametrize("channels", [[], [-1], [0, -2]])
def test_channels_are_numbers_of_sequences(channels: list[int]) -> None:
    with pytest.raises(InputError, match="give numbers of sequences, counted from 0"):
        MedicalLoadImage(channels=channels)


# the dictionary transform


def test_image_and_label_load_in_one_call(tmp_path: Path) -> None:
    image = write_nifti(tmp_path / "i.nii", np.full((2, 2, 2), -1000.5, np.float32))
    labels = np.array([[[0, 300], [2, 3]], [[4, 5], [6, 65535]]], np.uint16)
    label = write_nifti(tmp_path / "l.nii", labels)
    item = MedicalLoadImaged(keys=["image", "label"])({"image": str(image), "label": str(label), "case": "c"})
    assert item["case"] == "c"
    assert float(item["image"].min()) == -1000.5
    np.testing.assert_array_equal(item["label"].numpy(), labels[None])


def test_a_palette_is_colours_as_image_and_numbers_as_label(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], dtype=np.uint8)).convert("P")
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.save(tmp_path / "p.png")
    item = MedicalLoadImaged(keys=["image", "label"])(dict.fromkeys(("image", "label"), tmp_path / "p.png"))
    np.testing.assert_array_equal(item["image"].numpy()[:, 0, 1], [40, 50, 60])
    np.testing.assert_array_equal(item["label"].numpy(), [[[0, 1], [2, 1]]])


def test_a_label_in_colour_is_refused(files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=r"^c\.png: a label map in colour"):
        MedicalLoadImaged(keys="label")({"label": files["colour"]})


def test_channels_choose_among_volumes_of_the_image_but_not_of_its_label(tmp_path: Path) -> None:
    array = np.arange(2 * 2 * 2 * 4, dtype=np.int16).reshape(2, 2, 2, 4)
    image = write_nifti(tmp_path / "i.nii.gz", array)
    label = write_nifti(tmp_path / "l.nii.gz", array[..., 0] % 3)
    load = MedicalLoadImaged(keys=["image", "label"], channels=[0, 2, 3])
    item = load({"image": image, "label": label})
    np.testing.assert_array_equal(item["image"].numpy(), np.moveaxis(array, -1, 0)[[0, 2, 3]])
    np.testing.assert_array_equal(item["label"].numpy()[0], array[..., 0] % 3)


@pytest.mark.parametrize("name", ["picture", "gz", "itk", "dicom"])
def test_the_limits_hold_for_every_format_and_key(files: dict[str, Path], name: str) -> None:
    for key in ("image",) if name == "dicom" else ("image", "label"):
        MedicalLoadImaged(keys=key, max_voxels=24, max_side=6)({key: files[name]})
        with pytest.raises(InputError, match="is above the limit of 23 values"):
            MedicalLoadImaged(keys=key, max_voxels=23)({key: files[name]})
        with pytest.raises(InputError, match="the limit of a side is 2"):
            MedicalLoadImaged(keys=key, max_side=2)({key: files[name]})


def test_the_series_of_a_folder_is_chosen_by_number(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((2, 2, 2)), number=3)
    write_series(tmp_path / "ct", np.zeros((2, 2, 3)), number=7, Modality="MR")
    load = MedicalLoadImaged(keys="image", series="7")
    assert load({"image": tmp_path / "ct"})["image"].meta["modality"] == "MR"


def test_a_missing_key_is_passed_over_only_where_that_is_allowed(files: dict[str, Path]) -> None:
    item = {"image": files["picture"]}
    assert set(MedicalLoadImaged(keys=["image", "label"], allow_missing_keys=True)(item)) == {"image"}
    with pytest.raises(KeyError, match="label"):
        MedicalLoadImaged(keys=["image", "label"])(item)


# what MONAI's loader and its applications ask of a loader


def test_applications_know_it_as_a_loader_and_can_ask_for_the_meta(files: dict[str, Path]) -> None:
    loader = MedicalLoadImaged(keys="image")
    assert isinstance(loader, LoadImaged)
    assert "LoadImage" in type(loader).__name__
    loader._loader.image_only = False  # as MONAI Label does
    item = loader({"image": str(files["nifti"])})
    assert tuple(item["image_meta_dict"]["spatial_shape"]) == (2, 3, 4)


@pytest.mark.parametrize("name", ["gone.png", "broken.png", "cut.png", "broken.nii", "cut.nii.gz", "x.txt"])
def test_what_cannot_be_read_gets_one_line_with_its_name(
    tmp_path: Path, files: dict[str, Path], name: str
) -> None:
    (tmp_path / "x.txt").write_text("hello")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "broken.nii").write_bytes(b"no volume")
    for kind, suffix in (("picture", "png"), ("gz", "nii.gz")):
        whole = files[kind].read_bytes()
        (tmp_path / f"cut.{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError) as caught:
        MedicalLoadImage()(tmp_path / name)
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
