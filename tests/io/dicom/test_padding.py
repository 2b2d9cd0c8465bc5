"""Padding is found whatever its sign and range, and becomes what lies outside of the patient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from monai_ext.io.dicom.padding import outside
from monai_ext.io.dicom.pixels import series_volume
from monai_ext.io.dicom.series import read_series
from monai_ext.transforms import DisplayRange
from monai_ext.transforms.load import MedicalLoadImage
from tests.io.dicom.dicom_files import write_enhanced, write_series

PIXEL_PADDING_VALUE, PIXEL_PADDING_RANGE_LIMIT = 0x00280120, 0x00280121


def stated(value: Any, limit: Any = None, vr: str = "US", implicit: bool = False):
    """Gives a slice a padding value, and a range to `limit`, stated in that VR."""

    def each(ds: Dataset, z: int = 0) -> None:
        ds.add_new(PIXEL_PADDING_VALUE, vr, value)
        if limit is not None:
            ds.add_new(PIXEL_PADDING_RANGE_LIMIT, vr, limit)
        if implicit:
            ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"

    return each


def read(folder: Path, values: list[int], *, each: Any = None, **tags: Any) -> list[float]:
    """What becomes of stored values, which may be negative, in one slice of two equal rows."""
    stored = np.array(values).reshape(-1, 1, 1).repeat(2, axis=1)
    write_series(folder, stored & 0xFFFF, each=each, **tags)
    volume = series_volume(read_series(folder).planes)
    np.testing.assert_array_equal(volume[:, 0], volume[:, 1])
    return volume[:, 0, 0].tolist()


# what is padding


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize(("vr", "value"), [("US", 63536), ("SS", -2000)])
@pytest.mark.parametrize("signed", [0, 1])
def test_the_sign_of_the_pixels_counts_and_not_that_of_the_tag(
    tmp_path: Path, signed: int, vr: str, value: int, implicit: bool
) -> None:
    each = stated(value, vr=vr, implicit=implicit)
    assert read(tmp_path, [63536, 1024, 5], each=each, PixelRepresentation=signed) == [-1024, 0, -1019]


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("value", [4096, 35536, 63536])  # with a sign: 4096, -30000, -2000
@pytest.mark.parametrize("signed", [0, 1])
def test_padding_over_the_bits_that_are_not_used_is_found(
    tmp_path: Path, signed: int, value: int, implicit: bool
) -> None:
    tags = {"PixelRepresentation": signed, "BitsStored": 12, "HighBit": 11, "intercept": -1000.0}
    each = stated(value, implicit=implicit)
    assert read(tmp_path, [value, 1024, 5], each=each, **tags) == [-1024, 24, -995]


def test_padding_with_a_sign_may_leave_the_bits_that_are_not_used(tmp_path: Path) -> None:
    tags = {"PixelRepresentation": 1, "BitsStored": 12, "HighBit": 11}
    assert read(tmp_path, [-2000 & 0xFFF, 1024], each=stated(-2000, vr="SS"), **tags) == [-1024, 0]


def test_a_value_that_has_the_low_bits_of_such_padding_is_none(tmp_path: Path) -> None:
    tags = {"BitsStored": 12, "HighBit": 11}
    assert read(tmp_path, [63536, 63536 & 0xFFF], each=stated(63536), **tags) == [-1024, 1072]


def test_compressed_pixels_have_no_bits_that_are_not_used(tmp_path: Path) -> None:
    tags = {"BitsStored": 12, "HighBit": 11, "intercept": 0.0, "rle": True}
    assert read(tmp_path, [7, 63536 & 0xFFF], each=stated(63536), **tags) == [7, 63536 & 0xFFF]


def test_other_bits_that_are_not_used_do_not_hide_padding(tmp_path: Path) -> None:
    tags = {"BitsStored": 12, "HighBit": 11, "intercept": 0.0}
    assert read(tmp_path, [7 | 0x7000, 8], each=stated(7), **tags) == [-1024, 8]


@pytest.mark.parametrize("ends", [(10, 12), (12, 10)])
def test_a_range_holds_both_its_ends(tmp_path: Path, ends: tuple[int, int]) -> None:
    values = read(tmp_path, [9, 10, 11, 12, 13], each=stated(*ends), intercept=0.0)
    assert values == [9, -1024, -1024, -1024, 13]


def test_a_range_of_negative_values_may_be_stated_without_sign(tmp_path: Path) -> None:
    each = stated(0x10000 - 2000, 0x10000 - 1500)
    values = read(tmp_path, [-2000, -1700, -1500, -1499, 0], each=each, intercept=0.0, PixelRepresentation=1)
    assert values == [-1024, -1024, -1024, -1499, 0]


def test_a_limit_without_a_value_is_no_padding(tmp_path: Path) -> None:
    def each(ds: Dataset, _: int) -> None:
        ds.add_new(PIXEL_PADDING_RANGE_LIMIT, "US", 10)

    assert read(tmp_path, [9, 10, 11], each=each, intercept=0.0) == [9, 10, 11]


@pytest.mark.parametrize("value", ["", b"", b"\x0a\0", b"\x0a\0\x0b\0"])
def test_padding_may_be_empty_or_of_an_unknown_type(tmp_path: Path, value: Any) -> None:
    values = read(tmp_path, [10, 11], each=stated(value, vr="OW" if value else "US"), intercept=0.0)
    assert values == ([-1024, 11] if value else [10, 11])


def test_values_of_8_bits_are_compared_whole(tmp_path: Path) -> None:
    tags = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "Rows": 2, "intercept": 0.0}

    def each(ds: Dataset, z: int) -> None:
        stated(48)(ds) if z else stated(63536)(ds)  # of which 48 are the low bits
        ds.PixelData = bytes([48, 49] * 2)

    write_series(tmp_path, np.zeros((2, 2, 2)), each=each, **tags)
    assert series_volume(read_series(tmp_path).planes)[:, 0].T.tolist() == [[48, 49], [-1024, 49]]


def test_padding_is_compared_as_stored_and_before_rescaling(tmp_path: Path) -> None:
    values = read(tmp_path, [100, 50, 0], each=stated(100), slope=2.0, intercept=-100.0)
    assert values == [-1024, 0, -100]


def test_compressed_slices_have_padding_too(tmp_path: Path) -> None:
    def each(ds: Dataset, _: int) -> None:
        stated(63536)(ds)

    write_series(tmp_path, np.array([[[63536]] * 3, [[1024]] * 3]), each=each, rle=True)
    assert series_volume(read_series(tmp_path).planes)[:, 0, 0].tolist() == [-1024, 0]


def test_frames_of_an_enhanced_file_have_padding_whatever_their_slope(tmp_path: Path) -> None:
    stored = np.array([[[100, 7]] * 2, [[1024, 100]] * 2])
    write_enhanced(
        tmp_path / "e.dcm", stored, [(0, 0, 0), (0, 0, 3)], slopes=[1.0, 2.0], PixelPaddingValue=100
    )
    assert series_volume(read_series(tmp_path / "e.dcm").planes)[:, 0].T.tolist() == [
        [-1024, 0],
        [-1010, -1024],
    ]


# what it becomes


@pytest.mark.parametrize(
    ("modality", "others", "value"),
    [
        ("CT", [5.0, 7.0], -1024.0),
        ("CT", [-3000.0, 7.0], -1024.0),
        ("CT", [], -1024.0),
        ("MR", [5.0, 7.0], 0.0),
        ("MR", [-5.0, 7.0], -5.0),
        ("MR", [], 0.0),
        ("PT", [5.0, 7.0], 5.0),
        ("", [-5.0, 7.0], -5.0),
    ],
)
def test_outside_is_air_or_no_signal_or_the_lowest_value(modality: str, others: list, value: float) -> None:
    assert outside(modality, np.array(others)) == value


def test_an_inverted_radiograph_is_black_outside(tmp_path: Path) -> None:
    tags = {"Modality": "DX", "PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
    values = read(tmp_path, [0, 4000, 1000, 2000], each=stated(0), intercept=0.0, **tags)
    assert values == [95, 95, 3095, 2095]


def test_the_lowest_value_is_that_of_all_slices(tmp_path: Path) -> None:
    stored = np.array([[[1, 9]] * 2, [[50, 40]] * 2])
    write_series(tmp_path, stored, each=stated(9), intercept=0.0, Modality="PT")
    assert series_volume(read_series(tmp_path).planes)[:, 0].T.tolist() == [[1, 50], [1, 40]]


@pytest.mark.parametrize("modality", ["CT", "MR", "DX", "PT"])
@pytest.mark.parametrize("padding", [0, 60_000])
def test_the_display_is_that_of_the_image_without_padding(
    tmp_path: Path, modality: str, padding: int
) -> None:
    inside = np.random.default_rng(0).integers(1, 3000, (20, 20, 3))
    frame = np.zeros(inside.shape, bool)
    frame[:6], frame[:, :6] = True, True
    for name, outer in (("padded", padding), ("plain", int(inside[~frame].min()) - (modality == "MR"))):
        stored = np.where(frame, outer, inside)
        each = stated(padding) if name == "padded" else None
        intercept = -1024.0 if modality == "CT" else 0.0
        write_series(tmp_path / name, stored, Modality=modality, each=each, intercept=intercept)
    shown = [DisplayRange()(MedicalLoadImage()(tmp_path / name)) for name in ("padded", "plain")]
    np.testing.assert_array_equal(shown[0][:, ~frame], shown[1][:, ~frame])
    assert not shown[0][:, frame].any()


def test_padding_that_is_the_lowest_value_of_mr_changes_nothing(tmp_path: Path) -> None:
    values = read(tmp_path, [0, 3, 500], each=stated(0), intercept=0.0, Modality="MR")
    assert values == [0, 3, 500]
