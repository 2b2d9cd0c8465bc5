from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.io.dicom.files import dicom_files, is_dicom, walk_files
from tests.io.dicom.dicom_files import without_preamble, write_series


def a_file(folder: Path, name: str = "1-001.dcm") -> Path:
    write_series(folder, np.zeros((2, 2, 1)))
    return (folder / "1-001.dcm").rename(folder / name)


def names(folder: Path, deep: bool = True) -> list[str]:
    return [str(file.relative_to(folder)) for file in dicom_files(folder, deep)]


@pytest.mark.parametrize("name", ["IM0001", "1.2.840.4", "scan.ima", "scan.dcm.bak", "a.nii", "noise.png"])
@pytest.mark.parametrize("preamble", [True, False])
def test_a_file_is_dicom_by_what_it_holds(tmp_path: Path, name: str, preamble: bool) -> None:
    file = a_file(tmp_path, name)
    if not preamble:
        without_preamble(file)
    assert is_dicom(file)
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("element", [0x01, 0x05, 0x08, 0x12, 0x16, 0x18])
def test_a_file_without_preamble_begins_with_an_early_tag(tmp_path: Path, element: int) -> None:
    file = tmp_path / "old"
    file.write_bytes(bytes((8, 0, element, 0)) + bytes(128))
    assert is_dicom(file)
    file.write_bytes(file.read_bytes()[:-1])  # too short to hold an image
    assert not is_dicom(file)
    file.write_bytes(bytes((9, 0, element, 0)) + bytes(128))
    assert not is_dicom(file)


def test_the_mark_stands_after_128_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "b").write_bytes(bytes(127) + b"DICM" + bytes(9))
    assert is_dicom(tmp_path / "a")
    assert not is_dicom(tmp_path / "b")
    assert not is_dicom(tmp_path)


def test_files_named_dcm_are_given_whatever_they_hold_and_a_pipe_is_not(tmp_path: Path) -> None:
    for name in ("a.dcm", "b.DICOM", "c.ima", "d", "e.txt"):
        (tmp_path / name).write_bytes(b"x")
    os.mkfifo(tmp_path / "f.dcm")
    assert names(tmp_path) == ["a.dcm", "b.DICOM"]


def test_what_cannot_be_opened_is_given_unless_it_is_named_as_another_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.dcm", "b.IMA", "c", "1.2.840", "d.nii.gz", "e.txt"):
        (tmp_path / name).touch()

    def refuse(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert names(tmp_path) == ["1.2.840", "a.dcm", "b.IMA", "c"]


def test_sub_folders_are_searched_by_name_but_for_hidden_ones_and_circles(tmp_path: Path) -> None:
    for name in ("b/2.dcm", "b/1.dcm", "a/3.dcm", ".hidden/4.dcm", ".5.dcm", "6.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b/again").symlink_to(tmp_path)
    assert names(tmp_path) == ["6.dcm", "a/3.dcm", "b/1.dcm", "b/2.dcm"]
    assert names(tmp_path, deep=False) == ["6.dcm"]
    assert [(Path(parent).name, files) for parent, _, files in walk_files(tmp_path)] == [
        (tmp_path.name, ["6.dcm"]),
        ("a", ["3.dcm"]),
        ("b", ["1.dcm", "2.dcm"]),
    ]


def test_a_folder_that_cannot_be_opened_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"^closed: cannot be opened \(Permission denied\); check its"):
        names(tmp_path)
    assert len(list(walk_files(tmp_path))) == 1
