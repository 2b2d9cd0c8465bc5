from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.io.dicom.archive import unpacked
from monai_ext.io.dicom.series import read_series
from tests.io.dicom.dicom_files import write_series


def pack(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refusal(path: Path, **limits: int) -> str:
    with pytest.raises(InputError) as caught, unpacked(path, **limits):
        pass
    assert "\n" not in str(caught.value)
    assert str(path.parent) not in str(caught.value)
    return str(caught.value)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where archives are unpacked; nothing may be left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def test_a_series_in_an_archive_with_folders_is_read(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((2, 2, 4), np.uint16))
    with zipfile.ZipFile(tmp_path / "ct.zip", "w") as archive:
        archive.mkdir("study")
        for number, file in enumerate(sorted((tmp_path / "ct").iterdir())):
            archive.write(file, f"study/{number % 2}/{file.name}")
    with unpacked(tmp_path / "ct.zip") as folder:
        series = read_series(folder, name="ct.zip")
        assert [f.name for f in series.files] == ["1-004.dcm", "1-003.dcm", "1-002.dcm", "1-001.dcm"]
        assert all(f.exists() for f in series.files)
        assert folder.name.startswith("monai_ext_")  # whose it is, should it ever be left


def test_a_folder_or_file_is_given_as_it_is(tmp_path: Path) -> None:
    with unpacked(tmp_path) as folder:
        assert folder == tmp_path


def test_names_that_lead_elsewhere_do_not(tmp_path: Path, temporary: Path) -> None:
    names = ["../../escaped", "/escaped", "..\\..\\escaped", "a/../../escaped", "C:\\escaped"]
    with unpacked(pack(tmp_path / "x.zip", **dict.fromkeys(names, b"x"))) as folder:
        files = [f for f in folder.rglob("*") if f.is_file()]
        assert len(files) == 5
        assert {f.name for f in files} == {"escaped"}
    assert sorted(f.name for f in tmp_path.iterdir()) == ["temporary", "x.zip"]


def test_links_are_unpacked_as_files(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.dcm")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with unpacked(tmp_path / "x.zip") as folder:
        (file,) = folder.rglob("link.dcm")
        assert not file.is_symlink()


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", a=bytes(3 << 20), b=bytes(3 << 20))
    assert path.stat().st_size < 10_000
    assert refusal(path, max_bytes=5 << 20).startswith("x.zip: unpacks to more than 5 MiB")
    with unpacked(path, max_bytes=6 << 20):
        pass


def test_an_archive_of_too_many_files_is_refused_before_any_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monai_ext.io.dicom.archive.MAX_FILES", 2)
    with unpacked(pack(tmp_path / "x.zip", a=b"1", b=b"2")) as folder:
        assert sorted(file.name for file in folder.rglob("?")) == ["a", "b"]
    path = pack(tmp_path / "y.zip", a=b"1", b=b"2", c=b"3")
    monkeypatch.delattr(zipfile.ZipFile, "open")
    assert refusal(path) == (
        "y.zip: unpacks to more than 8192 MiB or 2 files; unpack it yourself and give the folder."
    )


def test_an_archive_that_the_disk_does_not_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    path = pack(tmp_path / "x.zip", a=b"1")
    monkeypatch.setattr(Path, "mkdir", full)
    assert refusal(path) == "x.zip: cannot be unpacked (No space left on device)."


def test_of_sizes_that_lie_no_more_is_unpacked_than_they_state(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", a=bytes(3 << 20))

    def state(old: int, new: int) -> None:
        path.write_bytes(path.read_bytes().replace(old.to_bytes(4, "little"), new.to_bytes(4, "little")))

    state(3 << 20, 100)
    assert refusal(path, max_bytes=1 << 20).startswith("x.zip: a damaged zip archive")
    state(zlib.crc32(bytes(3 << 20)), zlib.crc32(bytes(100)))
    with unpacked(path, max_bytes=1 << 20) as folder:
        assert [file.read_bytes() for file in folder.rglob("a")] == [bytes(100)]


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", a=b"secret")
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert refusal(path).startswith("x.zip: an encrypted zip archive")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_a_limit_are_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", method) as archive:
        archive.writestr("a.dcm", bytes(1000))
    assert refusal(tmp_path / "x.zip").startswith("x.zip: a zip archive packed by bzip2 or LZMA;")


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_archive_is_refused_or_read(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = pack(tmp_path / "x.zip", **{f"{n}.dcm": rng.bytes(500) + bytes(500) for n in range(4)})
    content = bytearray(path.read_bytes())
    for at in rng.integers(len(content), size=4):
        content[at] ^= 1 << int(rng.integers(8))
    path.write_bytes(content if seed % 2 else content[: rng.integers(len(content))])
    try:
        with unpacked(path) as folder:
            assert folder.is_dir()
    except InputError as error:
        assert str(error).startswith("x.zip: ")
        assert "\n" not in str(error)


def test_an_archive_without_dicom_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", notes=b"text")
    with (
        unpacked(path) as folder,
        pytest.raises(InputError, match="^x.zip: no DICOM image in it"),
    ):
        read_series(folder, name=path.name)
