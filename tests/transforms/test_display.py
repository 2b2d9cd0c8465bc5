from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation

from monai_ext.errors import InputError
from monai_ext.transforms import DisplayRange, DisplayRanged
from monai_ext.transforms.load import MedicalLoadImage
from tests.transforms.test_polarity import mean_chest


def volume(values: list[float], **meta: object) -> MetaTensor:
    """(1, n, 1, 1) with the meta of a NIfTI file."""
    return MetaTensor(
        torch.tensor(values).reshape(1, -1, 1, 1), meta={"kind": "nifti", "warnings": "", **meta}
    )


def test_ct_is_windowed_in_hu() -> None:
    shown = DisplayRange("CT")(volume([-1024.0, -160.0, 40.0, 240.0, 3000.0]))
    assert shown.shape == (3, 5, 1, 1)
    assert shown.dtype == torch.float32
    for channel in shown:
        np.testing.assert_allclose(channel.ravel(), [0, 0, 0.5, 1, 1])


def test_the_window_can_be_set() -> None:
    shown = DisplayRange("CT", window=(-1000, 0))(volume([-500.0, -250.0]))
    np.testing.assert_allclose(shown[0].ravel(), [0.5, 0.75])


def test_mr_lies_between_percentiles_of_its_foreground() -> None:
    # 900 voxels of background would pull every percentile to 0
    image = volume([0.0] * 900 + [float(v) for v in range(100, 201)])
    shown = DisplayRange("MR", percentiles=(10, 90))(image)
    np.testing.assert_allclose(shown[0, [0, 900, 910, 950, 990, 1000], 0, 0], [0, 0, 0, 0.5, 1, 1], atol=1e-6)


def test_background_may_be_negative() -> None:
    image = volume([-1000.0] * 900 + [float(v) for v in range(-50, 51)])
    shown = DisplayRange("MR", percentiles=(10, 90))(image)
    np.testing.assert_allclose(shown[0, [0, 910, 950, 990], 0, 0], [0, 0, 0.5, 1], atol=1e-6)


@pytest.mark.parametrize(("modality", "lowest", "guess"), [("", -600.0, "CT"), ("", -400.0, "MR")])
def test_a_guessed_modality_is_reported(modality: str, lowest: float, guess: str) -> None:
    image = volume([lowest, 0.0, 40.0, 240.0], modality=modality)
    shown = DisplayRange()(image)
    assert shown.meta["warnings"] == f"the file names no modality; by its intensities it was shown as {guess}"
    assert (float(shown[0, 2, 0, 0]) == pytest.approx(0.5)) == (guess == "CT")


def test_a_modality_of_the_file_decides_without_a_word() -> None:
    image = volume([0.0, 40.0, 240.0], modality="CT", kind="dicom")
    shown = DisplayRange()(image)
    assert shown.meta["warnings"] == ""
    np.testing.assert_allclose(shown[0].ravel(), [0.4, 0.5, 1])


def test_a_configured_modality_that_the_file_contradicts_is_reported() -> None:
    image = volume([-1000.0, 100.0], modality="MR")
    shown = DisplayRange("CT")(image)
    assert shown.meta["shown_as"] == "CT"
    assert shown.meta["warnings"] == "shown as CT, as configured, but the file says MR"
    assert DisplayRange("MRI")(image).meta["warnings"] == ""
    assert DisplayRange()(image).meta["shown_as"] == "MR"


def test_a_modality_of_the_item_goes_before_the_guess() -> None:
    image = volume([-1000.0] + [float(v) for v in range(101)])
    shown = DisplayRanged(keys="image", percentiles=(0, 100))({"image": image, "modality": "mri"})["image"]
    np.testing.assert_allclose(shown[0, [0, 1, 51, 101], 0, 0], [0, 0, 0.5, 1], atol=1e-6)
    assert shown.meta["warnings"] == ""


@pytest.mark.parametrize("modality", ["auto", "CT", "MR"])
def test_eight_bit_pictures_stay_as_they_are(modality: str) -> None:
    meta = {"kind": "picture", "bits": 8}
    shown = DisplayRange(modality)(MetaTensor(torch.tensor([[[51.0, 102.0]]]), meta=meta))
    np.testing.assert_allclose(shown[:, 0], [[0.2, 0.4]] * 3, atol=1e-6)


def test_sixteen_bit_pictures_span_their_own_range() -> None:
    meta = {"kind": "picture", "bits": 16}
    shown = DisplayRange()(MetaTensor(torch.tensor([[[1000.0, 2000.0, 5000.0]]]), meta=meta))
    np.testing.assert_allclose(shown[0, 0], [0, 0.25, 1], atol=1e-6)


def test_colours_are_kept() -> None:
    meta = {"kind": "picture", "bits": 8}
    shown = DisplayRange()(MetaTensor(torch.tensor([[[255.0]], [[0.0]], [[51.0]]]), meta=meta))
    np.testing.assert_allclose(shown.ravel(), [1, 0, 0.2], atol=1e-6)


def test_arrays_of_bytes_from_memory_are_pictures() -> None:
    np.testing.assert_allclose(DisplayRange()(np.array([[[51, 102]]], np.uint8))[2, 0], [0.2, 0.4], atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "kind", "expected"),
    [
        (torch.uint8, None, [0.0, 51 / 255, 102 / 255]),  # a picture from memory
        (
            torch.uint8,
            "nifti",
            [0.0, 0.0, 1.0],
        ),  # a volume that fits into bytes: percentiles 0 and 100 of 51, 102
        (torch.int8, None, [0.0, 0.0, 1.0]),
        (torch.int16, None, [0.0, 0.0, 1.0]),
        (torch.float32, None, [0.0, 0.0, 1.0]),
    ],
)
def test_only_bytes_from_memory_are_a_picture(
    dtype: torch.dtype, kind: str | None, expected: list[float]
) -> None:
    image = MetaTensor(torch.tensor([[[0, 51, 102]]], dtype=dtype), meta={"kind": kind} if kind else {})
    shown = DisplayRange("MR", percentiles=(0, 100))(image)
    assert shown[0, 0].tolist() == pytest.approx(expected, abs=1e-6)
    assert ("shown_as" in shown.meta) == (expected[2] == 1)


def test_other_modalities_span_their_own_range() -> None:
    np.testing.assert_allclose(DisplayRange("US")(volume([10.0, 20.0, 30.0]))[0].ravel(), [0, 0.5, 1])


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
def test_an_image_of_one_value_is_refused(modality: str) -> None:
    with pytest.raises(InputError, match=r"^v\.nii: all values are 7; there is nothing to be seen in it\.$"):
        DisplayRange(modality)(volume([7.0, 7.0], filename_or_obj="/somewhere/v.nii"))


def test_an_image_whose_percentiles_are_one_stays_finite() -> None:
    shown = DisplayRange("MR", percentiles=(40, 60))(volume([0.0] + [7.0] * 9))
    assert torch.isfinite(shown).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match=r"^v\.nii: holds NaN or infinite values"):
        DisplayRange()(volume([0.0, bad], filename_or_obj="/somewhere/v.nii"))


def test_two_channels_are_refused() -> None:
    with pytest.raises(InputError, match="2 channels"):
        DisplayRange()(MetaTensor(torch.zeros(2, 4, 4)))


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InputError, match="window"):
        DisplayRange(window=(240, -160))
    with pytest.raises(InputError, match="percentiles"):
        DisplayRange(percentiles=(5, 101))


def test_a_missing_key_is_an_error_unless_it_may_be_missing() -> None:
    with pytest.raises(KeyError, match="image"):
        DisplayRanged("image")({})
    assert DisplayRanged("image", allow_missing_keys=True)({}) == {}


def test_what_was_done_to_the_image_before_can_still_be_undone() -> None:
    image = Orientation("LPS")(volume([0.0, 40.0, 240.0]))
    assert DisplayRange("CT")(image).applied_operations == image.applied_operations != []


@pytest.mark.parametrize("kind", ["picture", "slice"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_bright_margin_becomes_black_with_a_warning(kind: str, channels: int) -> None:
    plain = torch.randint(0, 128, (channels, 64, 48), generator=torch.Generator().manual_seed(0)).float()
    plain[..., 0, 0] = 255
    white, black = (torch.nn.functional.pad(plain, (9, 9, 12, 12), value=level) for level in (255.0, 0.0))
    meta = {"kind": "picture", "bits": 8} if kind == "picture" else {"kind": "dicom", "modality": "CR"}
    if kind == "slice":
        white, black = (image.transpose(1, 2)[..., None] for image in (white, black))
    shown, expected = (DisplayRange()(MetaTensor(image, meta=meta)) for image in (white, black))
    torch.testing.assert_close(shown.as_tensor(), expected.as_tensor())
    assert shown.meta["warnings"] == "the even bright margin around the picture was taken for black"
    assert expected.meta.get("warnings", "") == ""


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_single_slices_of_ct_and_mr_keep_bright_borders(modality: str) -> None:
    image = torch.nn.functional.pad(torch.rand(1, 64, 64) * 100, (9, 9, 9, 9), value=500.0)[..., None]
    shown = DisplayRange()(MetaTensor(image, meta={"kind": "dicom", "modality": modality}))
    assert shown[0, 0, 0, 0] == 1 and not shown.meta.get("warnings")


def test_a_turned_chest_radiograph_is_turned_back_with_a_warning() -> None:
    upright = mean_chest()
    meta = {"kind": "picture", "bits": 8}
    shown = DisplayRange()(MetaTensor(255 - 255 * upright, meta=meta))
    torch.testing.assert_close(shown.as_tensor(), upright.expand(3, -1, -1), atol=1e-5, rtol=0)
    (warning,) = shown.meta["warnings"].split("\n")
    assert warning == "the chest radiograph looks inverted, with bright lungs: its grey levels were turned"
    colour = MetaTensor(
        255 - 255 * upright.expand(3, -1, -1) * torch.tensor([1, 1, 0.9])[:, None, None], meta=meta
    )
    assert not DisplayRange()(colour).meta.get("warnings")


def test_the_input_is_not_changed() -> None:
    image = volume([0.0, 40.0, 240.0])
    DisplayRange()(image)
    assert image.ravel().tolist() == [0.0, 40.0, 240.0]
    assert image.meta["warnings"] == ""


def test_the_three_channels_of_one_are_one_memory_in_the_order_of_the_file() -> None:
    stored = torch.rand(5, 4, 3).permute(2, 1, 0)[None]  # as NIfTI stores (3, 4, 5): first axis fastest
    shown = DisplayRange("CT")(stored)
    assert shown.shape == (3, 3, 4, 5)
    assert shown.stride() == (0, 1, 3, 12)
    assert shown.data_ptr() != stored.data_ptr()


@pytest.mark.parametrize(
    "name", ["fundus_optic_disc_drishti", "fundus_vessels", "micro_nuclei_dsb2018", "photo_foot_ulcer"]
)
def test_black_surrounds_of_eyes_and_bright_slides_are_shown_as_they_are(shared_data, name):
    folder = shared_data.parent / "data_more" / name / "images"
    if not folder.is_dir():
        pytest.skip("needs the shared folder data_more")
    for file in sorted(folder.iterdir())[::4]:
        image = MedicalLoadImage()(file)
        shown = DisplayRange()(image)
        assert torch.equal(shown.as_tensor(), (image.as_tensor() / 255).expand_as(shown)), file.name
        assert (shown.meta["warnings"], shown.meta["recognised_as"]) == ("", ""), file.name
