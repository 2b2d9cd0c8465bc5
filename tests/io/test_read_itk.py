from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.io.read_itk import load_itk

VOLUME = np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 7


def write(path: Path, array: np.ndarray, colour: bool = False, packed: bool = False) -> Path:
    """(X, Y, Z), (X, Y) or with `colour` (X, Y, Z, 3), turned and placed in LPS."""
    import itk

    axes = range(array.ndim - colour - 1, -1, -1)
    image = itk.image_from_array(
        np.ascontiguousarray(array.transpose(*axes, *[array.ndim - 1] * colour)), is_vector=colour
    )
    dimensions = len(axes)
    image.SetSpacing([2.0, 3.0, 5.0][:dimensions])
    image.SetOrigin([10.0, 20.0, 30.0][:dimensions])
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=float)[:dimensions, :dimensions]
    image.SetDirection(itk.matrix_from_array(turn))
    itk.imwrite(image, str(path), compression=packed)
    return path


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "packed"])
@pytest.mark.parametrize("name", ["v.mha", "v.mhd", "v.nrrd"])
def test_a_volume_keeps_its_order_and_lies_in_ras(tmp_path: Path, name: str, packed: bool) -> None:
    planes, meta = load_itk(write(tmp_path / name, VOLUME, packed=packed))
    np.testing.assert_array_equal(planes, VOLUME[None])
    # first axis, 2 mm, to posterior; second, 3 mm, to the patient's right
    expected = [[0, 3, 0, -10], [-2, 0, 0, -20], [0, 0, 5, 30], [0, 0, 0, 1]]
    np.testing.assert_allclose(meta["affine"], expected, atol=1e-9)
    np.testing.assert_allclose(meta["spacing"], [2, 3, 5])
    assert (meta["kind"], meta["modality"], meta["bits"], meta["warnings"]) == ("itk", "", 0, [])


@pytest.mark.parametrize("suffix", ["mha", "nrrd"])
def test_the_name_may_be_in_capitals(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"v.{suffix}", VOLUME).rename(tmp_path / f"V.{suffix.upper()}")
    np.testing.assert_array_equal(load_itk(path)[0], VOLUME[None])


@pytest.mark.parametrize("name", ["s.mha", "s.nrrd"])
def test_two_dimensions_become_a_volume_of_one_slice(tmp_path: Path, name: str) -> None:
    planes, meta = load_itk(write(tmp_path / name, VOLUME[:, :, 1]))
    np.testing.assert_array_equal(planes, VOLUME[None, :, :, 1:2])
    expected = [[0, 3, 0, -10], [-2, 0, 0, -20], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(meta["affine"], expected, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_every_number_type_keeps_its_values(tmp_path: Path, dtype: type) -> None:
    array = np.array([[[0, 1], [2, 100]]], dtype=dtype)
    np.testing.assert_array_equal(load_itk(write(tmp_path / "v.nrrd", array))[0][0], array)


@pytest.mark.parametrize("name", ["c.mha", "c.nrrd"])
def test_rgb_gives_three_channels_and_other_vectors_are_refused(tmp_path: Path, name: str) -> None:
    array = np.stack([VOLUME, VOLUME * 2, VOLUME * 3], axis=-1)
    planes, meta = load_itk(write(tmp_path / name, array.astype(np.uint8), colour=True))
    np.testing.assert_array_equal(planes, np.moveaxis(array.astype(np.uint8), -1, 0))
    assert meta["bits"] == 8
    with pytest.raises(InputError, match="3 numbers a voxel"):
        load_itk(tmp_path / name, label=True)
    with pytest.raises(InputError, match=rf"^{name}: 3 numbers a voxel; save each sequence"):
        load_itk(write(tmp_path / name, array.astype(np.float32), colour=True))


def test_the_limit_is_looked_at_before_the_voxels(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mha", VOLUME)
    path.write_bytes(path.read_bytes().replace(b"DimSize = 2 3 4", b"DimSize = 30000 30000 1"))
    with pytest.raises(
        InputError, match=r"^v\.mha: 30000 × 30000 × 1 is above the limit of 536870912 values"
    ):
        load_itk(path)
    path.write_bytes(path.read_bytes().replace(b"DimSize = 30000 30000 1", b"DimSize = 512 512 512"))
    with pytest.raises(InputError, match=r"^v\.mha: less data than its header announces"):
        load_itk(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"DimSize = 2 3 4", b"DimSize = 2 0 4", "no image in it"),
        (b"DimSize = 2 3 4", b"DimSize = 2 3 3", "more data than its header announces"),
        (b"NDims = 3", b"NDims = 99", "99 dimensions"),
        (b"NDims = 3", b"Dims = 3", "not a MetaImage or NRRD file"),
        (b"BinaryData = True", b"BinaryData = False", "voxels as text"),
        (b"ElementSpacing = 2", b"ElementSpacing = 90000", "is no patient"),
        (b"ElementDataFile = LOCAL", b"ElementDataFile = /etc/passwd", "not in one file beside it"),
        (b"ElementDataFile = LOCAL", b"ElementDataFile = ../other.raw", "not in one file beside it"),
        (b"ElementDataFile = LOCAL", b"ElementDataFile = gone.raw", "not in one file beside it"),
    ],
)
def test_a_header_that_cannot_be_right_is_refused(
    tmp_path: Path, old: bytes, new: bytes, message: str
) -> None:
    path = write(tmp_path / "v.mha", VOLUME)
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(InputError, match=rf"^v\.mha: .*{message}"):
        load_itk(path)


@pytest.mark.parametrize("name", ["v.mha", "v.nrrd"])
def test_damage_in_packed_voxels_is_seen(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, VOLUME, packed=True)
    content = bytearray(path.read_bytes())
    content[-12] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^{name}: not a whole MetaImage or NRRD file"):
        load_itk(path)
