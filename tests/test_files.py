"""Files that appear whole or not at all."""

import os
import subprocess
import sys
import time

import pytest

from monai_ext.errors import InputError
from monai_ext.files import FORGOTTEN, check_writable, cut_name, file_sha256, whole_file, whole_folder


def test_a_file_appears_whole(tmp_path):
    with whole_file(tmp_path / "a.nii.gz") as temporary:
        temporary.write_text("new")
        assert temporary.name.endswith("a.nii.gz")  # writers choose the format by the ending
        assert not (tmp_path / "a.nii.gz").exists()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.nii.gz", "new")]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(RuntimeError), whole_file(tmp_path / "a.json") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.json", "old")]


def test_a_folder_appears_whole_where_none_or_an_empty_one_was(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("a", "b", "x" * 255):
        with whole_folder(tmp_path / name) as temporary:
            (temporary / "file").write_text("new")
            assert not (tmp_path / name / "file").exists()
        assert [p.name for p in (tmp_path / name).iterdir()] == ["file"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "x" * 255]


def test_a_failed_write_of_a_folder_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "a") as temporary:
        (temporary / "file").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "é" * 125 + ".png", "𝒍" * 62 + ".png"])
def test_the_longest_names_can_be_written(tmp_path, name):
    with whole_file(tmp_path / name) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".png"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_path_that_can_be_written_is_left_unchanged(tmp_path):
    (tmp_path / "r.json").write_text("old")
    check_writable(tmp_path / "r.json")
    check_writable(tmp_path / "new/folder/r.json")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("r.json", "old")]


@pytest.mark.parametrize("name", ["file/r.json", "file/new/r.json", "folder", "x" * 300])
def test_a_path_that_cannot_be_written_is_named(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=f"{name.split('/')[-1]}: cannot be written \\("):
        check_writable(tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_names_are_cut_between_characters():
    assert cut_name("abc", 2) == "ab"
    assert cut_name("éé", 3) == "é"


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def temporary(target) -> str:
    """The name of a temporary file, without the number of its process."""
    with whole_file(target) as path:
        path.touch()
        return path.name.removeprefix(f".{os.getpid()}-")


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("write", [whole_file, whole_folder])
def test_what_dead_processes_left_is_removed_by_the_next_that_writes_into_the_folder(tmp_path, dead, write):
    left = temporary(tmp_path / "overlay.png")
    (tmp_path / "overlay.png").unlink()
    (tmp_path / f".{dead}-{left}").touch()
    (tmp_path / f".{dead}-{left}-folder" / "inside").mkdir(parents=True)
    (tmp_path / f".{os.getppid()}-{left}").touch()
    (tmp_path / f".{os.getpid()}-{left}-of-a-thread").touch()
    with write(tmp_path / "other.png") as path:
        path.mkdir(exist_ok=True) if write is whole_folder else path.touch()
    assert names(tmp_path) == sorted(
        ["other.png", f".{os.getppid()}-{left}", f".{os.getpid()}-{left}-of-a-thread"]
    )


def test_a_number_that_no_process_can_have_is_of_a_dead_one(tmp_path):
    (tmp_path / f".9999999999-{temporary(tmp_path / 'a.png')}").touch()
    with whole_file(tmp_path / "a.png") as path:
        path.touch()
    assert names(tmp_path) == ["a.png"]


def test_a_process_of_another_machine_is_given_a_week(tmp_path, dead):
    young, old = tmp_path / f".{dead}-00000000-a.png", tmp_path / f".{os.getpid()}-00000000-b.png"
    for path, age in ((young, FORGOTTEN - 60), (old, FORGOTTEN + 60)):
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    with whole_file(tmp_path / "c.png") as path:
        path.touch()
    assert names(tmp_path) == [young.name, "c.png"]


def test_names_of_earlier_versions_are_removed_with_their_file_and_no_other_hidden_file(tmp_path, dead):
    for name in ("overlay.png", "notes.txt"):
        (tmp_path / f".{dead}-{name}").touch()
    (tmp_path / ".hidden").touch()
    with whole_file(tmp_path / "overlay.png") as path:
        path.touch()
    assert names(tmp_path) == sorted([f".{dead}-notes.txt", ".hidden", "overlay.png"])


def test_a_folder_whose_temporary_name_is_taken_by_a_dead_process_of_the_same_number_is_filled_anew(tmp_path):
    with whole_folder(tmp_path / "a") as path:
        name = path.name
    (tmp_path / name / "old").mkdir(parents=True)
    with whole_folder(tmp_path / "b" / ".." / "a") as path:
        (path / "new").touch()
    assert names(tmp_path / "a") == ["new"]


def test_the_hash_of_a_file_is_that_of_its_content(tmp_path):
    (tmp_path / "a").write_bytes(b"input")
    assert file_sha256(tmp_path / "a") == "c96c6d5be8d08a12e7b5cdc1b207fa6b2430974c86803d8891675e76fd992c20"


def test_a_process_of_another_user_is_alive(tmp_path, monkeypatch, dead):
    left = tmp_path / f".{dead}-{temporary(tmp_path / 'a.png')}"
    left.touch()

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    with whole_file(tmp_path / "a.png") as path:
        path.touch()
    assert names(tmp_path) == [left.name, "a.png"]
