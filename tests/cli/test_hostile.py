"""Hostile input through the command line: one line, exit 2 (3 for weights), nothing left behind, soon."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import BasicTextSRStorage, SegmentationStorage

from tests.bundles.small import contents, picture
from tests.cli.commands import segment
from tests.damage import sound_file
from tests.io.dicom.dicom_files import write_series
from tests.limits import limited

VOXELS = np.random.default_rng(0).normal(100, 30, (6, 7, 3)).astype(np.float32)


@pytest.fixture
def temporary(tmp_path_factory, monkeypatch):
    """The folder for temporary files, in which nothing may be left."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def nifti(
    path: Path, array: np.ndarray = VOXELS, change: Callable[[nib.Nifti1Image], None] | None = None
) -> Path:
    volume = nib.Nifti1Image(array, np.diag([2.0, 2.0, 5.0, 1.0]))
    if change:
        change(volume)
    nib.save(volume, path)
    return path


def sform(matrix: np.ndarray) -> Callable[[nib.Nifti1Image], None]:
    """Writes an affine that nibabel itself would refuse."""

    def change(volume: nib.Nifti1Image) -> None:
        volume.header["sform_code"], volume.header["qform_code"] = 1, 0
        for row, name in zip(matrix, ("srow_x", "srow_y", "srow_z")):
            volume.header[name] = row
        volume.header["pixdim"][1:4] = np.linalg.norm(matrix[:3, :3], axis=0)
        volume._affine = None  # type: ignore[attr-defined]

    return change


def flipped(path: Path, at: int) -> Path:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)
    return path


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def wide_png(path: Path) -> Path:
    """30 000 × 30 pixels announced, in a file of few bytes."""
    head = b"IHDR" + (30_000).to_bytes(4, "big") + (30).to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    body = b"IDAT" + zlib.compress(bytes(30 * 30_001))
    parts = [
        (len(part) - 4).to_bytes(4, "big") + part + zlib.crc32(part).to_bytes(4, "big")
        for part in (head, body, b"IEND")
    ]
    return written(path, b"".join([b"\x89PNG\r\n\x1a\n", *parts]))


def bomb(path: Path) -> Path:
    """A sound header, and 64 MiB of zeros behind its voxels."""
    return written(path, gzip.compress(nib.Nifti1Image(VOXELS, np.eye(4)).to_bytes() + bytes(1 << 26), 1))


def series(path: Path, *numbers: int, without: int = -1) -> Path:
    for number in numbers:
        write_series(path, np.arange(96).reshape(4, 4, 6), number=number)
    if without >= 0:
        sorted(path.iterdir())[without].unlink()
    return path


def dicom_object(path: Path, kind: str, modality: str) -> Path:
    write_series(path, np.zeros((4, 4, 1)), SOPClassUID=kind, Modality=modality)
    return path


def link(path: Path) -> Path:
    path.symlink_to(path)
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda d: d / "no.png", "no such file or folder"),
    "missing folder": (lambda d: d / "no/such/scan.nii", "no such file or folder"),
    "empty folder": (lambda d: folder(d / "scans"), "nothing to read in this folder"),
    "text as PNG": (lambda d: written(d / "a.png", b"hello, world\n" * 9), "not a whole PNG"),
    "no bytes": (lambda d: written(d / "a.png", b""), "not a whole PNG"),
    "cut NIfTI": (lambda d: cut(nifti(d / "a.nii")), "less data in it than its header announces"),
    "cut PNG": (lambda d: cut(picture(d / "a.png")), "not a whole PNG"),
    "cut JPEG": (lambda d: cut(sound_file(d / "p.jpg")), "not a whole PNG, JPEG"),
    "cut DICOM": (lambda d: cut(sound_file(d / "s.dcm")), "copy"),
    "one value NIfTI": (
        lambda d: nifti(d / "a.nii", np.full((4, 4, 2), 7, np.float32)),
        "all values are 7; there is nothing to be seen in it",
    ),
    "cut MHA": (lambda d: cut(sound_file(d / "v.mha")), "less data than its header announces"),
    "flipped NIfTI": (lambda d: flipped(nifti(d / "a.nii.gz"), -6), "not a readable NIfTI file"),
    "flipped PNG": (lambda d: flipped(picture(d / "a.png"), 60), "not a whole PNG"),
    "flipped JPEG": (lambda d: flipped(sound_file(d / "p.jpg"), 2), "not a whole PNG, JPEG"),
    "flipped DICOM": (lambda d: flipped(sound_file(d / "s.dcm"), 129), "no DICOM file, or a damaged one"),
    "no voxels": (lambda d: nifti(d / "a.nii", VOXELS[:, :0]), "no image in it, its size is 6 × 0 × 3"),
    "NaN": (lambda d: nifti(d / "a.nii", np.where(VOXELS > 150, np.nan, VOXELS)), "NaN or infinite values"),
    "infinite": (lambda d: nifti(d / "a.nii", np.where(VOXELS > 150, np.inf, VOXELS)), "NaN or infinite"),
    "complex": (lambda d: nifti(d / "a.nii", VOXELS.astype(np.complex64)), "complex NIfTI"),
    "singular": (lambda d: nifti(d / "a.nii", change=sform(np.eye(4)[[0, 0, 2, 3]].T)), "singular affine"),
    "NaN affine": (lambda d: nifti(d / "a.nii", change=sform(np.full((4, 4), np.nan))), "affine with NaN"),
    "huge affine": (lambda d: nifti(d / "a.nii", change=sform(np.diag([1e9, 1e9, 1e9, 1]))), "no patient"),
    "5D": (lambda d: nifti(d / "a.nii", np.zeros((3, 3, 3, 2, 2), np.float32)), "5D NIfTI (3, 3, 3, 2, 2)"),
    "30 000 pixels": (lambda d: wide_png(d / "a.png"), "30000 × 30 × 1, the limit of a side is 16384"),
    "gzip bomb": (lambda d: bomb(d / "a.nii.gz"), "more data in it than its header announces"),
    "two series": (lambda d: series(d / "ct", 3, 7), "2 DICOM series: series 3 (CT, 6 slices of 4 × 4);"),
    "a slice missing": (lambda d: series(d / "ct", 1, without=3), "a slice is missing between"),
    "SEG": (lambda d: dicom_object(d / "seg", SegmentationStorage, "SEG"), "only 1 SEG object"),
    "report": (lambda d: dicom_object(d / "sr", BasicTextSRStorage, "SR"), "only 1 SR object"),
    "damaged archive": (lambda d: cut(sound_file(d / "s.zip")), "a damaged zip archive"),
    "loop of links": (lambda d: link(d / "a.png"), "cannot be opened (Too many levels of symbolic links)"),
    "pipe": (lambda d: pipe(d / "a.png"), "not a file but a pipe or a device"),
    "folder named PNG": (lambda d: folder(d / "a.png"), "nothing to read in this folder"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, bundle, capfd, temporary, what):
    make, message = BAD[what]
    source = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    capfd.readouterr()
    with limited(5):
        assert segment(source, tmp_path / "deep/out", bundle, names=None) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ") and err.count("\n") == 1
    assert message in err
    assert str(tmp_path) not in err
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unreadable_file_is_reported_and_left_out(tmp_path, bundle, capsys, monkeypatch):
    """Where permissions mean nothing, as to root, opening is refused by hand."""
    scans = folder(tmp_path / "scans")
    picture(scans / "good.png")
    closed = picture(scans / "closed.png", seed=1)
    closed.chmod(0)
    if os.access(closed, os.R_OK):
        opened = Path.open

        def refuse(self, *args, **kwargs):
            if self.name == closed.name:
                raise PermissionError(13, "Permission denied")
            return opened(self, *args, **kwargs)

        monkeypatch.setattr(Path, "open", refuse)
    assert segment(scans, tmp_path / "out", bundle, "--quiet", names=None) == 2
    assert capsys.readouterr().err == "error: unreadable-1 left out: cannot be opened (Permission denied).\n"
    assert len(json.loads((tmp_path / "out/report.json").read_text())["results"]) == 1


def test_the_good_are_done_and_the_bad_reported(tmp_path, bundle, capsys):
    scans = folder(tmp_path / "scans")
    picture(scans / "1.png"), nifti(scans / "2.nii.gz"), series(scans / "3", 1), sound_file(scans / "v.mha")
    bad = [
        nifti(scans / "b.nii", np.full((3, 3, 3), np.nan)),
        cut(sound_file(scans / "p.jpg")),
        link(scans / "l.png"),
    ]
    series(scans / "gap", 1, without=2)
    assert segment(scans, tmp_path / "out", bundle, "--quiet", "--preview") == 2
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert [row["case"] for row in report["results"]] == ["1", "2", "3", "v"]
    assert [row["case"] for row in report["failed"]] == ["b", "gap", "l", "p"]
    assert all(
        one["reason"].startswith(name)
        for one, name in zip(report["failed"], ("b.nii", "gap", "l.png", "p.jpg"))
    )
    err = capsys.readouterr().err
    assert err.count("\n") == 4 and len(bad) == 3
    assert sorted({name.split("/")[0] for name in contents(tmp_path / "out")}) == [
        "1",
        "2",
        "3",
        "report.json",
        "v",
    ]


def test_a_damaged_tag_of_a_slice_is_not_quoted(tmp_path, bundle, capsys):
    file = next(iter(series(tmp_path / "ct", 1).iterdir()))
    header = dcmread(file)
    header.Rows = 0
    header.save_as(file)
    assert segment(tmp_path / "ct", tmp_path / "out", bundle, names=None) == 2
    assert capsys.readouterr().err.count("\n") == 1
