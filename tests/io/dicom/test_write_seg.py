"""DICOM SEGs of small synthetic series, and of the real ones in the shared data, read back by others."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import Dataset, dcmread
from pydicom.uid import UID, generate_uid

from monai_ext.errors import InputError
from monai_ext.io.dicom.read import load_dicom
from monai_ext.io.dicom.source import _sop_class
from monai_ext.io.dicom.write_seg import write_seg
from tests.io.dicom.dicom_files import write_enhanced, write_series
from tests.orientations import rotation

SHAPE = (5, 4, 6)
MODEL = ("model", "1.2")
PROMPTS = ["liver", "left kidney", "bright thing"]
STUDY: dict[str, Any] = {
    "StudyInstanceUID": "1.2.3.4",
    "FrameOfReferenceUID": "1.2.3.5",
    "StudyDate": "20200102",
    "SeriesDate": "20200103",
    "SeriesTime": "101112",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
}


def some_masks(shape: tuple[int, ...] = SHAPE, prompts: int = 3, seed: int = 0) -> np.ndarray:
    """(P, X, Y, Z) uint8 that overlap; the last plane is empty in all of them."""
    masks = (np.random.default_rng(seed).random((prompts, *shape)) > 0.5).astype(np.uint8)
    if shape[2] > 1:
        masks[..., -1] = 0
    return masks


def write(folder: Path, **tags: Any) -> Path:
    write_series(folder, np.zeros(SHAPE), **{**STUDY, **tags})
    return folder


def segment(source: Path, masks: np.ndarray, prompts: list[str] = PROMPTS, out: str = "seg.dcm") -> Any:
    """The SEG of `masks` as highdicom reads it again."""
    path = source.parent / out
    assert write_seg(path, masks, prompts[: len(masks)], source, "", MODEL) == []
    return hd.seg.segread(path)


def on_planes(seg: Any, shape: tuple[int, ...]) -> np.ndarray:
    """(P, X, Y, Z) by the references of the frames to their sources, by pydicom alone."""
    found = np.zeros((len(seg.SegmentSequence), *shape), np.uint8)
    frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    order = {ref.ReferencedSOPInstanceUID: z for z, ref in enumerate(seg.SourceImageSequence)}
    shared = seg.SharedFunctionalGroupsSequence[0]
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        z = int(source.get("ReferencedFrameNumber", 0)) - 1
        z = order[source.ReferencedSOPInstanceUID] if z < 0 else z
        number = (groups.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence)[0]
        found[number.ReferencedSegmentNumber - 1, :, :, z] = frame.T
    return found


def on_grid(voxels: np.ndarray, lps: np.ndarray, like: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """(X, Y, Z) uint8 like an array with an affine (RAS): ones at the indices (N, 3) of a grid with an LPS affine."""
    ras = (voxels @ lps[:3, :3].T + lps[:3, 3]) * [-1, -1, 1]
    placed = np.linalg.solve(affine[:3, :3], (ras - affine[:3, 3]).T).T
    assert np.abs(placed - placed.round()).max(initial=0) < 0.01
    found = np.zeros_like(like)
    found[tuple(placed.round().astype(int).T)] = 1
    return found


def in_space(seg: Any, like: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """(P, X, Y, Z) on the grid of an array with an affine (RAS), by the positions that highdicom reads."""
    volume = seg.get_volume(combine_segments=False, allow_missing_positions=True)
    found = np.zeros_like(like)
    for number, index in enumerate(volume.get_channel_values("ReferencedSegmentNumber")):
        voxels = np.argwhere(np.asarray(volume.array)[..., number])
        found[index - 1] = on_grid(voxels, volume.affine, like[0], affine)
    return found


def in_itks_space(path: Path, like: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """(X, Y, Z) uint8 of the one segment of a SEG without gaps, where ITK's GDCM puts it."""
    image = sitk.ReadImage(path)
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    lps[:3, 3] = image.GetOrigin()
    return on_grid(np.argwhere(sitk.GetArrayViewFromImage(image).T), lps, like, affine)


def check(seg: Any, source: Path, masks: np.ndarray) -> None:
    """The same voxels, by reference and by place, with centroids within half a voxel (in fact, to 1e-3)."""
    _, meta = load_dicom(source)
    np.testing.assert_array_equal(on_planes(seg, masks.shape[1:]), masks)
    np.testing.assert_array_equal(in_space(seg, masks, meta["affine"]), masks)


def test_overlapping_masks_come_back_voxel_by_voxel(tmp_path: Path) -> None:
    source, masks = write(tmp_path / "ct"), some_masks()
    seg = segment(source, masks)
    check(seg, source, masks)
    assert (seg.SegmentsOverlap, seg.SegmentationType) == ("YES", "BINARY")
    assert seg.NumberOfFrames == 3 * (SHAPE[2] - 1)  # the last plane is empty


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
def test_oblique_and_reversed_stacks(tmp_path: Path, degrees: tuple[float, ...], reverse: bool) -> None:
    turn = rotation(*degrees)
    steps = range(SHAPE[2])[:: -1 if reverse else 1]
    source = write(
        tmp_path / "mr",
        positions=[tuple(np.array([10.0, 20, 30]) + 5 * z * turn[:, 2]) for z in steps],
        ImageOrientationPatient=[f"{x:.9f}" for x in turn[:, :2].T.ravel()],
        Modality="MR",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.4",
    )
    masks = some_masks()
    check(segment(source, masks), source, masks)
    full = masks[0] | (np.arange(SHAPE[2]) == SHAPE[2] - 1).astype(np.uint8)  # no plane is empty
    segment(source, full[None], out="one.dcm")
    _, meta = load_dicom(source)
    np.testing.assert_array_equal(in_itks_space(tmp_path / "one.dcm", full, meta["affine"]), full)


@pytest.mark.parametrize("case", ["rising", "falling", "mixed"])
def test_the_frames_of_an_enhanced_file(tmp_path: Path, case: str) -> None:
    depths = {"rising": range(6), "falling": range(5, -1, -1), "mixed": (3, 0, 5, 1, 4, 2)}[case]
    positions = [(10.0, 20.0, 30.0 + 5 * z) for z in depths]
    write_enhanced(tmp_path / "e.dcm", np.zeros(SHAPE), positions, **STUDY)
    masks = some_masks()
    seg = segment(tmp_path / "e.dcm", masks)
    _, meta = load_dicom(tmp_path / "e.dcm")
    np.testing.assert_array_equal(in_space(seg, masks, meta["affine"]), masks)
    frames = np.argsort(depths)  # the plane z is frame frames[z]
    np.testing.assert_array_equal(on_planes(seg, SHAPE)[..., frames], masks)


def test_several_enhanced_files_have_positions_though_not_referred_to_frame_by_frame(tmp_path: Path) -> None:
    series = generate_uid()
    for part in range(2):
        positions = [(10.0, 20.0, 30.0 + 5 * z) for z in range(3 * part, 3 * part + 3)]
        file = tmp_path / f"e/{part}.dcm"
        write_enhanced(file, np.zeros((5, 4, 3)), positions, **{**STUDY, "SeriesInstanceUID": series})
    masks = some_masks()
    seg = segment(tmp_path / "e", masks)
    np.testing.assert_array_equal(in_space(seg, masks, load_dicom(tmp_path / "e")[1]["affine"]), masks)
    assert len(seg.SourceImageSequence) == 2


def test_an_archive_gives_the_bytes_of_its_folder(tmp_path: Path) -> None:
    source, masks = write(tmp_path / "ct"), some_masks()
    shutil.make_archive(str(tmp_path / "ct"), "zip", source)
    segment(source, masks, out="a.dcm")
    segment(tmp_path / "ct.zip", masks, out="b.dcm")
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()


def test_the_same_masks_give_the_same_bytes_and_others_other_uids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, masks = write(tmp_path / "ct"), some_masks()
    first = segment(source, masks, out="a.dcm")

    class Later(hd.base.datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls(2099, 9, 9, 9, 9, 9)

    monkeypatch.setattr(hd.base.datetime, "datetime", Later)
    segment(source, masks, out="b.dcm")
    monkeypatch.undo()
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()
    moved = np.roll(masks, 1, axis=3)
    for other in (segment(source, moved), segment(source, masks, ["liver", "spleen", "aorta"])):
        for name in ("SOPInstanceUID", "SeriesInstanceUID"):
            assert first[name].value != other[name].value
            assert UID(first[name].value).is_valid
    assert first.SOPInstanceUID == first.file_meta.MediaStorageSOPInstanceUID


def test_another_algorithm_or_version_gives_other_uids(tmp_path: Path) -> None:
    source, masks = write(tmp_path / "ct"), some_masks()
    found = []
    for number, algorithm in enumerate([MODEL, ("model", "1.3"), ("models", "1.2"), ("model1", ".2")]):
        write_seg(tmp_path / f"{number}.dcm", masks, PROMPTS, source, "", algorithm)
        seg = dcmread(tmp_path / f"{number}.dcm")
        tracking = [item.TrackingUID for item in seg.SegmentSequence]
        found += [
            seg.SOPInstanceUID,
            seg.SeriesInstanceUID,
            *tracking,
            seg.DimensionOrganizationSequence[0][0x00209164].value,
        ]
    assert len(set(found)) == len(found) == 4 * 6
    assert all(UID(uid).is_valid and len(uid) <= 64 for uid in found)


@pytest.mark.parametrize(
    ("length", "kept"),
    [(64, True), (65, False)],
)
def test_a_uid_of_more_than_64_characters_is_replaced(tmp_path: Path, length: int, kept: bool) -> None:
    uids = {
        name: f"1.2.{n}." + "7" * (length - 6)
        for n, name in enumerate(("StudyInstanceUID", "FrameOfReferenceUID"))
    }
    source = write(tmp_path / "ct", **uids)
    notes = write_seg(tmp_path / "s.dcm", some_masks(), PROMPTS, source, "", MODEL)
    seg = dcmread(tmp_path / "s.dcm")
    for name, uid in uids.items():
        assert len(uid) == length
        assert (seg[name].value == uid) is kept
        assert UID(seg[name].value).is_valid
    assert len(notes) == (not kept)
    assert kept or "lack FrameOfReferenceUID, StudyInstanceUID: the SEG has its own" in notes[0]


@pytest.mark.parametrize(
    ("tags", "dates"),
    [
        ({}, ("20200102", "20200103", "20200103", "101112")),
        ({"SeriesDate": ""}, ("20200102", "20200102", "20200102", "090807")),
        ({"SeriesTime": ""}, ("20200102", "20200103", "20200103", "000000")),
        ({"SeriesDate": "20201301"}, ("20200102", "20200102", "20200102", "090807")),
        ({"SeriesDate": "2020.01.03"}, ("20200102", "20200102", "20200102", "090807")),
        ({"SeriesTime": "246060"}, ("20200102", "20200103", "20200103", "000000")),
        ({"SeriesTime": "235959.123456"}, ("20200102", "20200103", "20200103", "235959.123456")),
        ({"SeriesDate": "", "StudyDate": ""}, ("", None, "19000101", "090807")),
        ({"SeriesDate": "", "StudyDate": "", "StudyTime": ""}, ("", None, "19000101", "000000")),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_its_dates_are_those_of_the_series_else_of_the_study(
    tmp_path: Path, tags: dict, dates: tuple[str, ...]
) -> None:
    seg = segment(write(tmp_path / "ct", **{"StudyTime": "090807", **tags}), some_masks())
    found = (seg.StudyDate, seg.get("SeriesDate"), seg.ContentDate, seg.ContentTime)
    assert tuple(None if value is None else str(value) for value in found) == dates


def test_segments_state_what_they_are_and_what_made_them(tmp_path: Path) -> None:
    prompts = ["liver", "left kidney", "brain metastasis", "肺 🫁 \\ " + "x" * 99, ""]
    seg = segment(write(tmp_path / "ct"), some_masks(prompts=5), prompts)
    items = seg.SegmentSequence
    assert [item.SegmentNumber for item in items] == [1, 2, 3, 4, 5]
    assert [item.SegmentLabel for item in items] == [*prompts[:3], "肺 🫁 " + "x" * 60, "prompt"]
    kinds = [item.SegmentedPropertyTypeCodeSequence[0] for item in items]
    assert [(k.CodeValue, k.CodingSchemeDesignator) for k in kinds[:3]] == [
        ("10200004", "SCT"),
        ("64033007", "SCT"),
        ("14799000", "SCT"),
    ]
    assert [k.CodingSchemeDesignator for k in kinds[3:]] == ["99MONAIEXT", "99MONAIEXT"]
    assert kinds[1].SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert "SegmentedPropertyTypeModifierCodeSequence" not in kinds[0]
    assert items[2].AnatomicRegionSequence[0].CodeMeaning == "Brain"
    assert len({item.TrackingUID for item in items}) == 5
    assert items[1].TrackingID == "left kidney"
    for item in items:
        algorithm = item.SegmentationAlgorithmIdentificationSequence[0]
        assert (item.SegmentAlgorithmType, item.SegmentAlgorithmName) == ("AUTOMATIC", "monai_ext model")
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("monai_ext model", "1.2")
    assert seg.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99MONAIEXT"


def test_it_belongs_to_its_study_and_has_its_dates(tmp_path: Path) -> None:
    source = write(tmp_path / "ct", number=7)
    seg, image = segment(source, some_masks()), dcmread(sorted(source.iterdir())[0])
    for name in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientName", "PatientID", "PatientBirthDate"):
        assert seg[name].value == image[name].value
    assert (seg.StudyDate, seg.SeriesDate, seg.ContentDate) == ("20200102", "20200103", "20200103")
    assert (seg.Modality, seg.SeriesNumber, str(seg.ContentTime)) == ("SEG", 1007, "101112")
    [referenced] = seg.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == image.SeriesInstanceUID
    assert len(referenced.ReferencedInstanceSequence) == SHAPE[2]


def test_an_empty_prompt_keeps_its_segment(tmp_path: Path) -> None:
    masks = some_masks()
    masks[1] = 0
    source = write(tmp_path / "ct")
    seg = segment(source, masks)
    assert [item.SegmentLabel for item in seg.SegmentSequence] == PROMPTS
    np.testing.assert_array_equal(on_planes(seg, SHAPE), masks)


@pytest.mark.parametrize("kind", ["folder", "enhanced"])
def test_nothing_found_at_all_is_one_empty_frame_a_segment(tmp_path: Path, kind: str) -> None:
    source = tmp_path / ("ct" if kind == "folder" else "e.dcm")
    if kind == "folder":
        write(source)
    else:
        write_enhanced(source, np.zeros(SHAPE), [(0.0, 0.0, 5.0 * z) for z in range(6)], **STUDY)
    seg = segment(source, np.zeros((2, *SHAPE), np.uint8))
    assert (seg.NumberOfFrames, len(seg.SegmentSequence), seg.pixel_array.any()) == (2, 2, False)
    assert len(seg.SourceImageSequence) == (6 if kind == "folder" else 1)


@pytest.mark.parametrize("modality", ["DX", "CR", "CT"])
def test_a_single_image_without_a_position(tmp_path: Path, modality: str) -> None:
    classes = {
        "DX": "1.2.840.10008.5.1.4.1.1.1.1",
        "CR": "1.2.840.10008.5.1.4.1.1.1",
        "CT": "1.2.840.10008.5.1.4.1.1.2",
    }
    tags = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "PixelSpacing": None}
    write_series(
        tmp_path / "x", np.zeros((5, 4, 1)), **STUDY, Modality=modality, SOPClassUID=classes[modality], **tags
    )
    masks = some_masks((5, 4, 1))
    seg = segment(tmp_path / "x/1-001.dcm", masks)
    np.testing.assert_array_equal(on_planes(seg, (5, 4, 1)), masks)
    assert ("FrameOfReferenceUID" in seg) == (modality == "CT")


def test_one_slice_of_a_series(tmp_path: Path) -> None:
    write_series(tmp_path / "x", np.zeros((5, 4, 1)), **STUDY)
    masks = some_masks((5, 4, 1))
    seg = segment(tmp_path / "x/1-001.dcm", masks)
    np.testing.assert_array_equal(on_planes(seg, (5, 4, 1)), masks)
    position = seg.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    assert position.ImagePositionPatient == [10, 20, 30]


def test_slices_that_are_nearly_even_stay_on_their_images(tmp_path: Path) -> None:
    positions = [(10.0, 20.0, z) for z in (30.0, 35.0, 40.2, 45.0, 50.0, 55.0)]
    source = write(tmp_path / "ct", positions=positions)
    masks = some_masks()
    seg = segment(source, masks)
    np.testing.assert_array_equal(on_planes(seg, SHAPE), masks)
    groups = seg.PerFrameFunctionalGroupsSequence
    assert {float(g.PlanePositionSequence[0].ImagePositionPatient[2]) for g in groups} == {
        30,
        35,
        40.2,
        45,
        50,
    }


def test_what_the_files_lack_is_made_up_with_a_warning(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros(SHAPE), SOPClassUID="1.2.3", SOPInstanceUID="1.2.9")
    notes = write_seg(tmp_path / "s.dcm", some_masks(), PROMPTS, tmp_path / "ct", "", MODEL)
    assert notes == [
        "the DICOM files lack FrameOfReferenceUID, SOPClassUID, StudyInstanceUID: the SEG has its own, viewers may"
        " not show it on the images",
        "several DICOM files have one SOPInstanceUID: viewers may show the SEG on the wrong slices",
    ]
    seg = hd.seg.segread(tmp_path / "s.dcm")
    masks = some_masks()
    np.testing.assert_array_equal(in_space(seg, masks, load_dicom(tmp_path / "ct")[1]["affine"]), masks)
    assert (seg.ContentDate, seg.get("SeriesDate")) == ("19000101", None)


def test_every_class_of_images_is_one_that_highdicom_knows() -> None:
    from highdicom._standard_utils import get_sop_class_iod_map
    from pydicom._uid_dict import UID_dictionary

    known, taken = get_sop_class_iod_map(), 0
    for uid in (uid for uid, entry in UID_dictionary.items() if entry[1] == "SOP Class"):
        missing: set[str] = set()
        assert _sop_class(uid, missing) in known
        taken += not missing
    assert taken > 50


def test_a_series_that_changed_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    source = write(tmp_path / "ct")
    with pytest.raises(InputError, match=r"^ct: changed while it was segmented; run it again\.$"):
        write_seg(tmp_path / "out/s.dcm", some_masks((5, 4, 7)), PROMPTS, source, "", MODEL)
    assert not (tmp_path / "out").exists()


def test_images_that_highdicom_cannot_pack_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((2, 3, 6)), **STUDY)
    with pytest.raises(InputError, match=r"^ct: too few pixels for a DICOM SEG"):
        write_seg(tmp_path / "s.dcm", some_masks((2, 3, 6)), PROMPTS, tmp_path / "ct", "", MODEL)


SENTINELS = {
    **{
        name: f"SENTINEL {name}"
        for name in ("InstitutionName", "StudyDescription", "SeriesDescription", "StationName")
    },
    **{
        name: f"SENTINEL {name}"
        for name in ("PatientComments", "ProtocolName", "Manufacturer", "ImageComments")
    },
    **{name: f"SENTINEL {name}"[:16] for name in ("AccessionNumber", "StudyID")},
    **dict.fromkeys(("ReferringPhysicianName", "OperatorsName", "ResponsiblePerson"), "SENTINEL^Person"),
    "PatientAddress": "SENTINEL street",
    "OtherPatientIDs": "SENTINEL id",
    "EthnicGroup": "SENTINEL",
    "StudyTime": "SENTINEL",
    "SpecificCharacterSet": "SENTINEL",
    "PatientAge": "SENT",
    "Occupation": "SENTINEL",
}


@pytest.mark.filterwarnings("ignore")
def test_of_the_patient_it_holds_no_more_than_the_patient_module_must(
    tmp_path: Path, capfd: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    def private(ds: Dataset, _: int) -> None:
        ds.private_block(0x0011, "SENTINEL creator", create=True).add_new(1, "LO", "SENTINEL private")

    source = tmp_path / "SENTINEL folder"
    tags = {**STUDY, **SENTINELS, "PatientSex": "SENTINEL"}
    write_series(source, np.zeros(SHAPE), each=private, **tags)
    capfd.readouterr()
    caplog.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        notes = write_seg(tmp_path / "s.dcm", some_masks(), PROMPTS, source, "", MODEL)
    output = "".join(capfd.readouterr()) + caplog.text + str([str(w.message) for w in caught]) + str(notes)
    assert "SENT" not in output
    assert "Jane" not in output
    content = (tmp_path / "s.dcm").read_bytes()
    assert b"SENT" not in content
    assert b"Jane" in content
    assert b"secret-42" in content


# real series


def real(shared_data: Path, name: str) -> tuple[Path, np.ndarray, Any]:
    source = shared_data / "dicom" / name
    array, meta = load_dicom(source)
    return source, array[0], meta


def centroid(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """(3,) RAS mm."""
    return affine[:3, :3] @ np.argwhere(mask).mean(axis=0) + affine[:3, 3]


@pytest.mark.parametrize("name", ["ct_ircad01_slab", "mr_remind022_t1c_slab"])
def test_a_real_series_round_trips(shared_data: Path, tmp_path: Path, name: str) -> None:
    source, array, meta = real(shared_data, name)
    masks = np.zeros((2, *array.shape), np.uint8)
    masks[0, 40:110, 100:180, 2:9] = array[40:110, 100:180, 2:9] > np.median(array)
    masks[1, 90:95, 120:150] = 1
    notes = write_seg(tmp_path / "s.dcm", masks, PROMPTS[:2], source, "", MODEL)
    seg = hd.seg.segread(tmp_path / "s.dcm")
    np.testing.assert_array_equal(on_planes(seg, array.shape), masks)
    found = in_space(seg, masks, meta["affine"])
    np.testing.assert_array_equal(found, masks)
    write_seg(tmp_path / "one.dcm", masks[1:], PROMPTS[1:2], source, "", MODEL)
    np.testing.assert_array_equal(in_itks_space(tmp_path / "one.dcm", masks[1], meta["affine"]), masks[1])
    assert [note for note in notes if "lack FrameOfReferenceUID:" not in note] == []
    assert len(notes) == (name == "ct_ircad01_slab")


def test_the_tumour_of_the_real_seg_comes_back_where_its_authors_put_it(
    shared_data: Path, tmp_path: Path
) -> None:
    source, array, meta = real(shared_data, "mr_remind022_t1c_slab")
    theirs = hd.seg.segread(shared_data / "dicom/mr_remind022_tumour_SEG.dcm")
    tumour = in_space(theirs, np.zeros((1, *array.shape), np.uint8), meta["affine"])
    assert tumour.sum() == 799
    notes = write_seg(tmp_path / "s.dcm", tumour, ["brain tumour"], source, "", MODEL)
    assert notes == []
    ours = hd.seg.segread(tmp_path / "s.dcm")
    np.testing.assert_array_equal(in_space(ours, tumour, meta["affine"]), tumour)
    centres = []
    for seg in (theirs, ours):
        volume = seg.get_volume(combine_segments=False, allow_missing_positions=True)
        centres.append(centroid(np.asarray(volume.array)[..., 0], volume.affine))
    np.testing.assert_allclose(*centres, atol=0.01)  # mm; half a voxel is 0.5
    assert ours.FrameOfReferenceUID == theirs.FrameOfReferenceUID
