"""What a training records of its images, and what a comparison finds by it."""

from __future__ import annotations

import hashlib
import json

import nibabel as nib
import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.studies.training_images import TrainingImages, image_print, image_prints
from tests.data.test_perceptual_hash import cropped, saved, textured


def recorded(folder, prints) -> TrainingImages:
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "training_images.json").write_text(json.dumps(prints))
    return TrainingImages(folder)


def test_a_record_holds_content_and_look_and_no_names(tmp_path):
    for n in range(3):
        textured(n).save(tmp_path / f"patient{n}.png")
    paths = [str(tmp_path / f"patient{n}.png") for n in range(3)]
    prints = image_prints([{"image": paths[0]}, {"image": paths[1:]}, {"image": paths[0]}])  # twice, once
    assert [set(one) for one in prints] == [{"sha256", "hashes"}] * 3
    digest = hashlib.sha256((tmp_path / "patient1.png").read_bytes()).hexdigest()
    assert prints[1]["sha256"] == digest and [len(one["hashes"]) for one in prints] == [1, 1, 1]
    assert "patient" not in json.dumps(prints)
    images = recorded(tmp_path, prints)
    assert len(images) == 3 and digest in images.sha256


def test_images_that_were_saved_anew_look_like_those_recorded(tmp_path):
    for n in range(4):
        textured(n).save(tmp_path / f"{n}.png")
    images = recorded(tmp_path, image_prints([{"image": str(tmp_path / f"{n}.png")} for n in range(3)]))
    again = {"same": textured(2), "jpeg": saved(textured(2), 50), "cropped": cropped(textured(2), 0.01)}
    for name, image in again.items():
        image.save(tmp_path / f"{name}.png")
        assert images.look_like(image_print(tmp_path / f"{name}.png").hashes)
    assert not images.look_like(image_print(tmp_path / "3.png").hashes)
    assert not images.look_like(())
    assert not recorded(tmp_path, []).look_like(image_print(tmp_path / "3.png").hashes)


def test_a_volume_is_known_again_in_another_order_of_its_axes_and_by_all_of_its_slices(tmp_path):
    voxels = np.random.default_rng(0).normal(size=(24, 26, 28)).astype(np.float32)
    nib.save(nib.Nifti1Image(voxels, np.diag([1, 1, 1, 1])), tmp_path / "a.nii.gz")
    nib.save(nib.as_closest_canonical(nib.Nifti1Image(voxels, np.eye(4))), tmp_path / "c.nii.gz")
    flipped = nib.Nifti1Image(
        voxels[::-1].transpose(1, 0, 2), np.eye(4)[[1, 0, 2, 3]] @ np.diag([1, -1, 1, 1])
    )
    nib.save(flipped, tmp_path / "b.nii.gz")
    voxels[12] = np.random.default_rng(1).normal(size=(26, 28))  # of three slices one is another
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), tmp_path / "d.nii.gz")
    images = recorded(tmp_path, image_prints([{"image": str(tmp_path / "a.nii.gz")}]))
    assert len(images.prints[0].hashes) == 3
    found = {name: images.look_like(image_print(tmp_path / f"{name}.nii.gz").hashes) for name in "abcd"}
    assert found == {"a": True, "b": True, "c": True, "d": False}


@pytest.mark.parametrize(
    "content",
    ["{", "[1]", '[{"sha256": "a"}]', '[{"sha256": "a", "hashes": []}]'],
    ids=["cut", "number", "no hashes", "no digest"],
)
def test_a_record_that_is_none_is_one_line(tmp_path, content):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "training_images.json").write_text(content)
    with pytest.raises(
        InputError, match=r"^training_images.json of the bundle (cannot be read|holds no hashes)"
    ):
        TrainingImages(tmp_path)


def test_a_bundle_without_a_record_has_no_images(tmp_path):
    assert len(TrainingImages(tmp_path)) == 0 and TrainingImages(tmp_path).sha256 == set()
