from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from monai.transforms import Orientation
from nibabel.affines import apply_affine
from pydicom import dcmread

from monai_ext.errors import InputError
from monai_ext.io.case_names import without_names
from monai_ext.io.dicom.read import load_dicom
from monai_ext.io.read_image import load_image
from monai_ext.io.slices import slice_view, view_of
from monai_ext.transforms.load import MedicalLoadImage
from tests.io.dicom.dicom_files import write_enhanced, write_series

STORED = np.arange(2 * 3 * 4).reshape(2, 3, 4)
PATIENT = {
    "PatientName": "Sentinel^Patient",
    "PatientID": "Sentinel-1",
    "PatientBirthDate": "19700101",
    "InstitutionName": "Sentinel hospital",
    "StudyDescription": "Sentinel study",
    "SeriesDescription": "Sentinel series",
    "ReferringPhysicianName": "Sentinel^Doctor",
    "AccessionNumber": "Sentinel-2",
    "AcquisitionTime": "121314",
}


def test_a_folder_is_rescaled_ordered_and_has_its_affine(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", STORED, slope=2.0)
    array, meta = load_dicom(tmp_path / "ct")
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    np.testing.assert_array_equal(array[0], STORED * 2.0 - 1024)
    expected = [[-1, 0, 0, -10], [0, -2, 0, -20], [0, 0, 5, 30], [0, 0, 0, 1]]  # LPS turned to RAS
    np.testing.assert_allclose(meta["affine"], expected)
    np.testing.assert_allclose(meta["spacing"], [1, 2, 5])
    assert (meta["kind"], meta["modality"], meta["bits"], meta["warnings"]) == ("dicom", "CT", 0, [])
    np.testing.assert_allclose(meta["slice_normal"], [0, 0, 1], atol=1e-12)


def test_an_archive_an_enhanced_file_and_a_folder_give_the_same(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", STORED)
    shutil.make_archive(str(tmp_path / "ct"), "zip", tmp_path, "ct")
    write_enhanced(tmp_path / "e.dcm", STORED, [(10.0, 20.0, 30.0 + 5 * z) for z in range(4)])
    array, meta = load_dicom(tmp_path / "ct")
    for other in ("ct.zip", "e.dcm"):
        same, same_meta = load_dicom(tmp_path / other)
        np.testing.assert_array_equal(same, array)
        np.testing.assert_array_equal(same_meta["affine"], meta["affine"])


@pytest.mark.parametrize("kind", ["folder", "archive", "frames", "one slice"])
def test_the_plane_that_is_stated_is_shown_whatever_the_spacing(tmp_path: Path, kind: str) -> None:
    """Pixels of 4 × 1 mm, slices 2 mm apart: the rows are the axis of the largest spacing."""
    volume = STORED[..., :1] if kind == "one slice" else STORED
    path = tmp_path / ("e" if kind == "frames" else "ct")
    if kind == "frames":
        write_enhanced(path, volume, [(0, 0, 2 * z) for z in range(4)], spacing=(1.0, 4.0))
    else:
        write_series(path, volume, spacing=(1.0, 4.0, 2.0))
    if kind == "archive":
        shutil.make_archive(str(path), "zip", path)
        path = tmp_path / "ct.zip"
    image = MedicalLoadImage()(path)
    np.testing.assert_allclose(image.meta["slice_normal"], [0, 0, 1], atol=1e-12)
    assert view_of(image).axis == 2
    assert kind == "one slice" or slice_view(image.shape[1:], image.affine.numpy()).axis == 1


def test_an_oblique_sagittal_series_states_its_normal(tmp_path: Path) -> None:
    c, s = np.cos(0.3), np.sin(0.3)
    along = np.array([c, s, 0])  # LPS, across the slices; rows run along the other directions
    write_series(
        tmp_path / "mr",
        STORED,
        spacing=(3.0, 1.0, 2.0),
        positions=[tuple(2.0 * z * along) for z in range(4)],
        ImageOrientationPatient=[f"{x:.9f}" for x in (-s, c, 0, 0, 0, -1)],
        Modality="MR",
    )
    image = MedicalLoadImage()(tmp_path / "mr")
    np.testing.assert_allclose(np.abs(image.meta["slice_normal"]), [c, s, 0], atol=1e-6)
    assert view_of(image).axis == 2
    turned = Orientation("RAS", labels=None)(image)  # the array turns, what is stated does not
    assert view_of(turned).axis == 0


@pytest.mark.parametrize("name", ["IM0001", "1.2.3.4", "scan.ima", "scan.dcm.bak"])
def test_a_file_is_read_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    write_series(tmp_path, STORED[..., :1])
    (tmp_path / "1-001.dcm").rename(tmp_path / name)
    array, meta = load_image([tmp_path / name])
    np.testing.assert_array_equal(array[0], STORED[..., :1] - 1024)
    assert meta["kind"] == "dicom"
    (tmp_path / name).write_bytes(b"text" * 99)
    with pytest.raises(InputError, match="not a format that is read"):
        load_image([tmp_path / name])


def test_a_series_is_chosen(tmp_path: Path) -> None:
    write_series(tmp_path / "study/a", STORED, number=3)
    write_series(tmp_path / "study/b", STORED[..., :2] + 5, number=7, Modality="MR")
    array, meta = load_dicom(tmp_path / "study", series="7")
    assert (array.shape, meta["modality"], meta["source"]) == ((1, 2, 3, 2), "MR", "7")
    assert load_dicom(tmp_path / "study/a")[1]["source"] == ""


@pytest.mark.parametrize(
    ("limit", "message"),
    [({"max_voxels": 23}, "limit of 23 values"), ({"max_side": 3}, "limit of a side is 3")],
)
def test_the_limits_count_all_slices_and_hold_before_pixels_are_read(
    tmp_path: Path, limit: dict[str, int], message: str
) -> None:
    write_series(tmp_path / "ct", STORED)
    assert load_dicom(tmp_path / "ct", max_voxels=24, max_side=4)[0].shape == (1, 2, 3, 4)
    file = tmp_path / "ct/1-001.dcm"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(InputError, match=f"^ct: 2 × 3 × 4.*{message}"):
        load_dicom(tmp_path / "ct", **limit)


def test_a_radiograph_is_one_slice_shown_as_stored(tmp_path: Path) -> None:
    tags = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "PixelSpacing": None}
    write_series(tmp_path / "x", STORED[..., :1], Modality="DX", ImagerPixelSpacing=[0.2, 0.1], **tags)
    array, meta = load_dicom(tmp_path / "x/1-001.dcm")
    assert array.shape == (1, 2, 3, 1)
    np.testing.assert_allclose(meta["spacing"][:2], [0.1, 0.2])
    assert len(meta["warnings"]) == 1
    view = slice_view(array.shape[1:], meta["affine"])
    assert (view.axis, view.rows, view.columns, view.flip_rows, view.flip_columns) == (2, 1, 0, False, False)


@pytest.mark.parametrize(
    "problem",
    [
        "none",
        "two series",
        "copies",
        "tilt",
        "aside",
        "gap",
        "two in a plane",
        "patients",
        "colour",
        "time points",
        "cut",
    ],
)
def test_nothing_names_the_patient(
    tmp_path: Path, problem: str, capfd: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "Sentinel folder/ct"
    changes = {
        "tilt": {"positions": [(0, 9 * z, 5 * z) for z in range(4)]},
        "aside": {"positions": [(0, 3 * (z == 1), 5 * z) for z in range(4)]},
        "gap": {"positions": [(0, 0, 5 * (z + (z > 1))) for z in range(4)]},
        "two in a plane": {"positions": [(0, 9 * (z % 2), 5 * (z // 2)) for z in range(4)]},
        "patients": {"each": lambda ds, z: setattr(ds, "PatientID", f"Sentinel-{z}")},
        "colour": {"PhotometricInterpretation": "Sentinel"},
        "time points": {"positions": [(0, 0, 5 * (z // 2)) for z in range(4)]},
    }
    write_series(folder, STORED, **PATIENT, **changes.get(problem, {}))
    if problem == "two series":
        write_series(folder, STORED, number=2, **PATIENT)
    if problem == "copies":
        shutil.copytree(folder, folder / "Sentinel copy")
    for number, file in enumerate(sorted(folder.glob("*.dcm"))):
        file.rename(folder / f"Sentinel-{number}.dcm")
    if problem == "cut":
        content = (folder / "Sentinel-1.dcm").read_bytes()
        (folder / "Sentinel-1.dcm").write_bytes(content[:-5])
    capfd.readouterr()
    caplog.clear()  # messages of writing them
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            array, meta = load_dicom(folder)
            output = str(meta)
            assert problem in ("none", "copies")
            assert array.shape == (1, 2, 3, 4)
        except InputError as error:
            output = without_names(str(error), folder, "case")
    output += "".join(capfd.readouterr()) + caplog.text + " ".join(str(w.message) for w in caught)
    for word in ("Sentinel", "19700101", "121314"):
        assert word not in output


# real series


@pytest.mark.parametrize("name", ["ct_ircad01_slab", "mr_remind022_t1c_slab"])
def test_a_real_slab_holds_the_pixels_of_its_files_at_their_positions(shared_data: Path, name: str) -> None:
    folder = shared_data / "dicom" / name
    array, meta = load_dicom(folder)
    images = [dcmread(file) for file in sorted(folder.iterdir())]
    assert array.shape == (1, images[0].Columns, images[0].Rows, len(images))
    assert meta["modality"] == name[:2].upper()
    normal = np.cross(images[0].ImageOrientationPatient[:3], images[0].ImageOrientationPatient[3:])
    images.sort(key=lambda image: np.dot(image.ImagePositionPatient, normal))
    for z, image in enumerate(images):
        slope, intercept = float(image.get("RescaleSlope", 1)), float(image.get("RescaleIntercept", 0))
        np.testing.assert_array_equal(array[0, :, :, z], (image.pixel_array * slope + intercept).T)
        place = apply_affine(meta["affine"], [0, 0, z]) * [-1, -1, 1]
        np.testing.assert_allclose(place, image.ImagePositionPatient, atol=2e-3)
    rows, columns = images[0].PixelSpacing
    np.testing.assert_allclose(meta["spacing"], [columns, rows, 1.6 if name[0] == "c" else 1.0], rtol=1e-3)


def test_real_affines_are_those_of_itk(shared_data: Path) -> None:
    for name in ("ct_ircad01_slab", "mr_remind022_t1c_slab"):
        folder = shared_data / "dicom" / name
        image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
        array, meta = load_dicom(folder)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image).T, array[0])
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
        affine[:3, 3] = image.GetOrigin()
        np.testing.assert_allclose(meta["affine"], np.diag([-1, -1, 1, 1]) @ affine, atol=5e-3)


def test_a_real_seg_is_no_slice(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / "dicom/mr_remind022_tumour_SEG.dcm", tmp_path / "seg.dcm")
    with pytest.raises(InputError, match=r"^seg\.dcm: no slices in it, only 1 SEG object"):
        load_dicom(tmp_path / "seg.dcm")
    for file in sorted((shared_data / "dicom/mr_remind022_t1c_slab").iterdir())[:4]:
        shutil.copy(file, tmp_path)
    array, meta = load_dicom(tmp_path)
    assert (array.shape, meta["warnings"]) == ((1, 248, 256, 4), ["left out 1 SEG object"])
