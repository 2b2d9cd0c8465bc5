"""DICOM SEG and RTSTRUCT on the grid of the series that they were drawn on."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from monai_ext.errors import InputError
from monai_ext.io.dicom.annotations import read_archive, referenced_series
from monai_ext.io.dicom.read_rtstruct import even_odd, read_contours
from monai_ext.io.dicom.read_seg import read_segments
from monai_ext.io.dicom.series import read_series
from monai_ext.io.dicom.write_seg import write_seg
from tests.io.dicom.dicom_files import write_series
from tests.io.dicom.rtstruct_files import box, write_rtstruct

SHAPE = (8, 7, 4)
"""Columns 1 mm apart, rows 2 mm, slices 5 mm, from (10, 20, 30) on."""


@pytest.fixture
def folder(tmp_path):
    values = np.random.RandomState(0).randint(0, 2000, SHAPE)
    write_series(tmp_path / "ct", values, FrameOfReferenceUID=generate_uid())
    return tmp_path / "ct"


def drawn(folder, regions, **more):
    write_rtstruct(folder.parent / "rt.dcm", folder, regions, **more)
    return dict(read_contours(folder.parent / "rt.dcm", read_series(folder)))


def test_a_contour_fills_the_pixels_whose_centres_lie_in_it(folder):
    masks = drawn(folder, {"Liver": [box(11.5, 23, 14.5, 29, 40)]})
    expected = np.zeros(SHAPE, bool)
    expected[2:5, 2:5, 2] = True  # columns 12 to 14 mm, rows 24 to 28 mm, the third slice
    assert list(masks) == ["Liver"] and np.array_equal(masks["Liver"], expected)


def test_a_contour_within_another_is_a_hole(folder):
    outer, inner, island = (
        box(9.5, 19, 17.5, 33, 30),
        box(11.5, 21, 15.5, 31, 30),
        box(12.5, 23, 13.5, 25, 30),
    )
    mask = drawn(folder, {"ring": [outer, inner, island]})["ring"][:, :, 0]
    expected = np.ones(SHAPE[:2], bool)
    expected[2:6, 1:6] = False
    expected[3, 2] = True
    assert np.array_equal(mask, expected)


def test_contours_that_reach_out_of_the_image_are_cut(folder):
    mask = drawn(folder, {"body": [box(0, 0, 12.5, 100, 35)]})["body"]
    assert mask.sum() == 21 and mask[:3, :, 1].all()


@pytest.mark.filterwarnings("ignore:The value for the data element")
def test_a_contour_of_more_than_64_kilobytes_is_read(folder):
    corners = [(11.5 + 3 * n / 3000, 23.0, 40.0) for n in range(3000)] + [
        (14.5, 29.0, 40.0),
        (11.5, 29.0, 40.0),
    ]
    assert drawn(folder, {"liver": [corners]})["liver"].sum() == 9


def test_the_even_odd_rule_agrees_with_another_implementation():
    from skimage.draw import polygon2mask

    random = np.random.RandomState(5)
    for corners in (random.uniform(-3, 23, (7, 2)) for _ in range(50)):  # most of them cross themselves
        assert np.array_equal(even_odd((20, 18), corners), polygon2mask((20, 18), corners))


def test_polygons_side_by_side_share_no_pixel():
    left, right = np.array([[1, 1], [4, 1], [4, 5], [1, 5]]), np.array([[4, 1], [6, 1], [6, 5], [4, 5]])
    first, second = even_odd((8, 8), left), even_odd((8, 8), right)
    assert first.sum() == 12 and second.sum() == 8 and not (first & second).any()


def test_points_have_no_area(folder):
    assert drawn(folder, {"marker": [[(12.0, 24.0, 30.0)]]}, kind="POINT") == {}


@pytest.mark.parametrize(("z", "reason"), [(32.5, "between the slices"), (60, "beyond the slices")])
def test_contours_on_no_slice_are_refused(z, reason, folder):
    with pytest.raises(InputError, match=rf"rt\.dcm: .*{reason}"):
        drawn(folder, {"liver": [box(11, 23, 14, 29, z)]})


def test_a_damaged_rtstruct_is_refused(folder):
    drawn(folder, {"liver": [box(11, 23, 14, 29, 30)]})
    broken = dcmread(folder.parent / "rt.dcm")
    del broken.ROIContourSequence
    broken.save_as(folder.parent / "rt.dcm")
    with pytest.raises(InputError, match="not a whole RTSTRUCT"):
        list(read_contours(folder.parent / "rt.dcm", read_series(folder)))


@pytest.mark.parametrize("positions", [None, [(10.0, 20.0, 45.0 - 5 * z) for z in range(4)]])
def test_segments_come_back_as_they_were_written(positions, tmp_path):
    write_series(tmp_path / "ct", np.zeros(SHAPE, int), positions=positions)
    masks = np.zeros((2, *SHAPE), np.uint8)
    masks[0, 1:4, 2:6, 1:3], masks[1, 2:7, 0:3, 2] = 1, 1
    write_seg(tmp_path / "seg.dcm", masks, ["liver", "odd spot"], tmp_path / "ct", "", ("vlsm", "1"))
    found = list(read_segments(tmp_path / "seg.dcm", read_series(tmp_path / "ct")))
    assert [name for name, _ in found] == ["liver", "odd spot"]
    assert all(np.array_equal(mask, wanted) for (_, mask), wanted in zip(found, masks > 0))


def test_a_segment_of_one_frame_is_placed_whatever_the_thickness_of_its_slice(tmp_path):
    write_series(tmp_path / "ct", np.zeros(SHAPE, int), SliceThickness=2.0)
    masks = np.zeros((1, *SHAPE), np.uint8)
    masks[0, 1:4, 2:6, 3] = 1
    write_seg(tmp_path / "seg.dcm", masks, ["liver"], tmp_path / "ct", "", ("vlsm", "1"))
    ((_, mask),) = read_segments(tmp_path / "seg.dcm", read_series(tmp_path / "ct"))
    assert np.array_equal(mask, masks[0] > 0)


def test_a_seg_of_other_slices_is_refused(folder):
    masks = np.ones((1, *SHAPE), np.uint8)
    write_seg(folder.parent / "seg.dcm", masks, ["liver"], folder, "", ("vlsm", "1"))
    max(folder.glob("*.dcm")).unlink()
    with pytest.raises(InputError, match=r"seg\.dcm: it reaches beyond the slices"):
        list(read_segments(folder.parent / "seg.dcm", read_series(folder)))
    write_series(folder.parent / "other", np.zeros(SHAPE, int), spacing=(2.0, 2.0, 5.0))
    with pytest.raises(InputError, match="of another size or direction"):
        list(read_segments(folder.parent / "seg.dcm", read_series(folder.parent / "other")))
    with pytest.raises(InputError, match="not a readable DICOM SEG"):
        list(read_segments(next(folder.glob("*.dcm")), read_series(folder.parent / "other")))


@pytest.mark.parametrize("refer", ["series", "instance", "frame"])
def test_an_annotation_finds_its_series(refer, folder):
    write_series(folder.parent / "other", np.zeros(SHAPE, int), number=2, FrameOfReferenceUID=generate_uid())
    write_rtstruct(folder.parent / "rt.dcm", folder, {"a": [box(11, 23, 14, 29, 30)]}, refer=refer)
    archive = read_archive(folder.parent)
    (annotation,) = archive.annotations
    own = dcmread(next(folder.glob("*.dcm"))).SeriesInstanceUID
    assert len(archive.slices) == 2 and referenced_series(annotation, archive.slices) == [own]
    del archive.slices[own]
    assert referenced_series(annotation, archive.slices) == []
