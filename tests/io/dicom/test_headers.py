"""Multi-frame files; what else a header says is tested with the series it makes (test_dicom.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.io.dicom.headers import read_planes
from monai_ext.io.dicom.series import read_series
from tests.io.dicom.dicom_files import write_enhanced, write_series

VOLUME = np.arange(24).reshape(4, 3, 2)


def test_frames_of_an_enhanced_file_have_a_position_each(tmp_path: Path) -> None:
    write_enhanced(tmp_path / "e.dcm", VOLUME, [(1, 2, 10), (1, 2, 7.5)], slopes=[2.0, 3.0])
    first, second = read_planes(tmp_path / "e.dcm")
    assert (first.frame, second.frame, second.frames) == (0, 1, 2)
    assert (first.position, second.position) == ((1, 2, 10), (1, 2, 7.5))
    assert second.spacing == (2, 1, "PixelSpacing")
    assert (second.slope, second.intercept) == (3, -1024)
    series = read_series(tmp_path / "e.dcm")
    assert [p.frame for p in series.planes] == [1, 0]
    assert series.files == (tmp_path / "e.dcm",)
    np.testing.assert_allclose(
        series.affine, [[-1, 0, 0, -1], [0, -2, 0, -2], [0, 0, 2.5, 7.5], [0, 0, 0, 1]]
    )


def test_an_enhanced_file_with_several_volumes_is_refused_with_what_distinguishes_them(
    tmp_path: Path,
) -> None:
    write_enhanced(tmp_path / "e.dcm", VOLUME, [(0, 0, 0), (0, 0, 0)])
    with pytest.raises(InputError, match=r"they differ in TemporalPositionIdentifier \(1, 2\)"):
        read_series(tmp_path / "e.dcm")


@pytest.mark.parametrize("frames", [3, 2**31 - 1])
def test_frames_without_a_position_are_refused(tmp_path: Path, frames: int) -> None:
    write_series(tmp_path / "ct", VOLUME[..., :1], NumberOfFrames=frames)
    write_enhanced(tmp_path / "e.dcm", VOLUME, [(0, 0, 0), (0, 0, 1)], NumberOfFrames=frames)
    for path in (tmp_path / "ct", tmp_path / "e.dcm"):
        with pytest.raises(InputError, match=rf"multi-frame DICOM \({frames} frames\) without a position"):
            read_series(path)


@pytest.mark.parametrize(
    "tags",
    [
        {"ImagePositionPatient": [1, 2]},
        {"PixelSpacing": [1, 2, 3]},
        {"ImageOrientationPatient": [1, 0, 0, 0, 1, 1e999]},
        {"RescaleSlope": 1e999},
    ],
)
def test_numbers_that_are_none_are_refused(tmp_path: Path, tags: dict) -> None:
    write_series(tmp_path / "ct", VOLUME[..., :1], **tags)
    with pytest.raises(InputError, match=r"^1-001\.dcm: damaged DICOM header \(ValueError\)"):
        read_series(tmp_path / "ct")


def test_deflated_files_are_refused_before_they_inflate(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", VOLUME[..., :1])
    file = tmp_path / "ct/1-001.dcm"
    content = file.read_bytes()
    content = content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99\0\0\0")
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"^1-001\.dcm: deflated DICOM is not read"):
        read_series(file)


def test_a_modality_that_is_no_code_is_not_repeated(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", VOLUME, Modality="Doe^Jane")
    assert read_series(tmp_path / "ct").modality == ""
