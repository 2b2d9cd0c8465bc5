"""Images at one position, of one series or file: copies are passed over, others are refused with what differs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from monai_ext.errors import InputError
from monai_ext.io.dicom.copies import check_owners, without_copies
from monai_ext.io.dicom.headers import read_planes
from monai_ext.io.dicom.series import read_series
from tests.io.dicom.dicom_files import write_enhanced, write_series

VOLUME = np.arange(24).reshape(4, 3, 2)


def change(folder: Path, name: str, **tags: Any) -> None:
    """Overwrite tags of a file; ``shift`` is added to its stored values."""
    ds = dcmread(folder / name)
    shift = tags.pop("shift", 0)
    ds.PixelData = (ds.pixel_array + np.uint16(shift)).tobytes()
    for tag, value in tags.items():
        setattr(ds, tag, value)
    ds.save_as(folder / name)


def twice(tmp_path: Path, **tags: Any) -> Path:
    """A series whose second slice ("1-001.dcm") is there again ("again.dcm"), with other tags or values."""
    write_series(tmp_path / "ct", VOLUME)
    shutil.copy(tmp_path / "ct/1-001.dcm", tmp_path / "ct/again.dcm")
    change(tmp_path / "ct", "again.dcm", **tags)
    return tmp_path / "ct"


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_series(path)
    assert "\n" not in str(caught.value)
    assert not any(word in str(caught.value) for word in ("Doe", "Roe", "secret", "1.2.3"))
    return str(caught.value)


# copies


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"SOPInstanceUID": generate_uid()},  # as an archive gives it to a copy
        {"ImagePositionPatient": [10.0, 20.0, 35.0004]},  # as a rounding leaves it
        {"AcquisitionTime": "121314"},
        {"shift": 5, "RescaleIntercept": -1029.0},  # the same values, stored otherwise
    ],
)
def test_the_same_values_at_one_position_are_a_copy(tmp_path: Path, tags: dict) -> None:
    series = read_series(twice(tmp_path, **tags))
    assert [plane.file.name for plane in series.planes] == ["1-002.dcm", "1-001.dcm"]
    assert series.warnings == ("1 of 3 DICOM images are copies of others and were left out",)


def test_a_copy_that_is_compressed_is_a_copy(tmp_path: Path) -> None:
    folder = twice(tmp_path)
    ds = dcmread(folder / "again.dcm")
    ds.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    ds.save_as(folder / "again.dcm")
    assert [plane.file.name for plane in read_series(folder).planes] == ["1-002.dcm", "1-001.dcm"]


def test_padding_of_another_value_does_not_tell_a_copy_apart(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.maximum(VOLUME, 3), PixelPaddingValue=3)
    shutil.copy(tmp_path / "ct/1-002.dcm", tmp_path / "ct/again.dcm")
    ds = dcmread(tmp_path / "ct/again.dcm")
    stored = ds.pixel_array.copy()
    assert (stored == 3).sum() == 2
    ds.PixelData, ds.PixelPaddingValue = np.where(stored == 3, 999, stored).astype("<u2").tobytes(), 999
    ds.save_as(tmp_path / "ct/again.dcm")
    assert len(read_series(tmp_path / "ct").planes) == 2


def test_slices_of_one_instance_uid_and_equal_pixels_at_other_positions_are_no_copies(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((3, 2, 4)), SOPInstanceUID=generate_uid())
    series = read_series(tmp_path / "ct")
    assert (len(series.planes), series.warnings) == (4, ())


@pytest.mark.parametrize("distance", [0.01, 0.0015])
def test_slices_of_a_thousandth_of_a_millimetre_are_no_copies(tmp_path: Path, distance: float) -> None:
    write_series(tmp_path / "ct", np.zeros((3, 2, 4)), spacing=(0.01, 0.01, distance))
    assert len(read_series(tmp_path / "ct").planes) == 4


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"Rows": 4, "Columns": 3}, "two images at one position"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, 1]}, "slices of different orientations"),
    ],
)
def test_equal_bytes_of_another_shape_or_orientation_are_no_copy(
    tmp_path: Path, tags: dict, message: str
) -> None:
    write_series(tmp_path / "ct", np.zeros((4, 3, 2)))
    shutil.copy(tmp_path / "ct/1-001.dcm", tmp_path / "ct/again.dcm")
    change(tmp_path / "ct", "again.dcm", **tags)
    assert message in refusal(tmp_path / "ct")


def test_of_copies_without_a_position_the_first_is_read(tmp_path: Path) -> None:
    tags = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "Modality": "DX"}
    write_series(tmp_path / "x", VOLUME[..., :1], **tags)
    shutil.copy(tmp_path / "x/1-001.dcm", tmp_path / "x/2.dcm")
    series = read_series(tmp_path / "x")
    assert [plane.file.name for plane in series.planes] == ["1-001.dcm"]
    change(tmp_path / "x", "2.dcm", shift=1)
    assert "2 images cannot be stacked" in refusal(tmp_path / "x")


@pytest.mark.parametrize("tag", ["ImagePositionPatient", "ImageOrientationPatient"])
def test_an_image_without_a_position_or_orientation_is_no_copy_of_one_that_has_it(
    tmp_path: Path, tag: str
) -> None:
    write_series(tmp_path / "ct", np.zeros((4, 3, 2)))
    shutil.copy(tmp_path / "ct/1-001.dcm", tmp_path / "ct/again.dcm")
    change(tmp_path / "ct", "again.dcm", **{tag: None})
    planes = [plane for file in sorted((tmp_path / "ct").iterdir()) for plane in read_planes(file)]
    assert without_copies("ct", planes) == (planes, [])


# others


def test_other_values_at_one_position_are_refused_though_the_instance_uid_is_one(tmp_path: Path) -> None:
    assert refusal(twice(tmp_path, shift=1)) == (
        "ct: two images at one position; they differ in nothing but their pixels (“1-001.dcm” and “again.dcm”); give"
        " one folder per time point, echo or reconstruction."
    )


@pytest.mark.parametrize(
    ("tags", "difference"),
    [
        ({"EchoTime": "9.2"}, "EchoTime (9.2, none)"),
        (
            {"AcquisitionNumber": 2, "ConvolutionKernel": "B70f"},
            "AcquisitionNumber (2, none), ConvolutionKernel",
        ),
        ({"AcquisitionTime": "121314"}, "AcquisitionTime"),
        ({"DiffusionBValue": 0.0}, "DiffusionBValue (0.0, none)"),
        ({"InversionTime": "150", "FlipAngle": "9"}, "FlipAngle (9, none), InversionTime (150, none)"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P"]}, "ImageType"),
        (
            {"TemporalPositionIdentifier": 3, "TriggerTime": "40"},
            "TemporalPositionIdentifier (3, none), TriggerTime",
        ),
    ],
)
def test_two_images_at_one_position_are_refused_with_what_distinguishes_them(
    tmp_path: Path, tags: dict, difference: str
) -> None:
    message = refusal(twice(tmp_path, shift=1, **tags))
    assert message.startswith(f"ct: two images at one position; they differ in {difference}")


def test_of_three_images_at_one_position_two_are_named_and_all_compared(tmp_path: Path) -> None:
    folder = twice(tmp_path, shift=1, EchoTime="9.2")
    shutil.copy(folder / "again.dcm", folder / "once more.dcm")
    change(folder, "once more.dcm", shift=1, EchoTime="14")
    assert "they differ in EchoTime (9.2, 14, none) (“1-001.dcm” and “again.dcm”)" in refusal(folder)


def test_frames_at_one_position_are_named_by_their_number(tmp_path: Path) -> None:
    write_enhanced(tmp_path / "e.dcm", VOLUME, [(0, 0, 0), (0, 0, 0)])
    assert "differ in TemporalPositionIdentifier (1, 2) (frames 1 and 2 of “e.dcm”)" in refusal(
        tmp_path / "e.dcm"
    )


def test_one_pair_that_differs_among_copies_is_found(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", VOLUME)
    shutil.copytree(tmp_path / "ct", tmp_path / "ct/b")
    assert len(read_series(tmp_path / "ct").planes) == 2
    change(tmp_path / "ct/b", "1-001.dcm", shift=1)  # the position that comes last
    assert "two images at one position" in refusal(tmp_path / "ct")


def test_where_the_first_pair_differs_the_others_are_not_decoded(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", VOLUME)
    shutil.copytree(tmp_path / "ct", tmp_path / "ct/b")
    change(tmp_path / "ct/b", "1-002.dcm", shift=1)  # the position that comes first
    last = tmp_path / "ct/b/1-001.dcm"
    last.write_bytes(last.read_bytes()[:-10])
    assert "two images at one position" in refusal(tmp_path / "ct")


def test_the_pixels_of_images_that_are_alone_at_their_position_are_not_read(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", VOLUME)
    planes = [plane for file in sorted((tmp_path / "ct").iterdir()) for plane in read_planes(file)]
    shutil.rmtree(tmp_path / "ct")
    assert without_copies("ct", planes) == (planes, [])


# owners


@pytest.mark.parametrize(
    ("tag", "values", "message"),
    [
        (
            "FrameOfReferenceUID",
            ("1.2.3.4", "1.2.3.5"),
            "ct: images of 2 frames of reference in one series (FrameOfReferenceUID differs), so their positions cannot"
            " be compared; give one folder for each.",
        ),
        (
            "StudyInstanceUID",
            ("1.2.3.4", "1.2.3.5"),
            "ct: images of 2 studies in one series (StudyInstanceUID",
        ),
        (
            "PatientID",
            ("secret-1", "secret-2"),
            "ct: images of 2 patients in one series (PatientID differs), so they",
        ),
        (
            "PatientName",
            ("Doe^Jane", "Roe^Jane"),
            "ct: images of 2 patients in one series (PatientName differs)",
        ),
    ],
)
def test_a_series_of_several_owners_is_refused(tmp_path: Path, tag: str, values: tuple, message: str) -> None:
    write_series(tmp_path / "ct", VOLUME, **{tag: values[0]})
    change(tmp_path / "ct", "1-001.dcm", **{tag: values[1]})
    assert refusal(tmp_path / "ct").startswith(message)


@pytest.mark.parametrize("tag", ["FrameOfReferenceUID", "StudyInstanceUID", "PatientID", "PatientName"])
@pytest.mark.parametrize("other", ["", None])
def test_an_owner_that_a_file_leaves_empty_or_out_is_no_other(tmp_path: Path, tag: str, other: Any) -> None:
    write_series(tmp_path / "ct", VOLUME, **{tag: "1.2.3"})
    change(tmp_path / "ct", "1-001.dcm", **{tag: other})
    assert len(read_series(tmp_path / "ct").planes) == 2


def test_every_owner_is_counted(tmp_path: Path) -> None:
    write_series(
        tmp_path / "ct", np.zeros((2, 2, 3)), each=lambda ds, z: setattr(ds, "PatientID", f"secret-{z}")
    )
    planes = [plane for file in (tmp_path / "ct").iterdir() for plane in read_planes(file)]
    with pytest.raises(InputError, match="^ct: images of 3 patients in one series"):
        check_owners("ct", planes)
    check_owners("ct", planes[:1] * 2)
