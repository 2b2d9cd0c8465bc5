"""What cannot become a data set is refused in one line, and what is assumed is said."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from monai_ext.data.dataset_check import check_sets
from monai_ext.data.making import Wishes, find_source, write_set
from monai_ext.errors import InputError
from monai_ext.prompts.modalities import MODALITIES, names_modality
from tests.data.making.sources import CT, US, made, mask, nifti, picture, plan, region, save, volume


@pytest.fixture
def source(tmp_path):
    """Four pictures with masks of 0 and 255."""
    for name in ("P1_a", "P1_b", "P2_a", "P3_a"):
        picture(tmp_path / "src" / f"{name}.png")
        mask(tmp_path / "src" / f"{name}_mask.png")
    return tmp_path / "src"


def test_no_masks(tmp_path):
    for name in "abc":
        picture(tmp_path / f"{name}.png")
    with pytest.raises(InputError, match=r"no image with a mask in it \(3 × image without a mask\)"):
        find_source(tmp_path)
    (tmp_path / "note.txt").write_text("")
    with pytest.raises(InputError, match="give a folder, a table"):
        find_source(tmp_path / "note.txt")
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        find_source(tmp_path / "nowhere")


def test_one_case_only(tmp_path):
    pixels = picture(tmp_path / "a.png")
    mask(tmp_path / "a_mask.png")
    with pytest.raises(InputError, match=r"one case only \(a\.png\)"):
        plan(tmp_path)
    save(tmp_path / "copy.png", pixels)
    mask(tmp_path / "copy_mask.png")
    with pytest.raises(InputError, match=r"one case only \(a\.png\)"):
        plan(tmp_path)


def test_masks_of_another_size(source):
    mask(source / "P2_a_mask.png", size=(10, 12))
    reason = r"P2_a\.png: the mask P2_a_mask\.png is 10×12, the image 12×10; draw it on this image\."
    with pytest.raises(InputError, match=reason):
        plan(source)
    mask(source / "P3_a_mask.png", size=(10, 12))
    with pytest.raises(InputError, match=r"\(2 of 4 cases cannot be used; this is the first\)"):
        plan(source)


def test_a_target_without_a_voxel(source):
    with pytest.raises(InputError, match=r"no voxel of 2 \(cyst\) in any mask"):
        plan(source, replace(US, targets={"1": "breast tumour", "2": "cyst"}))
    for path in source.glob("*_mask.png"):
        mask(path, rows=())
    with pytest.raises(InputError, match=r"no voxel of 1 \(breast tumour\) in any mask; they hold nothing"):
        plan(source)


def test_values_without_names_and_blurred_masks(source):
    with pytest.raises(InputError, match="the masks hold 255 without a name"):
        plan(source, Wishes(modality="US"))
    save(source / "P1_b_mask.png", np.arange(120, dtype=np.uint8).reshape(12, 10))
    with pytest.raises(InputError, match=r"P1_b\.png: P1_b_mask\.png: 120 values that run into each other"):
        plan(source)


def test_an_unknown_modality(source):
    with pytest.raises(
        InputError, match="the files do not state their modality; give --modality, one of xray"
    ):
        plan(source, Wishes({"1": "breast tumour"}))
    with pytest.raises(InputError, match="modality 'radio' is unknown"):
        plan(source, replace(US, modality="radio"))


def test_an_empty_mask_that_a_fact_contradicts(source):
    mask(source / "P2_a_mask.png", rows=())
    rows = [f"{name}.png,{name}_mask.png,benign" for name in ("P1_a", "P2_a")]
    (source / "t.csv").write_text("\n".join(["image,mask,pathology", *rows]))
    with pytest.raises(InputError, match=r"P2_a\.png: no target in its mask, but pathology is benign\."):
        plan(source / "t.csv")


def test_equal_names_get_ids_with_their_folders(tmp_path):
    for site in ("s1", "s2"):
        picture(tmp_path / site / "images" / "a (1).png")
        mask(tmp_path / site / "masks" / "a (1).png")
    found = plan(tmp_path)
    assert sorted(item.id for items in found.lists.values() for item in items) == ["s1_a_1", "s2_a_1"]


def test_images_that_repeat_another_are_left_out(source):
    (source / "P4_a.png").write_bytes((source / "P1_a.png").read_bytes())
    mask(source / "P4_a_mask.png")
    found = plan(source)
    assert sum(map(len, found.lists.values())) == 4
    assert "images that repeat another left out: P4_a.png (as P1_a.png)" in found.notes


def test_what_is_assumed_is_said(source):
    mask(source / "P3_a_mask.png", rows=())
    notes = plan(source, replace(US, targets={"1": "odd spot"})).notes
    assert [note.split(";")[0].split(",")[0] for note in notes] == [
        "each case is taken to be another patient",
        "1 case(s) show none of the targets and stand for their absence",
        "not in the prompt library for us: odd spot",
    ]


def test_a_target_that_is_spelt_nearly_as_a_known_one_is_told(source):
    notes = plan(source, replace(US, targets={"1": "breast tumor"})).notes
    assert any(
        "not in the prompt library for us: breast tumor (did you mean breast tumour?);" in n for n in notes
    )


def test_patients_by_an_expression_stay_in_one_list(source):
    found = plan(source, replace(US, group=r"(P\d)_"))
    groups = {name: {item.group for item in items} for name, items in found.lists.items()}
    assert sorted(map(len, groups.values())) == [1, 1, 1] and set.union(*groups.values()) == {
        "P1",
        "P2",
        "P3",
    }
    assert not any("another patient" in note for note in found.notes)


def volumes(source, affine_of_masks, turn=lambda array: array):
    for name in ("a", "b"):
        volume(source / f"{name}.nii.gz")
        nifti(source / f"{name}_seg.nii.gz", turn(region(1)), affine_of_masks)
    return source


def test_a_mask_whose_axes_are_turned_is_put_in_place(tmp_path):
    affine = np.diag([2.0, 1.0, 5.0, 1.0])
    affine[0, 3] = -10  # the last of six planes of the image, which runs the other way
    made(
        volumes(tmp_path / "src", affine, lambda a: a[::-1]),
        tmp_path / "out",
        replace(CT, targets={"1": "liver"}),
    )
    label = nib.load(tmp_path / "out" / "labels" / "a.nii.gz")
    assert (
        np.array_equal(np.asarray(label.dataobj), region(1))
        and list(check_sets(tmp_path / "out").problems) == []
    )


def test_a_mask_beside_its_image_is_refused_and_rounding_is_not(tmp_path):
    shifted = np.diag([-2.0, 1.0, 5.0, 1.0])
    shifted[0, 3] = 0.5
    with pytest.raises(
        InputError, match=r"a\.nii\.gz: the mask a_seg\.nii\.gz lies up to 0\.5 mm off the image"
    ):
        plan(volumes(tmp_path / "off", shifted), replace(CT, targets={"1": "liver"}))
    shifted[0, 3] = 0.01
    made(volumes(tmp_path / "src", shifted), tmp_path / "out", replace(CT, targets={"1": "liver"}))
    assert list(check_sets(tmp_path / "out").problems) == []


def test_a_folder_that_is_not_empty_or_in_the_source_is_refused(source, tmp_path):
    planned = plan(source)
    with pytest.raises(InputError, match="out: lies inside the source src"):
        write_set(planned, source, source / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(InputError, match="full: not empty, and nothing is overwritten"):
        write_set(planned, source, tmp_path / "full")


def test_what_fails_while_it_is_written_leaves_nothing(source, tmp_path):
    planned = plan(source)
    (source / "P3_a_mask.png").unlink()
    with pytest.raises(InputError, match="P3_a_mask"):
        write_set(planned, source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["src"]


def test_the_same_command_gives_the_same_bytes_and_changes_nothing_of_the_source(source, tmp_path):
    def tree(folder):
        return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    before = tree(source)
    for name in ("one", "two"):
        made(source, tmp_path / name)
    assert tree(tmp_path / "one") == tree(tmp_path / "two") and tree(source) == before


def test_modalities_that_dicom_states_have_words_that_are_understood():
    assert {key: names_modality(kind.name) for key, kind in MODALITIES.items()} == {
        key: key for key in MODALITIES
    }


def test_a_mask_of_a_target_that_was_asked_for_and_is_empty_is_refused(tmp_path):
    for name in ("s1", "s2"):
        volume(tmp_path / name / "ct.nii.gz")
        nifti(tmp_path / name / "segmentations" / "liver.nii.gz", region(1))
        nifti(tmp_path / name / "segmentations" / "skull.nii.gz", region())
    assert plan(tmp_path, CT).targets == ["liver"]
    with pytest.raises(InputError, match=r"no voxel of skull \(bone\) in any mask; they hold liver\."):
        plan(tmp_path, replace(CT, targets={"skull": "bone"}))


def test_compressed_masks_are_told_and_ids_are_short(source):
    pixels = np.zeros((32, 32), np.uint8)
    pixels[8:24] = 255
    name = "P9_" + "x" * 150
    picture(source / f"{name}.png", (32, 32))
    save(source / f"{name}_mask.jpg", pixels)
    found = plan(source)
    assert max(len(item.id) for items in found.lists.values() for item in items) == 100
    assert found.notes[0].startswith("1 mask(s) with values near 0 and 255 were cut at 127")
    assert found.tables["modality"] == {"0": "ultrasound"}
