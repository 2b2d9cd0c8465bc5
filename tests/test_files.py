"""Files that appear whole or not at all."""

import pytest

from monai_ext.errors import InputError
from monai_ext.files import check_writable, cut_name, whole_file, whole_folder


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
