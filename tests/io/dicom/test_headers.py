"""The planes of a file by its header; what becomes of them is tested with the series they make (test_series.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import MediaStorageDirectoryStorage, SecondaryCaptureImageStorage

from monai_ext.errors import InputError
from monai_ext.io.dicom.headers import Plane, read_planes
from monai_ext.io.dicom.series import read_series
from tests.io.dicom.dicom_files import write_enhanced, write_series

VOLUME = np.arange(24).reshape(4, 3, 2)


def one_plane(folder: Path, **tags: object) -> Plane:
    write_series(folder, VOLUME[..., :1], **tags)
    [plane] = read_planes(folder / "1-001.dcm")
    return plane


def test_a_plane_is_what_its_header_states(tmp_path: Path) -> None:
    tags = {"SeriesInstanceUID": "1.2.8", "SOPInstanceUID": "1.2.9", "SeriesNumber": 7, "EchoTime": "4.6"}
    plane = one_plane(tmp_path, slope=2.5, PatientName="", PatientID="", **tags)
    assert plane == Plane(
        file=tmp_path / "1-001.dcm",
        series="1.2.8",
        number="7",
        instance="1.2.9",
        sop_class="1.2.840.10008.5.1.4.1.1.2",
        modality="CT",
        syntax="1.2.840.10008.1.2.1",
        columns=4,
        rows=3,
        photometric="MONOCHROME2",
        position=(10, 20, 30),
        orientation=(1, 0, 0, 0, 1, 0),
        spacing=(2, 1, "PixelSpacing"),
        thickness=5,
        slope=2.5,
        intercept=-1024,
        marks=(("EchoTime", "4.6"),),
    )


def test_what_a_header_does_not_state_has_a_default(tmp_path: Path) -> None:
    lacking = (
        "SeriesNumber",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "SOPClassUID",
        "Modality",
        "PatientName",
    )
    lacking += (
        "PatientID",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SliceThickness",
    )
    lacking += ("RescaleSlope", "RescaleIntercept", "SamplesPerPixel")
    plane = one_plane(tmp_path, **dict.fromkeys(lacking))
    assert plane == Plane(
        file=tmp_path / "1-001.dcm",
        sop_class="1.2.840.10008.5.1.4.1.1.2",
        syntax="1.2.840.10008.1.2.1",
        columns=4,
        rows=3,
    )


@pytest.mark.parametrize(
    ("tags", "no_slice"),
    [
        ({"Modality": "SEG"}, "SEG object"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33"}, "CT object"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33", "Modality": ""}, "other object"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}, "Siemens mosaic"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "secondary capture"),
        ({"SOPClassUID": f"{SecondaryCaptureImageStorage}.2"}, "secondary capture"),
    ],
)
def test_an_object_that_is_no_slice_says_only_what_it_is(
    tmp_path: Path, tags: dict[str, object], no_slice: str
) -> None:
    plane = one_plane(tmp_path, **tags)
    assert plane.no_slice == no_slice
    assert (plane.rows, plane.columns, plane.position, plane.owners) == (0, 0, None, ())


def test_a_localiser_is_no_slice_but_of_some_size_and_patient(tmp_path: Path) -> None:
    plane = one_plane(tmp_path, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert (plane.no_slice, plane.rows, plane.columns, plane.position) == ("localiser", 3, 4, None)
    assert [owner for owner, _ in plane.owners] == ["PatientID", "PatientName"]


@pytest.mark.parametrize("modality", ["CR", "DX", "MG", "RG", "IO", "PX"])
def test_an_x_ray_picture_stored_as_secondary_capture_is_a_slice(tmp_path: Path, modality: str) -> None:
    plane = one_plane(tmp_path, SOPClassUID=SecondaryCaptureImageStorage, Modality=modality)
    assert (plane.no_slice, plane.modality) == ("", modality)
    assert plane.position == (10, 20, 30)


@pytest.mark.parametrize(
    ("stated", "used"),
    [
        (("PixelSpacing", "ImagerPixelSpacing"), "PixelSpacing"),
        (("NominalScannedPixelSpacing", "ImagerPixelSpacing"), "ImagerPixelSpacing"),
        (("NominalScannedPixelSpacing",), "NominalScannedPixelSpacing"),
    ],
)
def test_the_spacing_in_the_patient_goes_before_that_of_the_detector(
    tmp_path: Path, stated: tuple[str, ...], used: str
) -> None:
    tags = {name: [0.5 + n, 0.25] for n, name in enumerate(stated)}
    plane = one_plane(tmp_path, **{"PixelSpacing": None, **tags})
    assert plane.spacing == (*tags[used], used)


def test_several_samples_per_pixel_are_told(tmp_path: Path) -> None:
    assert one_plane(tmp_path, SamplesPerPixel=3, PhotometricInterpretation="RGB").photometric == (
        "RGB with 3 samples per pixel"
    )


def test_a_directory_of_files_has_no_planes(tmp_path: Path) -> None:
    write_series(tmp_path, VOLUME[..., :1], SOPClassUID=MediaStorageDirectoryStorage)
    assert read_planes(tmp_path / "1-001.dcm") == []


@pytest.mark.parametrize(
    ("stated", "frames", "position"), [(0, 1, (10, 20, 30)), (1, 1, (10, 20, 30)), (2, 2, None)]
)
def test_a_file_of_one_image_has_one_frame_and_its_position(
    tmp_path: Path, stated: int, frames: int, position: tuple[float, ...] | None
) -> None:
    plane = one_plane(tmp_path, NumberOfFrames=stated)
    assert (plane.frames, plane.position) == (frames, position)


def test_what_is_no_dicom_or_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.dcm").write_bytes(bytes(200))
    with pytest.raises(InputError, match=r"^a\.dcm: no DICOM file, or a damaged one"):
        read_planes(tmp_path / "a.dcm")
    for error, why in (
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (OSError(), "cut short"),
    ):

        def refuse(*_: object, error: OSError = error) -> None:
            raise error

        monkeypatch.setattr("monai_ext.io.dicom.headers.is_dicom", refuse)
        with pytest.raises(InputError, match=rf"^a\.dcm: cannot be read \({why}\); copy it again"):
            read_planes(tmp_path / "a.dcm")


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
