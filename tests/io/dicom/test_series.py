from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import MediaStorageDirectoryStorage, SecondaryCaptureImageStorage, generate_uid

from monai_ext.errors import InputError
from monai_ext.io.dicom.files import dicom_files
from monai_ext.io.dicom.series import case_folders, image_files, read_series
from tests.io.dicom.dicom_files import without_preamble, write_series

ZEROS = np.zeros((3, 2, 4), np.uint16)


def depths(series) -> list[float]:
    return [plane.position[2] for plane in series.planes]


# where the files are


def test_a_series_spread_over_nested_folders_is_one(tmp_path: Path) -> None:
    write_series(tmp_path / "study", ZEROS)
    for number, file in enumerate(sorted((tmp_path / "study").iterdir())):
        (tmp_path / f"study/{number % 2}/deep").mkdir(parents=True, exist_ok=True)
        file.rename(tmp_path / f"study/{number % 2}/deep/IM{number}")
    series = read_series(tmp_path / "study")
    assert depths(series) == [30, 35, 40, 45]
    assert [f.name for f in series.files] == ["IM3", "IM2", "IM1", "IM0"]


def test_a_file_alone_is_its_series(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", ZEROS)
    assert read_series(tmp_path / "ct/1-002.dcm").files == (tmp_path / "ct/1-002.dcm",)


def test_other_files_and_links_in_circles_do_no_harm(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", ZEROS)
    (tmp_path / "ct/notes.txt").write_text("x" * 500)
    (tmp_path / "ct/._1-001.dcm").write_bytes(b"resource fork")
    (tmp_path / "ct/again").symlink_to(tmp_path / "ct")
    os.mkfifo(tmp_path / "ct/pipe.dcm")
    series = read_series(tmp_path / "ct")
    assert (len(series.planes), series.warnings) == (4, ())


def test_files_without_preamble_are_found(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", ZEROS)
    for file in list((tmp_path / "ct").iterdir()):
        without_preamble(file)
        file.rename(file.with_suffix(""))
    assert depths(read_series(tmp_path / "ct")) == [30, 35, 40, 45]


def test_a_damaged_file_is_listed_not_left_out(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", ZEROS)
    whole = (tmp_path / "ct/1-001.dcm").read_bytes()
    for damaged in (b"", whole[:100], b"x" * len(whole), whole[:200], whole[:400]):
        (tmp_path / "ct/1-001.dcm").write_bytes(damaged)
        with pytest.raises(InputError, match=r"^1-001\.dcm: "):
            read_series(tmp_path / "ct")


def test_a_folder_of_more_than_the_files_of_a_study_is_refused_and_not_searched_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_series(tmp_path / "ct", ZEROS)
    monkeypatch.setattr("monai_ext.io.dicom.series.MAX_FILES", 4)
    assert len(read_series(tmp_path / "ct").planes) == 4
    monkeypatch.setattr("monai_ext.io.dicom.series.MAX_FILES", 2)
    looked_at: list[Path] = []

    def files(folder: Path) -> Iterator[Path]:
        for file in dicom_files(folder):
            looked_at.append(file)
            yield file

    monkeypatch.setattr("monai_ext.io.dicom.series.dicom_files", files)
    with pytest.raises(InputError, match="^ct: more than 2 DICOM files; give the folder of one study"):
        read_series(tmp_path / "ct")
    assert len(looked_at) == 3


# which series


def two_series(folder: Path) -> tuple[str, str]:
    """UIDs of series 3 (CT, 4 slices) and 7 (MR, 2 slices)."""
    write_series(folder, ZEROS, number=3, SeriesInstanceUID="1.2.33.1")
    write_series(folder, ZEROS[..., :2], number=7, SeriesInstanceUID="1.2.34.1", Modality="MR")
    return "1.2.33.1", "1.2.34.1"


def test_several_series_are_listed_without_naming_the_patient(tmp_path: Path) -> None:
    two_series(tmp_path / "study")
    for file in (tmp_path / "study").iterdir():
        image = dcmread(file)
        image.SeriesDescription = "Doe Jane"
        image.save_as(file)
    with pytest.raises(InputError) as caught:
        read_series(tmp_path / "study")
    assert str(caught.value) == (
        "study: 2 DICOM series: series 3 (CT, 4 slices of 3 × 2); series 7 (MR, 2 slices of 3 × 2); choose one by"
        " its number with --series (or the start of its SeriesInstanceUID)."
    )


@pytest.mark.parametrize("choice", ["7", "1.2.34", "1.2.34.1"])
def test_a_series_is_chosen_by_number_or_start_of_uid(tmp_path: Path, choice: str) -> None:
    two_series(tmp_path / "study")
    series = read_series(tmp_path / "study", choice)
    assert (series.modality, len(series.planes), series.warnings) == ("MR", 2, ())


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("4", "no series of that number or SeriesInstanceUID; there is series 3 (CT"),
        ("1.2.3", "2 DICOM series fit: series 3 (CT"),
        ("Doe", "no series of that number"),
    ],
)
def test_a_choice_that_fits_none_or_several_is_refused(tmp_path: Path, choice: str, message: str) -> None:
    two_series(tmp_path / "study")
    with pytest.raises(InputError) as caught:
        read_series(tmp_path / "study", choice)
    assert str(caught.value).startswith(f"study: {message}")


def test_a_long_list_of_series_is_cut(tmp_path: Path) -> None:
    for number in range(1, 24):
        write_series(tmp_path / "study", ZEROS[..., :1], number=number)
    listed = "; ".join(f"series {number} (CT, 1 slice of 3 × 2)" for number in range(1, 21))
    with pytest.raises(InputError) as caught:
        read_series(tmp_path / "study")
    assert str(caught.value).startswith(f"study: 23 DICOM series: {listed}; and 3 more; choose one by")


# what is no slice


def test_localisers_captures_and_objects_are_left_out_with_a_warning(tmp_path: Path) -> None:
    write_series(tmp_path, ZEROS)
    write_series(tmp_path, ZEROS[..., :2], number=2, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_series(tmp_path, ZEROS[..., :1], number=3, SOPClassUID=SecondaryCaptureImageStorage)
    write_series(tmp_path, ZEROS[..., :1], number=4, Modality="SEG")
    write_series(tmp_path, ZEROS[..., :1], number=5, Modality="SR", Rows=None)
    series = read_series(tmp_path)
    assert len(series.planes) == 4
    assert series.warnings == ("left out 1 SEG object, 1 SR object, 2 localisers, 1 secondary capture",)


@pytest.mark.parametrize(
    ("tags", "what"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "2 localisers"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "2 secondary captures"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}, "2 Siemens mosaics"),
        ({"Modality": "RTDOSE"}, "2 RTDOSE objects"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33", "Rows": None}, "2 CT objects"),
    ],
)
def test_a_folder_without_slices_is_refused(tmp_path: Path, tags: dict, what: str) -> None:
    write_series(tmp_path / "ct", ZEROS[..., :2], **tags)
    with pytest.raises(InputError, match=f"^ct: no slices in it, only {what}; give"):
        read_series(tmp_path / "ct")


def test_an_x_ray_picture_stored_as_secondary_capture_is_an_image(tmp_path: Path) -> None:
    write_series(tmp_path, ZEROS[..., :1], SOPClassUID=SecondaryCaptureImageStorage, Modality="CR")
    assert read_series(tmp_path).modality == "CR"


def test_a_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ct").mkdir()
    with pytest.raises(InputError, match="^ct: no DICOM image in it; give"):
        read_series(tmp_path / "ct")


# cases


def test_copies_of_a_file_are_left_out_with_a_warning(tmp_path: Path) -> None:
    write_series(tmp_path / "a", ZEROS)
    shutil.copytree(tmp_path / "a", tmp_path / "a/b")
    series = read_series(tmp_path / "a")
    assert depths(series) == [30, 35, 40, 45]
    assert series.warnings == ("4 of 8 DICOM images are copies of others and were left out",)


def test_slices_that_share_an_instance_uid_are_no_copies(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", ZEROS, SOPInstanceUID=generate_uid())
    assert len(read_series(tmp_path / "ct").planes) == 4


def test_image_files_are_the_images_also_damaged_ones(tmp_path: Path) -> None:
    write_series(tmp_path, ZEROS[..., :2])
    write_series(tmp_path, ZEROS[..., :1], number=9, Modality="SEG")
    write_series(tmp_path, ZEROS[..., :1], number=10, SOPClassUID=MediaStorageDirectoryStorage)
    write_series(tmp_path / "sub", ZEROS[..., :1], number=2)
    (tmp_path / "0.dcm").touch()
    assert [(f.name, len(p)) for f, p in image_files(tmp_path)] == [
        ("0.dcm", 0),
        ("1-001.dcm", 1),
        ("1-002.dcm", 1),
    ]
    assert len(image_files(tmp_path, deep=True)) == 4


def test_every_folder_with_whole_series_is_a_case(tmp_path: Path) -> None:
    write_series(tmp_path / "b/mr", ZEROS[..., :1], number=2)
    write_series(tmp_path / "a", ZEROS[..., :1])
    write_series(tmp_path / "b/ct", ZEROS[..., :1], number=3)
    assert case_folders(tmp_path) == [tmp_path / "a", tmp_path / "b/ct", tmp_path / "b/mr"]
    write_series(tmp_path / "b/scout", ZEROS[..., :1], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert case_folders(tmp_path) == [tmp_path / "a", tmp_path / "b/ct", tmp_path / "b/mr"]
    assert case_folders(tmp_path / "b/scout") == [tmp_path / "b/scout"]
    assert case_folders(tmp_path / "a") == [tmp_path / "a"]
    (tmp_path / "empty").mkdir()
    assert case_folders(tmp_path / "empty") == []


def test_folders_that_share_a_series_are_one_case(tmp_path: Path) -> None:
    write_series(tmp_path / "a", ZEROS[..., :1])
    for part in ("0", "1"):
        write_series(tmp_path / "b" / part, ZEROS[..., :1], SeriesInstanceUID="1.2.3")
    assert case_folders(tmp_path) == [tmp_path / "a", tmp_path / "b"]


def test_x_ray_pictures_in_a_folder_are_a_case_each(tmp_path: Path) -> None:
    write_series(tmp_path / "x", ZEROS[..., :1], number=1, Modality="DX")
    write_series(tmp_path / "x", ZEROS[..., :1], number=2, Modality="CR")
    (tmp_path / "x/broken.dcm").touch()
    pictures = [tmp_path / "x" / name for name in ("1-001.dcm", "2-001.dcm", "broken.dcm")]
    assert case_folders(tmp_path / "x") == case_folders(tmp_path) == pictures
    write_series(tmp_path / "x", ZEROS[..., :1], number=3)
    assert case_folders(tmp_path) == [tmp_path / "x"]


def test_a_file_that_cannot_be_opened_is_reported_unless_it_is_named_as_another_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_series(tmp_path / "ct", ZEROS)
    (tmp_path / "ct/closed.nii.gz").touch()
    opened = Path.open

    def refuse(self: Path, *args, **kwargs):
        if self.name.startswith("closed"):
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    assert len(read_series(tmp_path / "ct").planes) == 4
    (tmp_path / "ct/closed").touch()
    with pytest.raises(InputError, match=r"^closed: cannot be read \(Permission denied\)"):
        read_series(tmp_path / "ct")
    assert len(image_files(tmp_path / "ct")) == 5
