"""Masks of MetaImage and NRRD files: the same file but for its voxels, to ITK, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from monai.data import MetaTensor

from monai_ext.io.read_itk import load_itk
from monai_ext.io.write_itk import write_itk
from monai_ext.transforms import MedicalLoadImage
from tests.io.image_files import write_itk as write_file
from tests.orientations import rotation

TURNS = {
    "straight": np.eye(3),
    "axes swapped": np.array([[0.0, 0, -1], [1, 0, 0], [0, 1, 0]]),
    "mirrored": np.diag([-1.0, 1, 1]),
    "oblique": rotation(20, -35, 50),
    "oblique and mirrored": rotation(-7, 3, 111) @ np.diag([1.0, -1, 1]),
}
MASK = (np.random.default_rng(0).random((2, 3, 4)) > 0.5).astype(np.uint8)


def image_file(path: Path, turn: np.ndarray, dimensions: int = 3) -> Path:
    """A file of 2 x 3 x 4 or 2 x 3 voxels with numbers that no short decimal holds."""
    image = sitk.GetImageFromArray(np.zeros((4, 3, 2)[-dimensions:], np.int16))
    image.SetSpacing((np.sqrt([0.5, 2, 7])[:dimensions]).tolist())
    image.SetOrigin((np.pi * np.array([-31.0, 17, 5]))[:dimensions].tolist())
    image.SetDirection(turn[:dimensions, :dimensions].ravel().tolist())
    sitk.WriteImage(image, str(path))
    return path


def geometry(path: Path) -> list[Any]:
    image = sitk.ReadImage(str(path))
    return [image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()]


def voxels(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T


@pytest.mark.parametrize("name", ["v.mha", "v.mhd", "v.nrrd"])
@pytest.mark.parametrize("turn", TURNS.values(), ids=list(TURNS))
def test_a_mask_lies_exactly_where_the_image_does(tmp_path: Path, turn: np.ndarray, name: str) -> None:
    source = image_file(tmp_path / name, turn)
    target = tmp_path / ("mask.nrrd" if name == "v.nrrd" else "mask.mha")
    planes, meta = load_itk(source)
    assert planes.shape == (1, *MASK.shape)
    write_itk(target, MASK, meta)
    assert geometry(target) == geometry(source)
    np.testing.assert_array_equal(voxels(target), MASK)
    np.testing.assert_array_equal(load_itk(target)[0][0], MASK)


@pytest.mark.parametrize("name", ["s.mha", "s.nrrd"])
def test_two_dimensions_stay_two(tmp_path: Path, name: str) -> None:
    source = image_file(tmp_path / name, rotation(0, 0, 33), dimensions=2)
    _, meta = load_itk(source)
    write_itk(tmp_path / f"mask{source.suffix}", MASK[:, :, :1], meta)
    assert geometry(tmp_path / f"mask{source.suffix}") == geometry(source)
    np.testing.assert_array_equal(voxels(tmp_path / f"mask{source.suffix}"), MASK[:, :, 0])


@pytest.mark.parametrize("name", ["c.mha", "c.nrrd"])
def test_the_mask_of_a_volume_in_colour_has_one_number_a_voxel(tmp_path: Path, name: str) -> None:
    source = write_file(tmp_path / name, np.arange(72, dtype=np.uint8).reshape(2, 3, 4, 3), colour=True)
    _, meta = load_itk(source)
    target = tmp_path / f"mask{source.suffix}"
    write_itk(target, MASK, meta)
    assert geometry(target) == geometry(source)
    np.testing.assert_array_equal(voxels(target), MASK)


@pytest.mark.parametrize("space", ["right-anterior-superior", "left-posterior-superior", "RAS", ""])
def test_a_nrrd_file_keeps_its_space(tmp_path: Path, space: str) -> None:
    source = image_file(tmp_path / "v.nrrd", TURNS["oblique"])
    text = source.read_bytes().replace(b"space: left-posterior-superior", f"space: {space}".encode())
    source.write_bytes(text if space else text.replace(b"space: \n", b"space dimension: 3\n"))
    _, meta = load_itk(source)
    write_itk(tmp_path / "mask.nrrd", MASK, meta)
    assert geometry(tmp_path / "mask.nrrd") == geometry(source)


@pytest.mark.parametrize("unit", ["cm", "um", "mm"])
def test_a_nrrd_file_that_counts_in_another_unit_keeps_it(tmp_path: Path, unit: str) -> None:
    source = image_file(tmp_path / "v.nrrd", TURNS["oblique"])
    units = f'\nspace units: "{unit}" "{unit}" "{unit}"\n\n'.encode()
    source.write_bytes(source.read_bytes().replace(b"\n\n", units, 1))
    factor = {"cm": 0.1, "um": 1e3, "mm": 1}[unit]
    _, meta = load_itk(source)
    write_itk(tmp_path / "mask.nrrd", MASK, meta)
    assert geometry(tmp_path / "mask.nrrd") == geometry(source)
    np.testing.assert_array_equal(load_itk(tmp_path / "mask.nrrd")[1]["affine"], meta["affine"])
    np.testing.assert_allclose(meta["spacing"] * factor, np.sqrt([0.5, 2, 7]))
    text = (tmp_path / "mask.nrrd").read_bytes().split(b"\n\n")[0]
    assert f'space units: "{unit}" "{unit}" "{unit}"'.encode() in text


@pytest.mark.parametrize("lines", ["", "spacings: 0.7 0.3 1.1\n", 'spacings: 2 3 4\nunits: "cm" "cm" "cm"\n'])
def test_the_mask_of_a_nrrd_file_states_no_more_than_the_file(tmp_path: Path, lines: str) -> None:
    header = f"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 3 4\nencoding: raw\n{lines}\n"
    (tmp_path / "v.nrrd").write_bytes(header.encode() + bytes(24))
    meta = load_itk(tmp_path / "v.nrrd")[1]
    write_itk(tmp_path / "mask.nrrd", MASK, meta)
    planes, of_mask = load_itk(tmp_path / "mask.nrrd")
    np.testing.assert_array_equal(planes[0], MASK)
    np.testing.assert_array_equal(of_mask["affine"], meta["affine"])
    assert of_mask["warnings"] == meta["warnings"]


def test_a_metaimage_that_counts_in_another_unit_keeps_it(tmp_path: Path) -> None:
    source = image_file(tmp_path / "v.mha", TURNS["oblique"])
    source.write_bytes(
        source.read_bytes().replace(b"\nElementDataFile", b"\nDistanceUnits = cm\nElementDataFile")
    )
    _, meta = load_itk(source)
    write_itk(tmp_path / "mask.mha", MASK, meta)
    planes, of_mask = load_itk(tmp_path / "mask.mha")
    np.testing.assert_array_equal(planes[0], MASK)
    np.testing.assert_array_equal(of_mask["affine"], meta["affine"])
    assert geometry(tmp_path / "mask.mha") == geometry(source)


def test_only_spacings(tmp_path: Path) -> None:
    header = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 3 4\nencoding: raw\nspacings: 0.7 0.3 1.1\n\n"
    (tmp_path / "v.nrrd").write_bytes(header.encode() + bytes(24))
    write_itk(tmp_path / "mask.nrrd", MASK, load_itk(tmp_path / "v.nrrd")[1])
    assert geometry(tmp_path / "mask.nrrd") == geometry(tmp_path / "v.nrrd")


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_it_is_compressed_and_the_same_each_time(tmp_path: Path, suffix: str) -> None:
    image = MedicalLoadImage()(image_file(tmp_path / f"v{suffix}", TURNS["oblique"]))
    assert isinstance(image, MetaTensor)
    for name in "ab":
        write_itk(tmp_path / f"{name}{suffix}", np.zeros((2, 3, 4), np.uint8), image.meta)
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second
    assert b"CompressedData = True" in first or b"encoding: gzip" in first


def test_a_file_that_cannot_be_written_is_an_os_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(image: Any, name: str, useCompression: bool) -> None:
        Path(name).write_bytes(b"half")
        raise RuntimeError("ITK ERROR: No space left on device")

    _, meta = load_itk(image_file(tmp_path / "v.mha", TURNS["straight"]))
    monkeypatch.setattr(sitk, "WriteImage", full)
    with pytest.raises(OSError, match="ITK cannot write the file"):
        write_itk(tmp_path / "out/mask.mha", MASK, meta)
    assert list((tmp_path / "out").iterdir()) == []
