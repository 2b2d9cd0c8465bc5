"""Which names are those of masks, and which belong together."""

from pathlib import Path

import pytest

from monai_ext.data.making.names import (
    Named,
    folder_list,
    folder_role,
    without_image_words,
    without_mask_words,
)


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("x_mask", "x"),
        ("x_seg", "x"),
        ("x-label", "x"),
        ("x_gt", "x"),
        ("x_segmentation", "x"),
        ("x.mask", "x"),
        ("x ground truth", "x"),
        ("mask_x", "x"),
        ("Seg-x", "x"),
        ("benign (3)_mask", "benign (3)"),
        ("benign (3)_mask_1", "benign (3)"),
        ("x_mask2", "x"),
        ("seg", ""),
        ("mask_12", "12"),
    ],
)
def test_a_mask_is_known_by_a_word_at_either_end(name, base):
    assert without_mask_words(name) == base


@pytest.mark.parametrize("name", ["x", "segment_1", "gtv", "maskless", "x_masked"])
def test_other_words_make_no_mask(name):
    assert without_mask_words(name) is None


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("x_0000", "x"),
        ("x_image", "x"),
        ("img-7", "7"),
        ("image", ""),
        ("x_0001", "x_0001"),
        ("scandal", "scandal"),
    ],
)
def test_words_of_images_are_taken_away(name, base):
    assert without_image_words(name) == base


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("masks", "mask"),
        ("labelsTr", "mask"),
        ("ISIC_GroundTruth", "mask"),
        ("ManualMask", "mask"),
        ("lung masks", "mask"),
        ("images", "image"),
        ("Training_Input", "image"),
        ("benign", ""),
    ],
)
def test_folders_have_a_role_by_their_words(name, role):
    assert folder_role(name) == role


def test_the_nearest_folder_decides_and_folders_of_a_role_are_no_place():
    assert not Named(Path("masks/images/x.png")).is_mask and Named(Path("images/masks/x.png")).is_mask
    assert Named(Path("site1/images/x.png")).place == Named(Path("site1/masks/x_mask.png")).place == "site1"
    assert Named(Path("site1/masks/x_mask.png")).base == "x"


def test_a_folder_on_the_way_names_the_list():
    assert (
        folder_list(Path("Train/x.png")) == "training"
        and folder_list(Path("images/val/x.png")) == "validation"
    )
    assert folder_list(Path("images/test.png")) == folder_list(Path("trained/test")) == ""
