from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_ext.errors import InputError
from monai_ext.io.slices import SliceView, slice_view, view_of
from tests.orientations import affine_of, rotation

RAS = np.diag([1.0, 1.0, 1.0, 1.0])
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def world_volume(affine: np.ndarray, shape: tuple[int, int, int]) -> torch.Tensor:
    """(3, X, Y, Z): every voxel holds its own RAS coordinates."""
    index = torch.stack(torch.meshgrid(*[torch.arange(n) for n in shape], indexing="ij")).double()
    matrix = torch.from_numpy(affine)
    return torch.einsum("ij,jxyz->ixyz", matrix[:3, :3], index) + matrix[:3, 3, None, None, None]


class TestDisplay:
    @pytest.mark.parametrize("affine", [RAS, LPS, affine_of((1, 1, 1), rotation(90, 180, 90))])
    @pytest.mark.parametrize(
        "spacing, down, right",
        [
            ((1.0, 1.0, 5.0), (1, -1), (0, -1)),  # axial: to posterior, to the patient's left
            ((1.0, 5.0, 1.0), (2, -1), (0, -1)),  # coronal: to inferior, to the patient's left
            ((5.0, 1.0, 1.0), (2, -1), (1, -1)),  # sagittal: to inferior, to posterior
        ],
    )
    def test_rows_and_columns_run_the_radiological_way(self, affine, spacing, down, right):
        # The coarse direction is a body axis, however the array is stored.
        affine = np.diag([*spacing, 1.0]) @ affine
        volume = world_volume(affine, (3, 4, 5))
        shown = slice_view((3, 4, 5), affine).show(volume)
        for dim, (world, sign) in ((2, down), (3, right)):
            steps = shown.diff(dim=dim).movedim(1, 0)
            assert torch.allclose(steps[world], torch.tensor(sign * spacing[world]).double())
            others = [w for w in range(3) if w != world]
            assert steps[others].abs().max() < 1e-9

    def test_an_axial_ras_slice_is_turned_by_half(self):
        volume = torch.arange(6.0).reshape(1, 2, 3, 1)
        shown = slice_view((2, 3, 1), RAS).show(volume)
        assert shown.tolist() == [[[[5.0, 2.0], [4.0, 1.0], [3.0, 0.0]]]]

    def test_oblique_slices_follow_the_closest_axes(self):
        straight = slice_view((4, 5, 6), affine_of((1, 1, 3)))
        assert slice_view((4, 5, 6), affine_of((1, 1, 3), rotation(20, -15, 30))) == straight

    def test_a_part_of_the_slices_is_shown_in_array_order(self):
        volume = torch.arange(24.0).reshape(1, 2, 3, 4)
        shown = SliceView(2, 0, 1).show(volume, 1, 3)
        assert torch.equal(shown, torch.stack([volume[..., 1], volume[..., 2]]))


class TestSliceAxis:
    @pytest.mark.parametrize(
        "spacing, axis",
        [
            ((1.25, 1.0, 1.0), 0),
            ((1.0, 1.25, 1.0), 1),
            ((1.24, 1.0, 1.0), 2),
            ((3.0, 3.0, 1.0), 2),
            ((3.0, 2.5, 1.0), 2),
            ((0.7, 0.7, 0.7), 2),
        ],
    )
    def test_the_axis_that_is_coarser_by_a_quarter_else_the_axial_one(self, spacing, axis):
        assert slice_view((4, 5, 6), affine_of(spacing)).axis == axis

    def test_a_ratio_of_exactly_a_quarter_survives_float32(self):
        affine = affine_of((0.8, 0.8, 1.0), rotation(10, 20, 30)).astype(np.float32)
        assert slice_view((4, 5, 6), affine @ np.diag([1, 1, 1, 1.0])).axis == 2
        coarse_x = affine_of((1.0, 0.8, 0.8), rotation(10, 20, 30)).astype(np.float32)
        assert slice_view((4, 5, 6), coarse_x).axis == 0

    @pytest.mark.parametrize(("short", "axis"), [(0, 0), (9e-6, 0), (1e-5, 0), (1.1e-5, 2), (1e-4, 2)])
    def test_a_ratio_may_miss_a_quarter_by_a_hundred_thousandth(self, short, axis):
        assert slice_view((4, 5, 6), affine_of((1.25 * (1 - short), 1.0, 1.0))).axis == axis

    def test_an_axis_of_one_voxel_goes_before_spacing(self):
        assert slice_view((4, 1, 6), affine_of((1, 1, 5))).axis == 1

    def test_the_axial_axis_is_found_wherever_it_is_stored(self):
        stored_sar = affine_of((1, 1, 1))[:, [2, 1, 0, 3]]
        assert slice_view((4, 5, 6), stored_sar).axis == 0

    def test_a_wished_axis_goes_before_all(self):
        view = slice_view((4, 5, 6), affine_of((1, 1, 5)), axis=0)
        assert view == SliceView(0, 2, 1, True, True)


class TestStatedPlane:
    @pytest.mark.parametrize("normal", [(0, 0, 1), (0, 0, -1), torch.tensor([0.0, 0.1, 0.99])])
    def test_it_goes_before_spacing(self, normal):
        affine = affine_of((1.0, 4.0, 2.0))
        assert slice_view((4, 5, 6), affine).axis == 1
        assert slice_view((4, 5, 6), affine, normal=normal).axis == 2

    @pytest.mark.parametrize("world", [0, 1, 2])
    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
    def test_it_is_found_wherever_its_normal_is_stored(self, world, order):
        affine = affine_of((1.0, 4.0, 2.0), rotation(10, -20, 15))
        normal = affine[:3, world] / np.linalg.norm(affine[:3, world])
        stored = affine[:, [*order, 3]]
        assert slice_view((4, 5, 6), stored, normal=normal).axis == order.index(world)

    def test_the_direction_counts_and_not_the_length_of_an_axis(self):
        affine = affine_of((1.0, 9.0, 1.0))
        assert slice_view((4, 5, 6), affine, normal=(0, 0.5, 0.8)).axis == 2

    @pytest.mark.parametrize(
        "spacing, axis",
        [((1.0, 1.0, 1.0), 2), ((1.2, 1.0, 1.0), 2), ((1.25, 1.0, 1.0), 0), ((1.0, 1.25, 1.0), 0)],
    )
    def test_voxels_that_are_nearly_cubes_are_cut_axially_all_the_same(self, spacing, axis):
        assert slice_view((4, 5, 6), affine_of(spacing), normal=(1, 0, 0)).axis == axis

    def test_one_that_is_not_stated_changes_nothing(self):
        for normal in (None, np.zeros(3), torch.zeros(3)):
            assert slice_view((4, 5, 6), affine_of((1.0, 4.0, 2.0)), normal=normal).axis == 1

    def test_an_axis_of_one_voxel_or_a_wished_one_goes_before_it(self):
        affine = affine_of((1.0, 4.0, 2.0))
        assert slice_view((4, 1, 6), affine, normal=(0, 0, 1)).axis == 1
        assert slice_view((4, 5, 6), affine, axis=0, normal=(0, 0, 1)).axis == 0

    def test_a_volume_is_viewed_by_its_metadata(self):
        affine, meta = torch.tensor(affine_of((1.0, 4.0, 2.0))), {"slice_normal": np.array([0.0, 0, 1])}
        assert view_of(MetaTensor(torch.zeros(1, 4, 5, 6), affine, meta)).axis == 2
        assert view_of(MetaTensor(torch.zeros(1, 4, 5, 6), affine)).axis == 1
        with pytest.warns(UserWarning, match="no affine"):
            assert view_of(torch.zeros(1, 4, 5, 6)) == SliceView(2, 0, 1)


class TestWithoutAffine:
    def test_warns_and_shows_the_last_axis_as_stored(self):
        with pytest.warns(UserWarning, match="no affine: slices are cut across array axis 2") as warned:
            view = slice_view((4, 5, 6), None)
        assert warned[0].filename == __file__  # the place to mend
        assert view == SliceView(2, 0, 1)

    def test_takes_an_axis_of_one_voxel(self):
        with pytest.warns(UserWarning, match="array axis 0"):
            assert slice_view((1, 5, 6), None) == SliceView(0, 1, 2)


def test_restore_undoes_show_for_all_displays():
    volume = torch.rand(2, 3, 4, 5)
    for axis, rows, columns in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        for flips in ((False, False), (True, False), (False, True), (True, True)):
            view = SliceView(axis, rows, columns, *flips)
            back = torch.full_like(volume, -1)
            view.restore(view.show(volume, 0, 2), back, 0)
            view.restore(view.show(volume, 2), back, 2)
            assert torch.equal(back, volume)


@pytest.mark.parametrize(
    "affine, words",
    [
        (np.full((4, 4), np.nan), "NaN or infinite"),
        (np.diag([1.0, 0.0, 1.0, 1.0]), "singular affine .spacing 1, 0, 1 mm"),
        (affine_of((1, 1, 1))[:, [0, 0, 2, 3]], "singular"),
        (np.eye(3), r"shape \(3, 3\)"),
    ],
)
def test_an_unusable_affine_is_refused_with_the_reason(affine, words):
    with pytest.raises(InputError, match=words):
        slice_view((4, 5, 6), affine)


def test_tiny_voxels_are_not_taken_for_a_singular_affine():
    assert slice_view((4, 5, 6), affine_of((1e-4, 1e-4, 1e-3))).axis == 2
