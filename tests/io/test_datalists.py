from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.io.datalists import check_all_dicom, list_cases, unique_names
from tests.io.dicom.dicom_files import write_series


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("a.b.nii.gz", "a.b"),
        ("x.PNG", "x"),
        ("y.jpeg", "y"),
        ("z.nii", "z"),
        ("t.TIFF", "t"),
        ("b.bmp", "b"),
        ("m.mha", "m"),
        ("h.mhd", "h"),
        ("n.nrrd", "n"),
        ("s.dcm", "s"),
        ("p.zip", "p"),
    ],
)
def test_a_file_is_one_case_named_after_it(tmp_path: Path, name: str, case: str) -> None:
    touch(tmp_path / name)
    assert list_cases(tmp_path / name) == [{"image": str(tmp_path / name), "case": case, "group": case}]


@pytest.mark.parametrize("name", ["IM0001", "1.2.3.4", "scan.ima", "scan.dcm.bak"])
def test_a_dicom_file_is_a_case_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    write_series(tmp_path / "x", np.zeros((2, 2, 1)))
    (tmp_path / "x/1-001.dcm").rename(tmp_path / name)
    assert list_cases(tmp_path / name) == [{"image": str(tmp_path / name), "case": name, "group": name}]
    (tmp_path / "x" / name).write_bytes((tmp_path / name).read_bytes())
    assert [case["image"] for case in list_cases(tmp_path / "x")] == [str(tmp_path / "x")]
    (tmp_path / name).write_bytes(b"text" * 99)
    with pytest.raises(
        InputError, match="not a format that is read; give PNG, .* DICOM .a folder, .zip, file.[.]$"
    ):
        list_cases(tmp_path / name)


def test_a_folder_lists_what_can_be_read_by_name_and_dicom_folders_below(tmp_path: Path) -> None:
    touch(tmp_path / "b.png", tmp_path / "a.nii.gz", tmp_path / ".hidden.png", tmp_path / "notes.txt")
    touch(tmp_path / "more/c.png")
    touch(tmp_path / "h.mhd", tmp_path / "h.raw")  # the second is part of the first
    write_series(tmp_path / "ct", np.zeros((2, 2, 2)))
    write_series(tmp_path / "patient/study/mr", np.zeros((2, 2, 2)))
    assert [c["case"] for c in list_cases(str(tmp_path))] == ["a", "b", "ct", "h", "mr"]


def test_a_folder_of_slices_is_one_case(tmp_path: Path) -> None:
    write_series(tmp_path / "scan", np.zeros((2, 2, 2)))
    assert list_cases(tmp_path / "scan") == [
        {"image": str(tmp_path / "scan"), "case": "scan", "group": "scan"}
    ]


def test_equal_stems_get_different_names(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "a.nii.gz", tmp_path / "a.png")
    assert [(Path(c["image"]).name, c["case"]) for c in list_cases(tmp_path)] == [
        ("a.jpg", "a"),
        ("a.nii.gz", "a-2"),
        ("a.png", "a-3"),
    ]


def test_names_are_unique_whatever_their_case_and_numbers() -> None:
    assert unique_names(["a", "A", "a-2", "b"], taken=["B"]) == ["a", "A-2", "a-2-2", "b-2"]


def test_the_current_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path / "scan", np.zeros((2, 2, 1)))
    monkeypatch.chdir(tmp_path / "scan")
    assert list_cases(".")[0]["case"] == "scan"


def test_what_cannot_be_listed_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        list_cases(tmp_path / "gone")
    with pytest.raises(InputError, match="nothing to read in this folder"):
        list_cases(tmp_path)
    touch(tmp_path / "a.gif")
    with pytest.raises(InputError, match=r"^a\.gif: not a format that is read"):
        list_cases(tmp_path / "a.gif")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    assert [case["case"] for case in list_cases(tmp_path)] == [
        "loop"
    ]  # listed, so that reading it reports what is wrong
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("loop.png", "pipe.png", "x" * 300 + ".png", "a.gif/b.png"):
        with pytest.raises(InputError) as caught:
            list_cases(tmp_path / name)
        assert str(caught.value).startswith(f"{Path(name).name}: ")
    write_series(tmp_path, np.zeros((2, 2, 1)))
    touch(tmp_path / "p.png")
    with pytest.raises(InputError, match="DICOM slices beside other images"):
        list_cases(tmp_path)


def test_cases_of_other_formats_than_dicom_are_counted(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((2, 2, 2)))
    shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path / "ct")
    shutil.copy(next((tmp_path / "ct").iterdir()), tmp_path / "slice-without-a-suffix")
    check_all_dicom([{"image": str(path)} for path in tmp_path.iterdir()])
    for name in ("a.png", "b.nii.gz"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=r"^format rtstruct: 2 of 5 inputs are no DICOM"):
        check_all_dicom([{"image": str(path)} for path in tmp_path.iterdir()])
