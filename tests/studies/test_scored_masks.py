"""Masks from elsewhere: found by the names of case and target, scored as an evaluation scores, refused if they do not fit."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.studies.scored_masks import MaskFolder, MaskTask


def picture(path, columns: int, shape=(8, 8)) -> str:
    mask = np.zeros(shape, np.uint8)
    mask[:, :columns] = 1
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask * (1 if "label" in path.name else 255)).save(path)
    return str(path)


def item(folder, case: str, targets: list[str]) -> dict:
    label = picture(folder / f"{case}_label.png", 4)
    return {
        "image": label,
        "label": label,
        "set": "s",
        "case": case,
        "group": case,
        "modality": "xray",
        "table": "0+1+2",
        "difficulty": "",
        "prompt": [*(f"{name} in a chest X-ray" for name in targets), "a cat"],
        "target": [*targets, ""],
        "values": [*(str(number + 1) for number in range(len(targets))), ""],
    }


@pytest.mark.parametrize(
    "name", ["a.png", "s/a.png", "a/left-lung.png", "a/Left lung.png", "s/a/left_lung_in_a_chest_X-ray.png"]
)
def test_a_mask_is_found_by_case_and_target(tmp_path, name):
    items = [item(tmp_path, "a", ["left lung"])]
    picture(tmp_path / "masks" / name, 2)
    figures = MaskTask("m", MaskFolder(tmp_path / "masks", items), items).evaluate(tmp_path / "out", {})
    assert figures["pooled"]["dice"]["mean"] == pytest.approx(2 * 16 / (16 + 32))
    assert figures["presence"]["n"] == 1  # nothing is asked of what belongs to other images


def test_with_several_targets_a_file_named_after_the_case_is_no_mask(tmp_path):
    items = [item(tmp_path, "a", ["left lung", "heart"])]
    picture(tmp_path / "masks" / "a.png", 2)
    with pytest.raises(InputError, match="no mask is named after a case, such as a.png or a/TARGET.png"):
        MaskFolder(tmp_path / "masks", items)
    picture(tmp_path / "masks" / "a" / "left-lung.png", 4)
    folder = MaskFolder(tmp_path / "masks", items)
    assert folder.mask(items[0], "heart", "2") is None
    assert MaskTask("m", folder, items).evaluate(tmp_path / "out", {})["pooled"]["dice"] == {
        "mean": 1.0,
        "std": None,
        "ci95": None,
        "n": 1,
    }


def test_a_mask_of_another_shape_is_refused_by_name(tmp_path):
    items = [item(tmp_path, "a", ["left lung"])]
    picture(tmp_path / "masks" / "a.png", 2, shape=(8, 9))
    task = MaskTask("m", MaskFolder(tmp_path / "masks", items), items)
    with pytest.raises(
        InputError, match=r"^m: the mask of 'left lung' of s/a has the shape \(8, 9\), its label \(8, 8\)"
    ):
        task.evaluate(tmp_path / "out", {})


def test_volumes_are_scored_in_millimetres(tmp_path):
    label, mask = np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 4), np.uint8)
    label[:4], mask[:2] = 1, 7
    for name, voxels in (("label", label), ("a", mask)):
        (tmp_path / "masks").mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(voxels, np.diag([2, 2, 3, 1])), tmp_path / "masks" / f"{name}.nii.gz")
    volume = {**item(tmp_path, "a", ["liver"]), "label": str(tmp_path / "masks" / "label.nii.gz")}
    figures = MaskTask("m", MaskFolder(tmp_path / "masks", [volume]), [volume]).evaluate(tmp_path / "out", {})
    assert figures["pooled"]["dice"]["mean"] == pytest.approx(2 * 64 / (64 + 128))
    assert (figures["pooled"]["hd95"]["mean"], figures["pooled"]["hd95"]["unit"]) == (4.0, "mm")


def test_facts_change_with_the_content_of_a_mask(tmp_path):
    items = [item(tmp_path, "a", ["left lung"])]
    picture(tmp_path / "masks" / "a.png", 2)
    before = MaskFolder(tmp_path / "masks", items).facts()
    picture(tmp_path / "masks" / "a.png", 3)
    assert MaskFolder(tmp_path / "masks", items).facts() != before
    assert str(tmp_path) not in str(before)
    with pytest.raises(InputError, match="no such folder of masks"):
        MaskFolder(tmp_path / "nothing", items)
