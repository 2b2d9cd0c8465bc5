from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.io.dicom.headers import Plane
from monai_ext.io.dicom.stack import stack

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def plane(depth: float = 0.0, **facts) -> Plane:
    """4 × 3 pixels of 2 × 1 mm (distance of rows, of columns) at (10, 20, depth)."""
    base = {
        "file": Path(f"study/{depth:g}.dcm"),
        "columns": 4,
        "rows": 3,
        "modality": "CT",
        "position": (10.0, 20.0, depth),
        "orientation": AXIAL,
        "spacing": (2.0, 1.0, "PixelSpacing"),
        "thickness": 5.0,
    }
    return Plane(**{**base, **facts})


def refusal(*planes: Plane) -> str:
    with pytest.raises(InputError) as caught:
        stack("ct", planes)
    assert "\n" not in str(caught.value)
    assert "study" not in str(caught.value)
    return str(caught.value)


# where the stack lies


def test_slices_are_ordered_along_their_normal_with_an_affine_in_ras() -> None:
    planes, affine, warnings = stack("ct", [plane(5), plane(15), plane(0), plane(10)])
    assert [p.position[2] for p in planes if p.position] == [0, 5, 10, 15]
    np.testing.assert_allclose(affine, [[-1, 0, 0, -10], [0, -2, 0, -20], [0, 0, 5, 0], [0, 0, 0, 1]])
    assert warnings == []


def test_an_oblique_stack_keeps_its_directions() -> None:
    c, s = np.cos(0.3), np.sin(0.3)
    row, column, normal = np.array([c, s, 0]), np.array([0.0, 0, -1]), np.array([-s, c, 0])
    planes = [
        plane(z, orientation=(*row, *column), position=tuple(np.array([1.0, 2, 3]) + 4 * z * normal))
        for z in (2, 0, 1)
    ]
    ordered, affine, _ = stack("ct", planes)
    assert [p.file.name for p in ordered] == ["0.dcm", "1.dcm", "2.dcm"]
    flip = np.array([-1, -1, 1])
    np.testing.assert_allclose(affine[:3, 0], row * flip)
    np.testing.assert_allclose(affine[:3, 1], 2 * column * flip, atol=1e-12)
    np.testing.assert_allclose(affine[:3, 2], 4 * normal * flip, atol=1e-12)
    np.testing.assert_allclose(affine[:3, 3], [-1, -2, 3])


def test_one_slice_is_as_thick_as_its_header_states() -> None:
    _, affine, warnings = stack("ct", [plane(7)])
    np.testing.assert_allclose(affine, [[-1, 0, 0, -10], [0, -2, 0, -20], [0, 0, 5, 7], [0, 0, 0, 1]])
    assert warnings == []


def test_a_picture_without_a_position_lies_at_the_origin_with_the_spacing_of_its_detector() -> None:
    picture = plane(position=None, orientation=None, thickness=None, spacing=(0.2, 0.1, "ImagerPixelSpacing"))
    _, affine, warnings = stack("x", [picture])
    np.testing.assert_allclose(affine, np.diag([-0.1, -0.2, 1, 1]))
    assert warnings == [
        "pixel spacing is that of the detector (ImagerPixelSpacing): sizes in mm are too large"
    ]


def test_a_picture_without_spacing_has_a_warning() -> None:
    _, affine, warnings = stack("x", [plane(position=None, orientation=None, thickness=None, spacing=None)])
    np.testing.assert_allclose(affine, np.diag([-1, -1, 1, 1]))
    assert warnings == ["no pixel spacing in the DICOM file: 1 mm is assumed, sizes in mm are not right"]


# distances


@pytest.mark.parametrize("last", [10.04, 9.96])
def test_distances_within_one_per_cent_are_even(last: float) -> None:
    _, affine, warnings = stack("ct", [plane(0), plane(5), plane(last)])
    assert warnings == []
    np.testing.assert_allclose(affine[2, 2], last / 2)


def test_distances_up_to_ten_per_cent_off_have_a_warning() -> None:
    _, affine, warnings = stack("ct", [plane(0), plane(5), plane(10), plane(15.2)])
    assert warnings == ["slice distances vary from 5.00 to 5.20 mm, their mean is used"]
    np.testing.assert_allclose(affine[2, 2], 15.2 / 3)


def test_a_missing_slice_is_refused_with_its_neighbours() -> None:
    assert refusal(*map(plane, (0, 5, 15, 20, 25))) == (
        "ct: a slice is missing between “5.dcm” and “15.dcm” (10.00 mm apart, others 5.00 mm);"
        " complete the series."
    )
    assert "a slice is missing between “5.dcm” and “15.dcm”" in refusal(*map(plane, (0, 5, 15)))
    assert "2 slices are missing, first between “5.dcm” and “15.dcm”" in refusal(
        *map(plane, (0, 5, 15, 20, 30))
    )
    assert "3 slices are missing between “5.dcm” and “25.dcm”" in refusal(*map(plane, (0, 5, 25, 30, 35)))


@pytest.mark.parametrize("depths", [(0, 5, 10, 16, 21), (0, 5, 10, 15, 17.5), (0, 5, 12.5)])
def test_uneven_distances_are_refused(depths: tuple[float, ...]) -> None:
    assert "slice distances vary from" in refusal(*map(plane, depths))


def test_two_slices_side_by_side_in_one_plane_are_refused() -> None:
    beside = plane(5, position=(300.0, 20.0, 5.0), file=Path("study/b.dcm"))
    assert refusal(plane(0), plane(5), beside, plane(10)) == (
        "ct: “5.dcm” and “b.dcm” lie side by side in one plane; give one folder per stack of slices."
    )


def test_slices_of_a_thousandth_of_a_millimetre_are_apart() -> None:
    assert stack("ct", [plane(0), plane(0.001)])[1][2, 2] == 0.001


# what is no straight stack of equal grey slices


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"position": (10.0, 21.0, 5.0)}, "ct: the slices are stacked aslant (gantry tilt)"),
        ({"columns": 5}, "ct: slices of different sizes (4 × 3, 5 × 3)"),
        ({"orientation": (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)}, "ct: slices of different orientations"),
        ({"spacing": (2.0, 1.1, "PixelSpacing")}, "ct: slices of different pixel spacing"),
        ({"position": None}, "5.dcm: no position, orientation or pixel spacing, so 2 images"),
        ({"orientation": None}, "5.dcm: no position, orientation or pixel spacing"),
        ({"spacing": None}, "5.dcm: no position, orientation or pixel spacing"),
        ({"orientation": (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)}, "5.dcm: ImageOrientationPatient holds no two"),
        ({"orientation": (2.0, 0.0, 0.0, 0.0, 1.0, 0.0)}, "5.dcm: ImageOrientationPatient holds no two"),
        ({"spacing": (2.0, 0.0, "PixelSpacing")}, "5.dcm: PixelSpacing is not positive"),
        ({"slope": 0.0}, "5.dcm: RescaleSlope is 0"),
        ({"rows": 1}, "5.dcm: 4 × 1 pixels are no image"),
        ({"columns": 30_000}, "5.dcm: 30000 × 3 pixels, the limit is 16384"),
        ({"frames": 2, "position": None}, "5.dcm: multi-frame DICOM (2 frames) without a position per frame"),
        ({"owners": (("PatientID", "other"),)}, "ct: images of 2 patients in one series (PatientID differs)"),
        ({"photometric": "MONOCHROME1"}, "5.dcm: only MONOCHROME2 DICOM is read"),
        ({"photometric": "RGB with 3 samples per pixel"}, "5.dcm: only MONOCHROME2"),
        ({"photometric": "Doe Jane"}, "5.dcm: only MONOCHROME2"),
    ],
)
def test_a_stack_that_would_be_misread_is_refused(second: dict, message: str) -> None:
    first = plane(0, owners=(("PatientID", "one"),))
    assert refusal(first, plane(5, **second)).startswith(message)


@pytest.mark.parametrize(("turns", "read"), [((0, 9, -9), True), ((0, 0, 11), False), ((9, 0, -9), False)])
def test_slices_may_be_turned_by_a_thousandth_against_the_first(turns: tuple[int, ...], read: bool) -> None:
    planes = [plane(5 * z, orientation=(1.0, turn * 1e-4, *AXIAL[2:])) for z, turn in enumerate(turns)]
    if read:
        np.testing.assert_array_equal(stack("ct", planes)[1][:3, 2], [0, 0, 5])
    else:
        assert refusal(*planes).startswith("ct: slices of different orientations")


@pytest.mark.parametrize(("share", "read"), [(1.0009, True), (1.0011, False), (0.9989, False)])
def test_pixel_spacings_may_differ_by_a_thousandth(share: float, read: bool) -> None:
    planes = [plane(0), plane(5, spacing=(2.0, share, "PixelSpacing"))]
    if read:
        np.testing.assert_array_equal(stack("ct", planes)[1][:3, 0], [-1, 0, 0])
    else:
        assert refusal(*planes).startswith("ct: slices of different pixel spacing")


def test_a_slice_beside_the_others_is_refused() -> None:
    planes = [plane(z, position=(10.0, 20.0 + 2 * (z == 50), float(z))) for z in range(0, 105, 5)]
    assert "“50.dcm” lies 2.00 mm beside the other slices" in refusal(*planes)


@pytest.mark.parametrize(("tilt", "read"), [(0.0099, True), (0.0101, False), (-0.0101, False)])
def test_a_stack_may_lean_by_one_per_cent(tilt: float, read: bool) -> None:
    planes = [plane(z, position=(10.0, 20.0 + tilt * z, float(z))) for z in range(0, 50, 5)]
    if not read:
        assert "stacked aslant (gantry tilt)" in refusal(*planes)
        return
    _, affine, warnings = stack("ct", planes)
    np.testing.assert_allclose(affine[:3, 2], [0, -5 * tilt, 5])
    assert warnings == []


@pytest.mark.parametrize(("aside", "read"), [(0.499, True), (0.505, False)])
def test_a_slice_may_lie_half_a_pixel_beside_the_others(aside: float, read: bool) -> None:
    """Pixels of 2 × 1 mm; that it lies aside counts beyond one per cent of its depth of 1 mm."""
    planes = [plane(z, position=(10.0 + (aside + 0.01) * (z == 1), 20.0, float(z))) for z in range(3)]
    if not read:
        assert "“1.dcm” lies 0.5" in refusal(*planes)
        return
    np.testing.assert_allclose(stack("ct", planes)[1][:3, 2], [0, 0, 1])


def test_inverted_x_ray_pictures_are_read() -> None:
    assert stack("x", [plane(0, photometric="MONOCHROME1", modality="DX")])[2] == []
