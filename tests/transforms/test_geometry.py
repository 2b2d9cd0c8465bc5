"""The same patient, stored in every order that a format can express: the same mask at the same position.

Each volume is written to a file, read, segmented and turned back by the affine that was read. The segmenter marks
what is bright of a half of the slice as shown, so that a mask that is mirrored, turned or shifted differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from nibabel.orientations import apply_orientation, io_orientation

from monai_ext.inferers import PromptInferer
from monai_ext.networks.segmenter import TextPromptedSegmenter
from monai_ext.synthesis.phantoms import volume as phantom_volume
from monai_ext.transforms import DisplayRange, MedicalLoadImage, PromptMasks
from tests.fakes import DisplayProbe
from tests.io.dicom.dicom_files import write_series
from tests.io.image_files import write_itk
from tests.networks.embedded import embedded_network
from tests.orientations import ALL_48, affine_of, rotation, stored_as

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SHAPES = {
    "isotropic": ((5, 6, 4), affine_of((1, 1, 1))),
    "anisotropic": ((5, 6, 4), affine_of((0.75, 0.875, 3))),
    "oblique": ((5, 6, 4), affine_of((0.75, 0.875, 3), rotation(25, -20, 35))),
    "axial slice": ((5, 6, 1), affine_of((0.75, 0.875, 3))),
    "coronal slice": ((5, 1, 6), affine_of((0.75, 3, 0.875))),
    "sagittal slice": ((1, 5, 6), affine_of((3, 0.75, 0.875))),
}


def numbers(shape: tuple[int, ...]) -> np.ndarray:
    """Whole numbers below 1000, no two turns of which are alike."""
    return np.random.default_rng(4).permutation(np.arange(np.prod(shape)) * 37 % 1000).reshape(shape)


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(array.astype(np.int16), affine), path.with_suffix(".nii"))
    return path.with_suffix(".nii")


def write_mha(path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
    """A volume, or a picture of two dimensions, of which the affine's first two columns and rows are taken."""
    return write_itk(path.with_suffix(".mha"), array.astype(np.int16), affine)


def write_dicom(path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
    placed = LPS @ affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    row, column = (placed[:3, axis] / spacing[axis] for axis in (0, 1))
    write_series(
        path,
        array,
        tuple(spacing),
        [tuple(np.round(placed[:3, 3] + z * placed[:3, 2], 9)) for z in range(array.shape[2])],
        intercept=0.0,
        Modality="OT",
        ImageOrientationPatient=[round(float(x), 12) for x in (*row, *column)],
    )
    return path


WRITERS: dict[str, Callable[[Path, np.ndarray, np.ndarray], Path]] = {
    "NIfTI": write_nifti,
    "MHA": write_mha,
    "DICOM": write_dicom,
}


def expressible(kind: str, array: np.ndarray, affine: np.ndarray) -> bool:
    """Whether the format has this order: slices of DICOM are at least 2 x 2 and rise along their normal."""
    if kind != "DICOM":
        return True
    # a single slice does not say on which side of it the next would lie
    return min(array.shape[:2]) > 1 and (array.shape[2] == 1 or np.linalg.det((LPS @ affine)[:3, :3]) > 0)


def orders(kind: str, array: np.ndarray, affine: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The array and its affine in every order that the format can express."""
    for orientation in ALL_48:
        image = stored_as(array, affine, orientation)
        stored, placed = image[0, 0].numpy(), image.affine.numpy()
        if expressible(kind, stored, placed):
            yield stored, placed


def reference(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """(X, Y, Z, 2) masks of the volume in memory, in the order right, anterior, superior."""
    found = masks(shown(stored_as(array, affine, ALL_48[0])[0, :1]), "left; top", DisplayProbe(bright=True))
    wanted = canonical(np.moveaxis(found.numpy(), 0, -1), affine)
    assert (wanted.mean((0, 1, 2)) > 0.1).all() and (wanted.mean((0, 1, 2)) < 0.4).all()
    return wanted


def masks(image: MetaTensor, prompts: str, network: TextPromptedSegmenter) -> MetaTensor:
    """(P, X, Y, Z) uint8 of a (3, X, Y, Z) image in [0, 1]."""
    return PromptMasks()(PromptInferer(prompts, batch_size=99, gate=False)(image[None], network)[0])


def canonical(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """A volume in the order right, anterior, superior."""
    return apply_orientation(mask, io_orientation(affine))


def shown(image: MetaTensor) -> MetaTensor:
    # without the plane that DICOM states, by which copies that lie otherwise in their files are cut otherwise
    meta = {key: value for key, value in image.meta.items() if key != "slice_normal"}
    return MetaTensor(image.as_tensor().expand(3, *image.shape[1:]) / 1000, meta=meta)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("geometry", SHAPES)
def test_the_mask_of_a_turned_copy_is_the_turned_mask(tmp_path: Path, kind: str, geometry: str) -> None:
    shape, affine = SHAPES[geometry]
    array = numbers(shape)
    wanted = reference(array, affine)
    count = 0
    for stored, placed in orders(kind, array, affine):
        image = MedicalLoadImage()(WRITERS[kind](tmp_path / f"{count}", stored, placed))
        assert (image.dtype, image.shape) == (torch.float32, (1, *stored.shape)), placed
        np.testing.assert_array_equal(image.numpy()[0], stored, err_msg=str(placed))
        known = 3 if stored.shape[2] > 1 or kind != "DICOM" else 2
        np.testing.assert_allclose(image.affine[:3, :known], placed[:3, :known], atol=1e-5)
        np.testing.assert_allclose(image.affine[:3, 3], placed[:3, 3], atol=1e-4)
        found = masks(shown(image), "left; top", DisplayProbe(bright=True))
        assert found.dtype == torch.uint8 and found.shape[1:] == stored.shape
        np.testing.assert_allclose(found.affine, image.affine)
        turned = canonical(np.moveaxis(found.numpy(), 0, -1), image.affine.numpy())
        np.testing.assert_array_equal(turned, wanted, err_msg=str(placed))
        count += 1
    assert count == (48 if kind != "DICOM" else 24 if min(shape) > 1 else 16)


@pytest.mark.parametrize(
    ("kind", "geometry"), [("NIfTI", name) for name in SHAPES if "slice" in name] + [("MHA", "axial slice")]
)
def test_the_mask_of_a_turned_2d_file_is_the_turned_mask(tmp_path: Path, kind: str, geometry: str) -> None:
    """Files of two dimensions: NIfTI places them anywhere, MHA only as axial slices."""
    shape, affine = SHAPES[geometry]
    array = numbers(shape)
    wanted = reference(array, affine)
    count = 0
    for stored, placed in orders(kind, array, affine):
        if stored.shape[2] != 1 or (kind == "MHA" and placed[2, 2] < 0):
            continue
        write = write_nifti if kind == "NIfTI" else write_mha
        image = MedicalLoadImage()(write(tmp_path / f"{count}", stored[:, :, 0], placed))
        np.testing.assert_array_equal(image.numpy()[0], stored)
        np.testing.assert_allclose(image.affine[:2, :2], placed[:2, :2], atol=1e-5)
        found = masks(shown(image), "left; top", DisplayProbe(bright=True))
        turned = canonical(np.moveaxis(found.numpy(), 0, -1), image.affine.numpy())
        np.testing.assert_array_equal(turned, wanted, err_msg=str(placed))
        count += 1
    assert count == (16 if kind == "NIfTI" else 8)


def test_a_dicom_file_without_a_position_is_shown_as_stored(tmp_path: Path) -> None:
    array = numbers((6, 5, 1))
    write_series(
        tmp_path / "x",
        array,
        intercept=0.0,
        Modality="DX",
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
    )
    image = MedicalLoadImage()(tmp_path / "x/1-001.dcm")
    found = masks(shown(image), "left", DisplayProbe(bright=True))
    assert found.any()
    wanted = (array > 500) & (np.arange(6) >= 3)[:, None, None]
    np.testing.assert_array_equal(found.numpy()[0], wanted)


# left and right, by the embedded weights


@pytest.fixture(scope="module")
def embedded() -> TextPromptedSegmenter:
    return embedded_network("vlsm")


@pytest.fixture(scope="module")
def one_kidney(embedded: TextPromptedSegmenter) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU, affine and mask of two slices of a phantom whose only kidney is the left one.

    The first that the weights know as such in its own order: they learnt from phantoms of other sizes.
    """
    for seed in range(200):
        drawn = phantom_volume("abdominal_ct", seed, (96, 80, 12), (3.5, 3.5, 20.0))
        if "left kidney" not in drawn["masks"] or "right kidney" in drawn["masks"]:
            continue
        first = min(int(drawn["masks"]["left kidney"].sum((0, 1)).argmax()), 10)  # where most of it is seen
        part = (slice(None), slice(None), slice(first, first + 2))
        volume, kidney = drawn["volume"][part].round(), drawn["masks"]["left kidney"][part]
        image = DisplayRange("CT")(MetaTensor(torch.from_numpy(volume)[None], affine=drawn["affine"]))
        if kidney.any() and dice(masks(image, "left kidney", embedded).numpy()[0], kidney) > 0.8:
            affine = drawn["affine"].copy()
            affine[:3, 3] += affine[:3, 2] * first
            return volume, affine, kidney
    pytest.fail("the weights know the only kidney of none of the phantoms")


def dice(mask: np.ndarray, reference: np.ndarray) -> float:
    return 2 * (mask & reference).sum() / (mask.sum() + reference.sum())


@pytest.mark.parametrize("kind", WRITERS)
def test_the_only_kidney_is_marked_on_the_patients_left(
    tmp_path: Path, kind: str, embedded: TextPromptedSegmenter, one_kidney: tuple
) -> None:
    array, affine, kidney = one_kidney
    count = 0
    for stored, placed in orders(kind, array + 1024, affine):
        image = MedicalLoadImage()(WRITERS[kind](tmp_path / f"{count}", stored, placed)) - 1024
        image.meta.pop("slice_normal", None)  # all copies are cut alike
        mask = masks(DisplayRange("CT")(image), "left kidney", embedded).numpy()[0]
        marked = np.argwhere(mask) @ image.affine.numpy()[:3, :3].T + image.affine.numpy()[:3, 3]
        assert np.mean(marked[:, 0] < 0) > 0.95, placed  # RAS: the left is below 0
        assert dice(canonical(mask, image.affine.numpy()), kidney) > 0.8, placed
        count += 1
    assert count == (24 if kind == "DICOM" else 48)
