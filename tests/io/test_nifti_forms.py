"""The affine that a NIfTI header states by its codes, and the notes where it is in doubt."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.io.read_nifti import load_nifti
from monai_ext.io.volumes import FORMS_DISAGREE, ORIENTATION_UNKNOWN
from tests.orientations import rotation

FORM = np.array([[-2.0, 0, 0, 11], [0, -2, 0, 12], [0, 0, 1.5, 13], [0, 0, 0, 1]])
OTHER = np.array([[2.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 1.5, 0], [0, 0, 0, 1]])


def turned(degrees: float) -> np.ndarray:
    affine = FORM.copy()
    affine[:3, :3] = rotation(0, 0, degrees) @ FORM[:3, :3]
    return affine


def volume(
    path: Path,
    sform: tuple[np.ndarray, int] = (FORM, 1),
    qform: tuple[np.ndarray, int] = (FORM, 1),
    **fields: object,
) -> Path:
    """A volume of 2 x 3 x 4 voxels with these forms and codes; `fields` of the header replace what these set."""
    image = nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), None)
    image.header.set_qform(*qform)
    image.header.set_sform(*sform)
    header = image.header
    for name, value in fields.items():
        header[name][: np.size(value)] = value if np.ndim(value) else [value]
    header["vox_offset"] = 352
    path.write_bytes(header.binaryblock + bytes(4) + bytes(48))
    return path


def geometry(path: Path) -> tuple[np.ndarray, list[str]]:
    _, meta = load_nifti(path)
    return meta["affine"], meta["warnings"]


def test_the_sform_is_used_whatever_pixdim_says(tmp_path: Path) -> None:
    path = volume(tmp_path / "v.nii", qform=(FORM, 0), pixdim=[1, 1, 1, 1])
    affine, notes = geometry(path)
    np.testing.assert_allclose(affine, FORM)
    assert notes == ["voxels are 1 × 1 × 1 by pixdim, but 2 × 2 × 1.5 by the sform, which was used"]


@pytest.mark.parametrize(("size", "told"), [(2.015, False), (2.03, True)])
def test_pixdim_that_fits_to_a_hundredth_is_no_note(tmp_path: Path, size: float, told: bool) -> None:
    path = volume(tmp_path / "v.nii", qform=(FORM, 0), pixdim=[1, size, 2, 1.49])
    assert bool(geometry(path)[1]) is told


def test_sizes_are_those_of_the_axes_of_the_array_however_these_are_turned(tmp_path: Path) -> None:
    affine = FORM.copy()
    affine[:3, :3] = rotation(90, 0, 0) @ FORM[:3, :3]
    assert geometry(volume(tmp_path / "v.nii", (affine, 1), (affine, 1)))[1] == []


def test_an_image_of_two_dimensions_has_two_sizes(tmp_path: Path) -> None:
    path = volume(tmp_path / "v.nii", qform=(FORM, 0), dim=[2, 2, 12, 1], pixdim=[1, 1, 2, 7])
    assert geometry(path)[1] == ["voxels are 1 × 2 by pixdim, but 2 × 2 by the sform, which was used"]
    path = volume(tmp_path / "w.nii", qform=(FORM, 0), dim=[2, 2, 12, 1], pixdim=[1, 2, 2, 7])
    assert geometry(path)[1] == []


def test_a_form_without_a_code_is_none(tmp_path: Path) -> None:
    affine, notes = geometry(volume(tmp_path / "q.nii", sform=(OTHER, 0)))
    np.testing.assert_allclose(affine, FORM, atol=1e-6)
    assert notes == []
    affine, notes = geometry(volume(tmp_path / "s.nii", qform=(OTHER, 0)))
    np.testing.assert_allclose(affine, FORM)
    assert notes == []


@pytest.mark.parametrize(
    ("sizes", "lacking", "effect"),
    [
        ((2.0, 2.0, 1.5), "", ""),
        ((2.0, 0.0, 1.5), "voxel spacing, ", "1 mm is assumed, sizes in mm are not right; "),
    ],
)
def test_without_codes_the_orientation_is_unknown(
    tmp_path: Path, sizes: tuple[float, ...], lacking: str, effect: str
) -> None:
    path = volume(tmp_path / "v.nii", (FORM, 0), (FORM, 0), pixdim=[1, *sizes])
    affine, (note,) = geometry(path)
    np.testing.assert_allclose(np.abs(affine[:3, :3]), np.diag([size or 1 for size in sizes]))
    effects = f"{effect}{ORIENTATION_UNKNOWN}; positions in mm are not right"
    assert note == f"no {lacking}orientation, origin in the header: {effects}"


@pytest.mark.parametrize(
    "other", [OTHER, turned(1.5), turned(90), FORM @ np.diag([1, 1, -1, 1])], ids=["flip", "1.5", "90", "z"]
)
def test_forms_that_differ_by_a_flip_or_turn_are_told(tmp_path: Path, other: np.ndarray) -> None:
    affine, notes = geometry(volume(tmp_path / "v.nii", qform=(other, 1)))
    np.testing.assert_allclose(affine, FORM)
    assert notes == [FORMS_DISAGREE]


@pytest.mark.parametrize("degrees", [0.0, 0.5])
def test_rounding_and_another_origin_are_no_turn(tmp_path: Path, degrees: float) -> None:
    other = turned(degrees)
    other[:3, 3] += 5
    assert geometry(volume(tmp_path / "v.nii", qform=(other, 1)))[1] == []


@pytest.mark.parametrize("broken", [np.nan, 0.0])
def test_a_sform_that_is_no_affine_gives_way_to_the_qform(tmp_path: Path, broken: float) -> None:
    affine, notes = geometry(volume(tmp_path / "v.nii", srow_x=[broken] * 4))
    np.testing.assert_allclose(affine, FORM, atol=1e-6)
    assert notes == ["the header's sform is no affine; its qform was used"]


def test_a_form_that_is_no_affine_and_the_only_one_is_refused(tmp_path: Path) -> None:
    path = volume(tmp_path / "v.nii", qform=(FORM, 0), srow_x=[0.0] * 4)
    with pytest.raises(InputError, match=r"^v\.nii: singular affine"):
        load_nifti(path)


def test_negative_voxel_sizes_of_a_qform_are_told(tmp_path: Path) -> None:
    _, notes = geometry(volume(tmp_path / "v.nii", sform=(FORM, 0), pixdim=[1, -2, 2, 1.5]))
    assert notes == [f"negative voxel sizes were taken for positive ones: {ORIENTATION_UNKNOWN}"]
    assert geometry(volume(tmp_path / "w.nii", qform=(FORM, 0), pixdim=[1, -2, 2, 1.5]))[1] == []


def test_the_forms_stay_in_the_header_of_the_mask(tmp_path: Path) -> None:
    _, meta = load_nifti(volume(tmp_path / "v.nii", qform=(FORM, 0), pixdim=[1, 1, 1, 1]))
    header = nib.Nifti1Header(np.asarray(meta["nifti_header"]).tobytes())
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 0)
    np.testing.assert_allclose(header.get_sform(), FORM)
    assert header.get_zooms() == (1, 1, 1)
