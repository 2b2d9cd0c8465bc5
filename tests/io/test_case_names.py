"""Cases by their content: one id whatever the file is called, and messages without names."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from monai_ext.data.fault_tolerant import FAILED, FaultTolerantDataset
from monai_ext.errors import InputError, quoted_name
from monai_ext.io.case_names import case_id, input_hash, without_names
from tests.damage import sound_file
from tests.io.dicom.dicom_files import write_series

CASE = "case-0123456789ab"


def test_a_file_is_named_by_its_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"input")
    digest = hashlib.sha256(b"input").hexdigest()
    assert input_hash(tmp_path / "a.png") == digest
    assert case_id(digest) == "case-" + digest[:12]


def test_the_hash_of_a_dicom_folder_is_that_of_its_images(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((2, 4, 4), np.int16))
    before = input_hash(tmp_path / "ct")
    (tmp_path / "ct" / "notes.txt").write_text("no image")
    assert input_hash(tmp_path / "ct") == before
    write_series(tmp_path / "other", np.ones((2, 4, 4), np.int16))
    assert input_hash(tmp_path / "other") != before


def test_voxels_beside_their_header_count(tmp_path: Path) -> None:
    sound_file(tmp_path / "v.mhd")
    raw = next(path for path in tmp_path.iterdir() if path.suffix != ".mhd")
    before = input_hash(tmp_path / "v.mhd")
    data = bytearray(raw.read_bytes())
    data[50] ^= 1
    raw.write_bytes(data)
    assert input_hash(tmp_path / "v.mhd") != before


def test_what_cannot_be_opened_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "l.png").symlink_to(tmp_path / "l.png")
    for name in ("l.png", "gone.png"):
        with pytest.raises(InputError, match=name):
            input_hash(tmp_path / name)


def test_a_message_holds_the_case_and_the_number_of_a_slice_instead_of_names(tmp_path: Path) -> None:
    study = tmp_path / "Doe Jane"
    (study / "day 1").mkdir(parents=True)
    for name in ("Doe-b.dcm", "Doe.dcm", "17"):
        (study / "day 1" / name).write_bytes(b"DICM")
    assert without_names("Doe Jane: no slices.", study, CASE) == f"{CASE}: no slices."
    message = "Doe Jane: a slice is missing between “Doe.dcm” and “Doe-b.dcm” (17.00 mm apart)."
    assert without_names(message, study, CASE) == (
        f"{CASE}: a slice is missing between file 3 and file 2 (17.00 mm apart)."
    )
    assert without_names("Doe-b.dcm: damaged.", study, CASE) == f"{CASE}: file 2: damaged."
    assert without_names("17: not as “Doe Jane”.", study, CASE) == f"{CASE}: file 1: not as {CASE}."
    assert without_names("day 1: cannot be opened.", study, CASE) == f"{CASE}: file 4: cannot be opened."
    line = tmp_path / "a\nb.png"
    for reason in (f"{line.name}: damaged.", f"no picture in {quoted_name(line)}."):
        message = without_names(str(InputError(reason)), line, CASE)
        assert message in (f"{CASE}: damaged.", f"{CASE}: no picture in {CASE}.")


@pytest.mark.parametrize(
    "name", ["DICOM", "series", "the", "a", "in", "1", "3", "CT", "slices", "case", ":", ""]
)
def test_words_of_a_message_stay_though_a_folder_or_its_files_are_called_so(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    for file in ("the", "slice", "1", "mm", "between", "CT"):
        (folder / file).write_bytes(b"DICM")
    said = "2 DICOM series: series 1 (CT, 3 slices in a row); the case is 1 mm off."
    message = f"{name}: {said}"
    assert without_names(message, Path(name) if name == "" else folder, CASE) == f"{CASE}: {said}"


def test_a_name_at_the_beginning_is_taken_whole(tmp_path: Path) -> None:
    for name in ("a", "a: b", "c"):
        (tmp_path / name).touch()
    assert without_names("a: b: damaged.", tmp_path, CASE) == f"{CASE}: file 2: damaged."
    assert without_names("a: c damaged.", tmp_path, CASE) == f"{CASE}: file 1: c damaged."
    assert without_names("a word.", tmp_path, CASE) == f"{CASE}: a word."


def test_members_of_an_archive_are_not_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "Doe.zip", "w") as archive:
        archive.writestr("Doe/first Doe.dcm", b"x")
    message = without_names("first Doe.dcm: damaged in “Doe.zip”.", tmp_path / "Doe.zip", CASE)
    assert message == f"{CASE}: file 2: damaged in {CASE}."


def load(item: dict) -> dict:
    if Path(item["image"]).read_bytes() == b"bad":
        raise InputError(f"{Path(item['image']).name}: damaged.")
    return item


@pytest.mark.parametrize("names", ["hash", "file"])
def test_items_get_their_id_and_hash(tmp_path: Path, names: str) -> None:
    for name in ("good", "bad"):
        (tmp_path / name).write_text(name)
    data = [{"case": name, "image": str(tmp_path / name)} for name in ("good", "bad")]
    good, bad = FaultTolerantDataset(data, load, names=names)
    digest = hashlib.sha256(b"good").hexdigest()
    assert good["input_sha256"] == digest
    assert good["case"] == ("good" if names == "file" else f"case-{digest[:12]}")
    assert bad[FAILED] == ("bad: damaged." if names == "file" else f"{bad['case']}: damaged.")
    assert json.dumps(bad).count("bad") == (2 if names == "file" else 0)


def test_other_ways_to_call_cases_are_refused() -> None:
    with pytest.raises(InputError, match="case names 'uid': choose hash or file"):
        FaultTolerantDataset([], names="uid")
