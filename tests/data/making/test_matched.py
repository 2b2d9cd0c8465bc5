"""Images and masks matched by their names."""

import pytest

from monai_ext.data.making import find_source
from monai_ext.data.making.matched import KIND
from monai_ext.errors import InputError
from tests.data.making.sources import mask, pairs, picture


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/{}.png", "masks/{}.png"),
        ("images/{}.jpg", "annotations/{}.png"),
        ("img/{}.png", "gt/{}_gt.png"),
        ("{}.png", "{}_mask.png"),
        ("{}.png", "mask_{}.png"),
        ("{}.png", "masks/{}_segmentation.png"),
        ("images/{}_0000.png", "labels/{}.png"),
        ("image_{}.png", "label_{}.png"),
        ("CXR_png/{}.png", "mask/{}_mask.png"),
        ("train/images/{}.png", "train/masks/{}.png"),
        ("Training_Input/{}.jpg", "Training_GroundTruth/{}_segmentation.png"),
    ],
)
def test_images_and_masks_are_matched(image, label, tmp_path):
    for name in ("a1", "b2"):
        picture(tmp_path / image.format(name))
        mask(tmp_path / label.format(name))
    found = find_source(tmp_path)
    names = {image.format(name): [label.format(name).split("/")[-1]] for name in ("a1", "b2")}
    assert found.kind == KIND and pairs(found) == names and not any(found.unmatched.values())


def test_several_masks_of_one_image_are_its_masks(tmp_path):
    for name, masks in (("benign (3)", ("_mask", "_mask_1")), ("malignant (3)", ("_mask",))):
        picture(tmp_path / name.split()[0] / f"{name}.png")
        for end in masks:
            mask(tmp_path / name.split()[0] / f"{name}{end}.png")
    assert pairs(find_source(tmp_path)) == {
        "benign/benign (3).png": ["benign (3)_mask.png", "benign (3)_mask_1.png"],
        "malignant/malignant (3).png": ["malignant (3)_mask.png"],
    }


def test_equal_names_in_folders_of_their_own_are_not_mixed_up(tmp_path):
    for site in ("s1", "s2"):
        for n in (1, 2):
            picture(tmp_path / site / "images" / f"{n}.png")
            mask(tmp_path / site / "masks" / f"{n}.png")
    found = find_source(tmp_path)
    assert [(c.name, c.masks[0].file.relative_to(tmp_path).as_posix()) for c in found.cases] == [
        (f"{site}/images/{n}.png", f"{site}/masks/{n}.png") for site in ("s1", "s2") for n in (1, 2)
    ]


def test_masks_in_folders_of_their_targets_are_named_by_these(tmp_path):
    for name in ("a", "b"):
        picture(tmp_path / "images" / f"{name}.png")
        for target in ("heart", "left lung"):
            mask(tmp_path / "masks" / target / f"{name}.png")
    picture(tmp_path / "images" / "c.png")
    mask(tmp_path / "masks" / "chest" / "heart" / "c.png")
    targets = [[m.target for m in case.masks] for case in find_source(tmp_path).cases]
    assert targets == [["heart", "left lung"], ["heart", "left lung"], ["heart"]]


@pytest.mark.parametrize("endings", [("_flair", "_t1", "_t2"), ("_0000", "_0001")])
def test_images_with_the_same_endings_in_all_cases_are_sequences(endings, tmp_path):
    for name in ("p_1", "p_12"):
        for ending in endings:
            picture(tmp_path / "images" / f"{name}{ending}.png")
        mask(tmp_path / "labels" / f"{name}.png")
    found = find_source(tmp_path)
    assert {case.id: [path.name for path in case.images] for case in found.cases} == {
        name: [f"{name}{ending}.png" for ending in endings] for name in ("p_1", "p_12")
    }
    picture(tmp_path / "images" / "p_1_adc.png")
    assert not any(len(case.images) > 1 for case in _cases(tmp_path))


def _cases(path):
    try:
        return find_source(path).cases
    except InputError:
        return []


@pytest.mark.parametrize("layout", ["{list}/{role}/{name}.png", "{role}/{list}/{name}.png"])
def test_folders_called_after_lists_are_these(layout, tmp_path):
    for folder, name in (("train", "1"), ("train", "2"), ("Val", "1"), ("test", "1")):
        picture(tmp_path / layout.format(list=folder, role="images", name=name))
        mask(tmp_path / layout.format(list=folder, role="labels", name=name))
    found = find_source(tmp_path)
    assert sorted(case.split for case in found.cases) == ["test", "training", "training", "validation"]
    assert list(found.notes) == ["the lists are those of the folders"]
    picture(tmp_path / "more" / "x.png")
    mask(tmp_path / "more" / "x_mask.png")
    found = find_source(tmp_path)
    assert {case.split for case in found.cases} == {""} and "since 1 case(s) lie outside" in found.notes[0]


def test_what_fits_nothing_is_listed(tmp_path):
    for name in ("a", "b", "c"):
        picture(tmp_path / f"{name}.png")
    for name in ("a", "b", "d"):
        mask(tmp_path / f"{name}_mask.png")
    found = find_source(tmp_path)
    assert pairs(found) == {"a.png": ["a_mask.png"], "b.png": ["b_mask.png"]}
    assert found.unmatched == {"image without a mask": ["c.png"], "mask without an image": ["d_mask.png"]}
