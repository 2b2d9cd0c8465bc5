"""What the values of a mask's file mean, and layers of regions."""

import numpy as np
import pytest
from PIL import Image

from monai_ext.data.making.layers import Layers
from monai_ext.data.making.mask_values import MaskValues
from monai_ext.errors import InputError
from tests.data.making.sources import nifti, save


def values(path, *named):
    found = MaskValues(path, named)
    return {name: int(where.sum()) for name, where in found.regions(found.values)}, found.thresholded


def grey(*counts):
    """(8, 16) uint8 with (value, number of pixels) from the start."""
    flat = np.zeros(128, np.uint8)
    at = 0
    for value, count in counts:
        flat[at : at + count] = value
        at += count
    return flat.reshape(8, 16)


def test_grey_values_are_labels(tmp_path):
    save(tmp_path / "m.png", grey((1, 5), (7, 3), (255, 2)))
    assert values(tmp_path / "m.png") == ({"1": 5, "7": 3, "255": 2}, False)


def test_masks_of_one_bit_and_of_a_palette_are_numbers(tmp_path):
    Image.fromarray(grey((255, 9))).convert("1").save(tmp_path / "bit.png")
    assert values(tmp_path / "bit.png")[0] == {"1": 9}
    palette = Image.fromarray(grey((2, 4), (3, 1)), mode="P")
    palette.putpalette([0, 0, 0, 9, 9, 9, 255, 0, 0, 0, 255, 0])
    palette.save(tmp_path / "palette.png")
    assert values(tmp_path / "palette.png")[0] == {"2": 4, "3": 1}


def test_each_colour_is_a_label_and_black_is_none(tmp_path):
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[0], pixels[1, :2] = (255, 0, 0), (0, 128, 255)
    save(tmp_path / "m.png", pixels)
    assert values(tmp_path / "m.png")[0] == {"#0080ff": 2, "#ff0000": 4}


def test_a_jpeg_of_0_and_255_is_cut_at_127(tmp_path):
    pixels = np.zeros((32, 32), np.uint8)
    pixels[8:24, 8:24] = 255
    save(tmp_path / "m.jpg", pixels, quality=95)
    assert values(tmp_path / "m.jpg", "1") == ({"255": 256}, True)
    save(tmp_path / "empty.jpg", pixels * 0 + 2)
    assert values(tmp_path / "empty.jpg", "1") == ({}, True)


def test_a_png_made_of_a_jpeg_is_cut_unless_its_values_have_names(tmp_path):
    save(tmp_path / "m.png", grey((2, 3), (4, 3), (251, 5), (255, 20)))
    assert values(tmp_path / "m.png", "1") == ({"255": 25}, True)
    assert values(tmp_path / "m.png", "2", "4") == ({"2": 3, "4": 3, "251": 5, "255": 20}, False)


def test_labels_with_a_void_of_255_are_not_cut(tmp_path):
    save(tmp_path / "m.png", grey((1, 5), (255, 4)))
    assert values(tmp_path / "m.png", "1") == ({"1": 5, "255": 4}, False)


@pytest.mark.parametrize("name", ["blurred.png", "compressed.jpg"])
def test_values_that_run_into_each_other_are_refused(name, tmp_path):
    save(tmp_path / name, np.linspace(0, 255, 128).astype(np.uint8).reshape(8, 16))
    with pytest.raises(InputError, match=r"values that run into each other.*save masks as PNG"):
        values(tmp_path / name)


def test_volumes_hold_whole_numbers(tmp_path):
    array = np.zeros((3, 4, 5), np.float32)
    array[1], array[2, 0] = 3, 117
    nifti(tmp_path / "m.nii.gz", array)
    assert values(tmp_path / "m.nii.gz")[0] == {"3": 20, "117": 5}
    nifti(tmp_path / "p.nii.gz", array / 7)
    with pytest.raises(InputError, match=r"p\.nii\.gz: holds 0\.428571; masks are whole numbers"):
        values(tmp_path / "p.nii.gz")


def test_overlapping_regions_are_kept_and_those_of_one_name_united():
    layers = Layers((6,))
    for name, where in (
        ("body", slice(0, 5)),
        ("liver", slice(2, 4)),
        ("cyst", slice(3, 6)),
        ("liver", slice(0, 1)),
    ):
        mask = np.zeros(6, bool)
        mask[where] = True
        layers.add(name, mask)
    names = [sorted(layers.sets[code]) for code in layers.codes]
    assert names == [
        ["body", "liver"],
        ["body"],
        ["body", "liver"],
        ["body", "cyst", "liver"],
        ["body", "cyst"],
        ["cyst"],
    ]
    assert frozenset() not in layers.shown() and len(layers.shown()) == 5
    numbered = layers.numbered({frozenset({"body"}): 1, frozenset({"body", "liver"}): 2})
    assert numbered.tolist() == [2, 1, 2, 0, 0, 0] and numbered.dtype == np.uint8


def test_as_many_values_as_have_names_are_labels(tmp_path):
    save(tmp_path / "m.png", np.arange(128, dtype=np.uint8).reshape(8, 16))
    found = MaskValues(tmp_path / "m.png", [str(n) for n in range(1, 128)])
    assert len(found.names) == 127 and found.affine.shape == (4, 4) and not found.thresholded


@pytest.mark.parametrize(("most", "refused"), [(32, False), (33, True)])
def test_32_values_may_be_drawn_by_hand(most, refused, tmp_path):
    save(tmp_path / "m.png", np.arange(64, dtype=np.uint8).reshape(8, 8) % (most + 1) * 4)
    if refused:
        with pytest.raises(InputError, match="34 values that run into each other"):
            values(tmp_path / "m.png")
    else:
        assert len(values(tmp_path / "m.png")[0]) == 32


@pytest.mark.parametrize(
    ("low", "high", "cut"), [(40, 215, True), (41, 215, False), (40, 214, False), (40, 254, True)]
)
def test_values_are_near_within_40(low, high, cut, tmp_path):
    save(tmp_path / "m.png", grey((low, 3), (high, 4), (255, 5)))
    assert values(tmp_path / "m.png", "1", "255")[1] is cut


def test_numbers_of_a_volume_that_are_nearly_whole_are_whole(tmp_path):
    nifti(tmp_path / "m.nii.gz", np.full((3, 4, 5), 1.0004, np.float32))
    assert values(tmp_path / "m.nii.gz")[0] == {"1": 60}


def test_volumes_in_colour_are_refused(tmp_path):
    import SimpleITK as sitk

    pixels = np.arange(180, dtype=np.uint8).reshape(3, 4, 5, 3)
    sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=True), str(tmp_path / "m.mha"))
    with pytest.raises(InputError, match=r"m\.mha: 3 numbers a voxel"):
        values(tmp_path / "m.mha")
