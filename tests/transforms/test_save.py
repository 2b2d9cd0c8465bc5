from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.data import MetaTensor
from monai.transforms import SaveImaged
from PIL import Image
from pydicom import dcmread

from monai_ext.errors import InputError
from monai_ext.transforms import LabelMapd, MaskSaveImaged, MedicalLoadImaged, PromptMasksd
from monai_ext.transforms.save import other_modality, slug
from tests.io.dicom.dicom_files import write_series
from tests.io.image_files import AFFINE, write_itk, write_nifti
from tests.transforms.test_load import F


def segmented(
    path: Path, probabilities: torch.Tensor, presence: list[float] | None = None, **more: Any
) -> dict:
    """An item as post-processing gets it: the loaded image and (P, ...) probabilities in its geometry."""
    image = MedicalLoadImaged(keys="image")({"image": str(path)})["image"]
    pred = MetaTensor(probabilities.float(), meta=dict(image.meta))
    given = torch.tensor(presence or [0.9] * len(pred))
    item = {"image": image.expand(3, *image.shape[1:]) / 255, "pred": pred, "presence": given, **more}
    return dict(LabelMapd()(PromptMasksd()(item)))


def test_masks_of_a_picture_are_upright_png(tmp_path: Path) -> None:
    Image.fromarray(F).save(tmp_path / "f.png")
    item = segmented(tmp_path / "f.png", torch.from_numpy(np.stack([F > 0, F == 0])))
    record = MaskSaveImaged(output_dir=tmp_path / "out", prompt="the letter F; paper")(item)["record"]
    with Image.open(tmp_path / "out/f/the-letter-f.png") as mask:
        assert mask.mode == "L"
        np.testing.assert_array_equal(np.asarray(mask), F)
    with Image.open(tmp_path / "out/f/labels.png") as labels:
        np.testing.assert_array_equal(np.asarray(labels), np.where(F > 0, 1, 2))
    first, second = record
    assert first == {
        "case": "f",
        "prompt": "the letter F",
        "mask": "f/the-letter-f.png",
        "presence": pytest.approx(0.9),
        "threshold": 0.5,
        "voxels": 11,
        "area_px": 11,
        "warnings": [],
    }
    assert (second["mask"], second["voxels"]) == ("f/paper.png", 13)
    assert sorted(p.name for p in (tmp_path / "out/f").iterdir()) == [
        "labels.png",
        "paper.png",
        "the-letter-f.png",
    ]


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4), (3, 4, 1), (3, 4, 5, 1)])
def test_masks_of_a_nifti_have_its_shape_and_geometry_to_the_last_bit(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    volume = nib.Nifti1Image(np.zeros(shape, np.float32), AFFINE)
    turned = AFFINE.copy()
    turned[:3, 3] += 0.3
    volume.set_sform(AFFINE, code=4)
    volume.set_qform(turned, code=1)
    volume.header.set_xyzt_units("mm", "sec")
    volume.header["descrip"] = b"Jane Doe"
    nib.save(volume, tmp_path / "v.nii.gz")
    wanted = torch.rand(1, *(*shape, 1, 1)[:3]) > 0.5
    item = segmented(tmp_path / "v.nii.gz", wanted)
    MaskSaveImaged(output_dir=tmp_path / "out", prompt="x")(item)
    stored = nib.load(tmp_path / "v.nii.gz")
    for name in ("x", "labels"):
        mask = nib.load(tmp_path / f"out/v/{name}.nii.gz")
        assert mask.shape == shape
        assert mask.get_data_dtype() == np.uint8
        np.testing.assert_array_equal(np.asanyarray(mask.dataobj), wanted.numpy()[0].reshape(shape))
        np.testing.assert_array_equal(mask.affine, stored.affine)
        for field in (
            "dim",
            "pixdim",
            "qform_code",
            "sform_code",
            "xyzt_units",
            "srow_x",
            "srow_y",
            "srow_z",
            "quatern_b",
            "quatern_c",
            "quatern_d",
            "qoffset_x",
            "qoffset_y",
            "qoffset_z",
        ):
            np.testing.assert_array_equal(mask.header[field], stored.header[field], err_msg=field)
        assert mask.header["descrip"] == b""


def test_masks_of_a_dicom_folder_are_one_dicom_seg(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((4, 3, 4)), StudyInstanceUID="1.2.3", FrameOfReferenceUID="1.2.4")
    item = segmented(tmp_path / "ct", torch.ones(2, 4, 3, 4))
    save = MaskSaveImaged(output_dir=tmp_path / "out", prompt="x; labels", algorithm=("model", "7"))
    first, second = save(item)["record"]
    assert [path.name for path in (tmp_path / "out/ct").iterdir()] == ["segmentation.dcm"]
    assert (first["mask"], first["segment"], second["segment"]) == ("ct/segmentation.dcm", 1, 2)
    assert first["volume_ml"] == pytest.approx(48 * 10 / 1000)
    assert first["warnings"] == []
    seg = dcmread(tmp_path / "out/ct/segmentation.dcm")
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == ["x", "labels"]
    algorithm = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("monai_ext model", "7")
    assert seg.pixel_array.shape == (8, 3, 4)


def test_a_seg_of_files_that_lack_what_it_needs_says_so(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((4, 3, 4)), StudyInstanceUID="1.2.3")
    item = segmented(tmp_path / "ct", torch.zeros(1, 4, 3, 4))
    first, second = MaskSaveImaged(output_dir=tmp_path / "out", prompt="x")(item)["record"][0]["warnings"]
    assert first.startswith("the DICOM files lack FrameOfReferenceUID: the SEG has its own")
    assert second.startswith("judged present")


def test_masks_of_a_dicom_folder_are_nifti_where_that_format_is_chosen(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((2, 3, 4)))
    item = segmented(tmp_path / "ct", torch.ones(1, 2, 3, 4))
    record = MaskSaveImaged(output_dir=tmp_path / "out", prompt="x", output_format="nifti")(item)["record"][0]
    assert record["mask"] == "ct/x.nii.gz"
    assert "segment" not in record
    mask = nib.load(tmp_path / "out/ct/x.nii.gz")
    np.testing.assert_allclose(mask.affine, [[-1, 0, 0, -10], [0, -2, 0, -20], [0, 0, 5, 30], [0, 0, 0, 1]])
    assert sorted(path.name for path in (tmp_path / "out/ct").iterdir()) == ["labels.nii.gz", "x.nii.gz"]


def test_masks_of_a_dicom_folder_are_one_rt_structure_set_where_that_format_is_chosen(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((4, 3, 4)), StudyInstanceUID="1.2.3", FrameOfReferenceUID="1.2.4")
    item = segmented(tmp_path / "ct", torch.ones(2, 4, 3, 4))
    save = MaskSaveImaged(output_dir=tmp_path / "out", prompt="x; labels", output_format="rtstruct")
    first, second = save(item)["record"]
    assert [path.name for path in (tmp_path / "out/ct").iterdir()] == ["structures.dcm"]
    assert (first["mask"], first["roi"], second["roi"]) == ("ct/structures.dcm", 1, 2)
    assert "segment" not in first
    made = dcmread(tmp_path / "out/ct/structures.dcm")
    assert [roi.ROIName for roi in made.StructureSetROISequence] == ["x", "labels"]
    assert [len(roi.ContourSequence) for roi in made.ROIContourSequence] == [4, 4]


@pytest.mark.parametrize("name", ["v.mha", "v.nii.gz", "v.png"])
def test_an_rt_structure_set_of_anything_but_dicom_is_refused_before_anything_is_written(
    tmp_path: Path, name: str
) -> None:
    if name.endswith("png"):
        Image.fromarray(F).save(tmp_path / name)
    else:
        write = write_itk if name.endswith("mha") else write_nifti
        write(tmp_path / name, np.zeros((2, 3, 4), np.int16))
    shape = F.shape if name.endswith("png") else (2, 3, 4)
    save = MaskSaveImaged(output_dir=tmp_path / "out", prompt="x", output_format="rtstruct")
    with pytest.raises(InputError, match="format rtstruct: an RT Structure Set refers to DICOM slices"):
        save(segmented(tmp_path / name, torch.ones(1, *shape)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "kind"), [("v.mha", ".mha"), ("v.mhd", ".mha"), ("v.nrrd", ".nrrd")])
@pytest.mark.parametrize("output_format", ["auto", "nifti"])
def test_masks_of_other_volumes_are_in_kind(tmp_path: Path, name: str, kind: str, output_format: str) -> None:
    suffix = kind if output_format == "auto" else ".nii.gz"
    write_itk(tmp_path / name, np.zeros((2, 3, 4), np.int16))
    wanted = torch.rand(1, 2, 3, 4) > 0.5
    save = MaskSaveImaged(output_dir=tmp_path / "out", prompt="x", output_format=output_format)
    assert save(segmented(tmp_path / name, wanted))["record"][0]["mask"] == f"v/x{suffix}"
    for file in ("x", "labels"):
        mask = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / f"out/v/{file}{suffix}"))
        np.testing.assert_array_equal(mask.T, wanted[0].numpy())


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InputError, match=r"^format is 'dicom'; choose from auto, nifti, rtstruct\.$"):
        MaskSaveImaged(prompt="x", output_format="dicom")


def test_sizes_are_in_the_unit_of_the_geometry(tmp_path: Path) -> None:
    write_nifti(tmp_path / "v.nii", np.zeros((2, 3, 4), np.int16))  # 2 x 1.5 x 3 mm
    write_nifti(tmp_path / "s.nii", np.zeros((2, 3), np.int16))
    save = MaskSaveImaged(output_dir=tmp_path / "out", prompt="x")
    volume = save(segmented(tmp_path / "v.nii", torch.ones(1, 2, 3, 4)))["record"][0]
    one_slice = save(segmented(tmp_path / "s.nii", torch.ones(1, 2, 3, 1)))["record"][0]
    assert (volume["voxels"], volume["volume_ml"]) == (24, pytest.approx(24 * 9 / 1000))
    assert (one_slice["voxels"], one_slice["area_mm2"]) == (6, pytest.approx(6 * 2 * 1.5))
    assert {"area_px", "area_mm2"}.isdisjoint(volume)
    assert {"area_px", "volume_ml"}.isdisjoint(one_slice)


def test_an_absent_structure_gets_an_empty_file_and_a_sentence_with_the_numbers(tmp_path: Path) -> None:
    Image.fromarray(F).save(tmp_path / "f.png")
    item = segmented(tmp_path / "f.png", torch.zeros(2, 6, 4), presence=[0.123, 0.7])
    absent, empty = MaskSaveImaged(output_dir=tmp_path, prompt="spleen; liver", presence_threshold=0.4)(item)[
        "record"
    ]
    assert absent["warnings"] == [
        "judged absent: presence 0.12 is below 0.40, so the mask of 'spleen' is empty"
    ]
    assert empty["warnings"] == ["judged present (0.70), but no pixel is above 0.50"]
    with Image.open(tmp_path / absent["mask"]) as mask:
        assert not np.asarray(mask).any()


def test_warnings_of_the_image_come_first(tmp_path: Path) -> None:
    Image.fromarray(F).save(tmp_path / "f.png")
    item = segmented(tmp_path / "f.png", torch.ones(1, 6, 4))
    item["masks"].meta["warnings"] = "one\ntwo"
    assert MaskSaveImaged(output_dir=tmp_path, prompt="x")(item)["record"][0]["warnings"] == ["one", "two"]


@pytest.mark.parametrize(
    ("prompt", "shown", "reported"),
    [
        ("brain in an MRI scan", "CT", True),
        ("lungs in a chest X-ray", "CT", True),
        ("liver in a CT scan", "MR", True),
        ("liver in a CT scan", "CT", False),
        ("show us the brain", "MR", False),
        ("liver", "CT", False),
        ("liver in a CT scan", "PICTURE", False),  # which says nothing of the modality
        ("liver in a CT scan", "", False),
    ],
)
def test_a_prompt_of_another_modality_is_reported(prompt: str, shown: str, reported: bool) -> None:
    sentence = f"'{prompt}' speaks of another kind of image: this one was shown as {shown}"
    assert other_modality(prompt, {"shown_as": shown}) == (sentence if reported else "")


def test_prompts_that_give_one_file_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    Image.fromarray(F).save(tmp_path / "f.png")
    prompts = ["left lung", "Left lung!", "labels", "overlay", "???"]
    item = segmented(tmp_path / "f.png", torch.stack([torch.full((6, 4), i % 2) for i in range(5)]))
    record = MaskSaveImaged(output_dir=tmp_path / "out", prompt=prompts, preview=True)(item)["record"]
    assert [r["mask"] for r in record] == [
        "f/left-lung.png",
        "f/left-lung-2.png",
        "f/labels-2.png",
        "f/overlay-2.png",
        "f/prompt.png",
    ]
    for index, row in enumerate(record):
        with Image.open(tmp_path / "out" / row["mask"]) as mask:
            assert bool(np.asarray(mask).any()) == bool(index % 2)
    assert len(list((tmp_path / "out/f").iterdir())) == 7


def test_the_prompts_and_the_case_of_an_item_go_before_the_configured_ones(tmp_path: Path) -> None:
    Image.fromarray(F).save(tmp_path / "f.png")
    item = segmented(tmp_path / "f.png", torch.ones(2, 6, 4), prompt=["a", "b"], case="patient 1")
    record = MaskSaveImaged(output_dir=tmp_path, prompt="x")(item)["record"]
    assert [r["mask"] for r in record] == ["patient 1/a.png", "patient 1/b.png"]


def test_masks_and_prompts_must_agree(tmp_path: Path) -> None:
    Image.fromarray(F).save(tmp_path / "f.png")
    item = segmented(tmp_path / "f.png", torch.ones(1, 6, 4))
    with pytest.raises(ValueError, match="1 masks for 2 prompts"):
        MaskSaveImaged(output_dir=tmp_path, prompt="a; b")(item)


@pytest.mark.parametrize("case", ["..", "a/b", "a\\b"])
def test_a_case_is_one_folder(tmp_path: Path, case: str) -> None:
    Image.fromarray(F).save(tmp_path / "f.png")
    item = segmented(tmp_path / "f.png", torch.ones(1, 6, 4), case=case)
    with pytest.raises(InputError, match="one folder name"):
        MaskSaveImaged(output_dir=tmp_path / "out", prompt="a")(item)


def test_the_same_masks_give_the_same_bytes(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "v.nii", np.zeros((2, 3, 4), np.int16))
    for run in ("1", "2"):
        MaskSaveImaged(output_dir=tmp_path / run, prompt="x")(segmented(path, torch.ones(1, 2, 3, 4)))
    first, second = ((tmp_path / run / "v/x.nii.gz").read_bytes() for run in "12")
    assert first == second
    assert first[4:8] == b"\0\0\0\0"  # no time of writing
    assert len(gzip.decompress(first)) == 352 + 24


def test_nothing_half_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_nifti(tmp_path / "v.nii", np.zeros((2, 3, 4), np.int16))
    item = segmented(path, torch.ones(1, 2, 3, 4))

    def full(image: Any, name: Path) -> None:
        Path(name).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nib, "save", full)
    with pytest.raises(
        InputError, match=r"v: cannot write into the output folder \(No space left on device\)"
    ):
        MaskSaveImaged(output_dir=tmp_path / "out", prompt="x")(item)
    assert not (tmp_path / "out/v").exists()


def test_it_can_be_made_where_there_is_no_highdicom() -> None:
    """MONAI Label works with pydicom below 3 only, and without highdicom; it leaves the writer out."""
    code = "import sys; sys.modules['highdicom'] = None; import monai_ext.transforms as t; t.MaskSaveImaged()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_applications_know_it_as_a_writer() -> None:
    writer = MaskSaveImaged(prompt="x")
    assert isinstance(writer, SaveImaged)
    assert "SaveImage" in type(writer).__name__


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("Left  Lung", "left-lung"),
        ("../../etc/passwd", "etc-passwd"),
        ("Größe_1", "grösse-1"),
        ("肺", "肺"),
        ("", "prompt"),
    ],
)
def test_a_slug_is_a_harmless_file_name(prompt: str, name: str) -> None:
    assert slug(prompt) == name


def test_a_long_prompt_gets_a_short_name() -> None:
    assert len(slug("a very long sentence " * 20)) <= 60


def test_nothing_is_written_where_it_is_not_enabled(tmp_path: Path) -> None:
    data = {"masks": torch.ones(1, 4, 4, dtype=torch.uint8), "case": "a"}
    assert MaskSaveImaged(output_dir=tmp_path / "out", prompt="x", enabled=False)(data) == data
    assert not (tmp_path / "out").exists()
