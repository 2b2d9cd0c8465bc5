"""RT Structure Sets of small synthetic series, and of the real ones in the shared data, read back by pydicom alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import UID, ImplicitVRLittleEndian

from monai_ext.errors import InputError
from monai_ext.io.colours import COLOURS
from monai_ext.io.dicom.read import load_dicom
from monai_ext.io.dicom.series import read_series
from monai_ext.io.dicom.write_rtstruct import write_rtstruct
from tests.io.dicom.dicom_files import write_enhanced, write_series
from tests.io.dicom.test_contours import filled
from tests.io.dicom.test_write_seg import MODEL, PROMPTS, STUDY
from tests.orientations import rotation

SHAPE = (12, 9, 6)


def some_masks(seed: int = 0) -> np.ndarray:
    """(3, X, Y, Z) uint8 with holes, single pixels and pixels along the border; the last plane is empty."""
    masks = (np.random.default_rng(seed).random((3, *SHAPE)) > 0.4).astype(np.uint8)
    masks[1] = 0
    masks[1, 0, 0, 0] = masks[1, 5, 4, 2] = masks[1, -1, -1, 3] = 1
    masks[..., -1] = 0
    return masks


def write(folder: Path, **tags: Any) -> Path:
    write_series(folder, np.zeros(SHAPE), **{**STUDY, **tags})
    return folder


def structures(source: Path, masks: np.ndarray, prompts: list[str] = PROMPTS, notes: int = 0) -> Any:
    path = source.parent / "structures.dcm"
    assert len(write_rtstruct(path, masks, prompts, source, "", MODEL)) == notes
    return dcmread(path)


def rasterised(made: Any, source: Path, shape: tuple[int, ...]) -> np.ndarray:
    """(P, X, Y, Z) uint8 of the contours, each in the image that it refers to and by its points alone."""
    _, meta = load_dicom(source)
    index = np.linalg.inv(np.diag([-1, -1, 1, 1]) @ np.asarray(meta["affine"]))
    planes = {
        (p.instance, p.frame + 1 if p.frames > 1 else None): z
        for z, p in enumerate(read_series(source).planes)
    }
    found = np.zeros((len(made.ROIContourSequence), *shape), np.uint8)
    for roi in made.ROIContourSequence:
        for contour in roi.get("ContourSequence", ()):
            points = np.reshape(np.array(contour.ContourData, float), (-1, 3))
            assert len(points) == contour.NumberOfContourPoints
            assert contour.ContourGeometricType == "CLOSED_PLANAR"
            (image,) = contour.ContourImageSequence
            z = planes[image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")]
            placed = points @ index[:3, :3].T + index[:3, 3]
            np.testing.assert_allclose(placed[:, 2], z, atol=1e-3)  # in the plane of its image
            found[roi.ReferencedROINumber - 1, :, :, z] |= filled(placed[:, :2], (shape[1], shape[0])).T
    return found


def test_masks_with_holes_single_pixels_and_borders_come_back_voxel_by_voxel(tmp_path):
    source, masks = write(tmp_path / "ct"), some_masks()
    np.testing.assert_array_equal(rasterised(structures(source, masks), source, SHAPE), masks)


@pytest.mark.parametrize(
    ("degrees", "reverse"),
    [
        ((0, 0, 0), True),
        ((20, -35, 50), False),
        ((20, -35, 50), True),
        ((90, 0, 0), False),
        ((0, 90, 45), True),
    ],
)
def test_oblique_and_reversed_stacks(tmp_path, degrees, reverse):
    turn = rotation(*degrees)
    source = write(
        tmp_path / "mr",
        positions=[
            tuple(np.array([10.0, 20, 30]) + 5 * z * turn[:, 2])
            for z in range(SHAPE[2])[:: -1 if reverse else 1]
        ],
        ImageOrientationPatient=[f"{x:.9f}" for x in turn[:, :2].T.ravel()],
        Modality="MR",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.4",
    )
    masks = some_masks()
    np.testing.assert_array_equal(rasterised(structures(source, masks), source, SHAPE), masks)


@pytest.mark.parametrize("depths", [range(6), (3, 0, 5, 1, 4, 2)])
def test_the_frames_of_an_enhanced_file_are_named_by_their_numbers(tmp_path, depths):
    source = tmp_path / "e.dcm"
    write_enhanced(source, np.zeros(SHAPE), [(10.0, 20.0, 30.0 + 5 * z) for z in depths], **STUDY)
    masks = some_masks()
    made = structures(source, masks)
    np.testing.assert_array_equal(rasterised(made, source, SHAPE), masks)
    series = (
        made.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    )
    assert sorted(one.ReferencedFrameNumber for one in series.ContourImageSequence) == [1, 2, 3, 4, 5, 6]


def test_rois_are_numbered_named_coloured_and_observed(tmp_path):
    prompts = ["liver", "brain metastasis", "肺 🫁 \\ " + "x" * 99]
    made = structures(write(tmp_path / "ct"), some_masks(), prompts)
    rois, contours = made.StructureSetROISequence, made.ROIContourSequence
    assert [roi.ROINumber for roi in rois] == [1, 2, 3]
    assert [roi.ROIName for roi in rois] == [*prompts[:2], "肺 🫁 " + "x" * 60]
    assert {roi.ROIGenerationAlgorithm for roi in rois} == {"AUTOMATIC"}
    assert {roi.ReferencedFrameOfReferenceUID for roi in rois} == {"1.2.3.5"}
    assert [roi.ReferencedROINumber for roi in contours] == [1, 2, 3]
    assert [tuple(roi.ROIDisplayColor) for roi in contours] == list(COLOURS[:3])
    observed = made.RTROIObservationsSequence
    assert [(one.ObservationNumber, one.ReferencedROINumber) for one in observed] == [
        (n, n) for n in (1, 2, 3)
    ]
    assert [one.RTROIInterpretedType for one in observed] == ["ORGAN", "", ""]
    assert [one.ROIInterpreter for one in observed] == ["", "", ""]
    codes = [one.get("RTROIIdentificationCodeSequence", [None])[0] for one in observed]
    assert [code and code.CodeValue for code in codes] == ["10200004", "14799000", None]


def test_it_belongs_to_patient_study_and_frame_of_reference_and_refers_to_every_image(tmp_path):
    source = write(tmp_path / "ct", number=7)
    made, image = structures(source, some_masks()), dcmread(sorted(source.iterdir())[0])
    for name in (
        "StudyInstanceUID",
        "FrameOfReferenceUID",
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
    ):
        assert made[name].value == image[name].value
    assert (made.SOPClassUID, made.Modality) == ("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT")
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    assert made.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert (made.SeriesNumber, made.StructureSetDate, made.StructureSetTime) == (1007, "20200103", "101112")
    assert made.SeriesInstanceUID != image.SeriesInstanceUID
    (frame,) = made.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    assert (frame.FrameOfReferenceUID, study.ReferencedSOPInstanceUID) == ("1.2.3.5", "1.2.3.4")
    assert series.SeriesInstanceUID == image.SeriesInstanceUID
    held = {dcmread(file).SOPInstanceUID for file in source.iterdir()}
    assert {one.ReferencedSOPInstanceUID for one in series.ContourImageSequence} == held


def test_an_empty_mask_keeps_its_roi_without_contours(tmp_path):
    source = write(tmp_path / "ct")
    made = structures(source, np.zeros((2, *SHAPE), np.uint8), PROMPTS[:2])
    assert len(made.StructureSetROISequence) == len(made.RTROIObservationsSequence) == 2
    assert ["ContourSequence" in roi for roi in made.ROIContourSequence] == [False, False]


def test_the_same_masks_give_the_same_bytes_and_others_other_uids(tmp_path):
    source, masks = write(tmp_path / "ct"), some_masks()
    first = structures(source, masks)
    before = (tmp_path / "structures.dcm").read_bytes()
    structures(source, masks)
    assert (tmp_path / "structures.dcm").read_bytes() == before
    for other in (structures(source, some_masks(1)), structures(source, masks, ["liver", "spleen", "aorta"])):
        for name in ("SOPInstanceUID", "SeriesInstanceUID"):
            assert first[name].value != other[name].value
            assert UID(first[name].value).is_valid


def test_a_contour_of_more_than_64_kilobytes_is_whole(tmp_path):
    stripes = np.zeros((1, 1500, 4, 1), np.uint8)
    stripes[:, ::2], stripes[:, :, 0] = 1, 1
    source = tmp_path / "ct"
    write_series(source, np.zeros(stripes.shape[1:]), **STUDY)
    made = structures(source, stripes, ["comb"])
    (contour,) = made.ROIContourSequence[0].ContourSequence
    assert sum(len(str(value)) + 1 for value in contour.ContourData) > 2**16
    np.testing.assert_array_equal(rasterised(made, source, stripes.shape[1:]), stripes)


def test_a_series_without_a_frame_of_reference_gets_one_and_a_note(tmp_path):
    source = write(tmp_path / "ct", FrameOfReferenceUID="")
    path = tmp_path / "s.dcm"
    (note,) = write_rtstruct(path, some_masks(), PROMPTS, source, "", MODEL)
    assert "lack FrameOfReferenceUID: the RT Structure Set has its own" in note
    made = dcmread(path)
    assert made.StructureSetROISequence[0].ReferencedFrameOfReferenceUID == made.FrameOfReferenceUID


def test_an_x_ray_without_a_position_is_refused(tmp_path):
    tags = {"ImagePositionPatient": None, "ImageOrientationPatient": None}
    kind = "1.2.840.10008.5.1.4.1.1.1.1"
    write_series(tmp_path / "x", np.zeros((5, 4, 1)), **STUDY, Modality="DX", SOPClassUID=kind, **tags)
    with pytest.raises(InputError, match="x: no position in the patient, which an RT Structure Set needs"):
        write_rtstruct(tmp_path / "s.dcm", np.ones((1, 5, 4, 1)), ["lungs"], tmp_path / "x", "", MODEL)
    assert not (tmp_path / "s.dcm").exists()


def test_a_ct_slice_without_a_position_lies_where_the_reader_takes_it_to_be(tmp_path):
    tags = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "SeriesNumber": None}
    write_series(tmp_path / "x", np.zeros((5, 4, 1)), **{**STUDY, **tags})
    masks = np.zeros((1, 5, 4, 1), np.uint8)
    masks[0, 1:4, 2:] = 1
    made = structures(tmp_path / "x", masks, ["lungs"])
    np.testing.assert_array_equal(rasterised(made, tmp_path / "x", (5, 4, 1)), masks)
    assert made.SeriesNumber == 1000


def test_a_series_that_changed_is_refused(tmp_path):
    source = write(tmp_path / "ct")
    next(source.iterdir()).unlink()
    with pytest.raises(InputError, match=r"ct: "):
        write_rtstruct(tmp_path / "s.dcm", some_masks(), PROMPTS, source, "", MODEL)


@pytest.mark.parametrize("name", ["ct_ircad01_slab", "mr_remind022_t1c_slab"])
def test_smooth_structures_in_real_series_come_back(shared_data, tmp_path, name):
    source = shared_data / "dicom" / name
    shape = load_dicom(source)[0].shape[1:]
    x, y, z = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    ball, core = (x**2 + y**2 + z**2 < r**2 for r in (0.8, 0.3))
    masks = np.stack([ball & ~core, x + y > 0.9 + 0 * z]).astype(np.uint8)
    path = tmp_path / "s.dcm"
    write_rtstruct(path, masks, ["shell", "corner"], source, "", MODEL)
    found = rasterised(dcmread(path), source, shape)
    for mask, again in zip(masks, found):
        assert 2 * np.count_nonzero(mask & again) / (mask.sum() + again.sum()) > 0.9999
