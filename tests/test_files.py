"""Files that appear whole or not at all."""

import pytest

from monai_ext.files import whole_file


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
