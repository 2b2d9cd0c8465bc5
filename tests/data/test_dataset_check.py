"""Everything wrong with the files of a data set is reported together, and its figures are right to the last digit."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from monai_ext.data.dataset_check import check_sets
from monai_ext.data.dataset_statistics import statistics
from monai_ext.data.item_check import ItemCheck
from monai_ext.errors import InputError
from monai_ext.io.colours import COLOURS
from monai_ext.visualize.contact_sheet import CAPTION, MARGIN, SIDE, choose_examples, contact_sheet
from tests.io.dicom.dicom_files import write_series

LABELS = {"0": "background", "1": "left lung", "2": "right lung"}


def grey(path: Path, seed: int, size: tuple[int, int] = (4, 5)) -> None:
    """A picture of random pixels between 10 and 200, both of which occur."""
    pixels = np.random.default_rng(seed).integers(10, 200, size).astype(np.uint8)
    pixels[0, :2] = 10, 200
    Image.fromarray(pixels).save(path)


def mask(path: Path, *values: int, size: tuple[int, int] = (4, 5)) -> None:
    """A label picture whose first pixels have these values."""
    pixels = np.zeros(size, np.uint8)
    pixels.flat[: len(values)] = values
    Image.fromarray(pixels).save(path)


def volume(
    path: Path, array: np.ndarray, spacing: tuple[float, ...] = (1.0, 2.0, 5.0), move: float = 0
) -> None:
    affine = np.diag([*spacing, 1.0])
    affine[2, 3] = move
    nib.save(nib.Nifti1Image(array, affine), path)


def write_table(folder: Path, modality: str = "X-ray", labels: dict | None = None, **lists: list) -> Path:
    folder.mkdir(exist_ok=True)
    table = {"modality": {"0": modality}, "labels": LABELS if labels is None else labels, **lists}
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder


def entry(case: str, group: str = "", suffix: str = "png", **more: object) -> dict:
    image = {"image": f"{case}.{suffix}", "label": f"{case}_mask.{suffix}"}
    return {"id": case, "group": group or case, **image, **more}


@pytest.fixture
def chest(tmp_path: Path) -> Path:
    """Three X-rays of two patients to train with and one to validate, with 1, 2, 0 and 3 pixels of left lung."""
    folder = tmp_path / "chest"
    folder.mkdir()
    for seed, (case, values) in enumerate({"a": (1,), "b": (1, 1, 2), "c": (2,), "d": (1, 1, 1)}.items()):
        grey(folder / f"{case}.png", seed, (4, 5) if case != "c" else (6, 5))
        mask(folder / f"{case}_mask.png", *values, size=(4, 5) if case != "c" else (6, 5))
    training = [entry("a", "p1"), entry("b", "p1"), entry("c", "p2")]
    return write_table(folder, training=training, validation=[entry("d")], test=[], demo=["b"], authors=["X"])


def test_a_set_without_faults_has_its_figures(chest: Path) -> None:
    check = check_sets(chest)
    assert (check.problems, check.notes) == ([], [])
    found = statistics(check)
    assert found["intensities"] == [
        {
            "modality": "xray",
            "kind": "picture 2D",
            "images": 4,
            "lowest": 10,
            "median_lowest": 10,
            "median_highest": 200,
            "highest": 200,
        }
    ]
    one = found["sets"]["chest"]
    assert one["modality"] == "xray" and list(one["lists"]) == ["training", "validation", "test", "demo"]
    assert one["lists"]["training"] == {
        "items": 3,
        "patients": 2,
        "unreadable": 0,
        "kinds": {
            "picture 2D": {
                "items": 3,
                "channels": [1],
                "size": [{"min": 4, "median": 4, "max": 6}, {"min": 5, "median": 5, "max": 5}],
                "spacing_mm": [],
            }
        },
        "targets": {
            "left lung": {"shown": 2, "empty": 1, "median_share": pytest.approx(0.075)},
            "right lung": {"shown": 2, "empty": 1, "median_share": pytest.approx((1 / 20 + 1 / 30) / 2)},
        },
    }
    assert one["lists"]["test"]["items"] == 0
    assert one["lists"]["demo"]["targets"]["left lung"] == {"shown": 1, "empty": 0, "median_share": 0.1}


def test_volumes_have_millilitres_and_millimetres(tmp_path: Path) -> None:
    folder = write_table(
        tmp_path / "liver", "CT", {"0": "background", "1": "liver"}, training=[entry("a", suffix="nii.gz")]
    )
    label = np.zeros((4, 5, 3), np.uint8)
    label[1, 2:5, 1] = 1
    volume(folder / "a.nii.gz", np.linspace(-1000, 60, 60, dtype=np.float32).reshape(4, 5, 3))
    volume(folder / "a_mask.nii.gz", label)
    check = check_sets(folder)
    assert (check.problems, check.notes) == ([], [])
    found = statistics(check)["sets"]["liver"]["lists"]["training"]
    assert found["targets"] == {"liver": {"shown": 1, "empty": 0, "median_ml": pytest.approx(0.03)}}
    kind = found["kinds"]["nifti 3D"]
    assert [axis["median"] for axis in kind["size"]] == [4, 5, 3]
    assert [axis["max"] for axis in kind["spacing_mm"]] == [1.0, 2.0, 5.0]


def test_what_is_wrong_in_the_table_and_in_the_files_is_reported_together(chest: Path) -> None:
    for case in "bcdef":
        grey(chest / f"{case}.png", ord(case))
    (chest / "a.png").write_text("not a picture")
    mask(chest / "b_mask.png", 1, size=(5, 5))
    mask(chest / "c_mask.png", 7, 2, 255)
    Image.new("RGB", (5, 4), (200, 10, 10)).save(chest / "d_mask.png")
    mask(chest / "e_mask.png")
    training = [entry(case) for case in "abcd"]
    training += [entry("e", empty_mask=False), {**entry("f", "a"), "annotated_labels": [9]}]
    check = check_sets(write_table(chest, training=training, validation=[entry("g"), entry("h", "b")]))
    (unreadable,) = [problem for problem in check.problems if "UnidentifiedImageError" in problem]
    assert unreadable.startswith("chest: a (training): a.png: ")
    assert [problem for problem in check.problems if problem != unreadable] == [
        "chest: group b is in training and validation",
        "chest: f: label f_mask.png is missing",
        "chest: f: annotated label 9 is not in the label table",
        *(
            f"chest: {case}: {w} {case}{m}.png is missing"
            for case in "gh"
            for w, m in (("image", ""), ("label", "_mask"))
        ),
        "chest: b (training): b_mask.png: is 5×5 and b.png 4×5; draw it on this image",
        "chest: c (training): c_mask.png: label values 7, 255 are not in the label table",
        "chest: d (training): d_mask.png: a label map in colour; save one number per pixel",
        "chest: e (training): e_mask.png: all background, but the item says that empty_mask is false",
    ]
    assert statistics(check)["sets"]["chest"]["lists"]["training"]["unreadable"] == 1


@pytest.mark.parametrize(
    ("values", "more", "problem"),
    [
        ((), {"pathology": "benign"}, "all background, but the item says that pathology is benign"),
        ((), {"pathology": "normal"}, ""),
        ((), {"annotated_labels": [1]}, ""),
        ((1,), {"tumour_type": "glioma"}, ""),
        ((1,), {"empty_mask": True}, "not all background, but the item says that empty_mask is true"),
        ((1,), {"classes": [1, 2]}, "no pixel of 2, which the item's classes name"),
    ],
)
def test_a_label_is_compared_with_the_facts_of_its_item(
    chest: Path, values: tuple, more: dict, problem: str
) -> None:
    mask(chest / "a_mask.png", *values)
    check = check_sets(write_table(chest, training=[entry("a", **more)]))
    assert check.problems == ([f"chest: a (training): a_mask.png: {problem}"] if problem else [])


def item(folder: Path, image: str, label: str | None = None, modality: str = "ct") -> dict:
    """As read_split gives it."""
    files = {"image": str(folder / image), **({"label": str(folder / label)} if label else {})}
    return {**files, "modality": modality, "facts": {}, "targets": {"liver": (1,)}, "table": "0+1"}


@pytest.mark.parametrize(
    ("image", "label", "problem"),
    [
        (np.nan, 0, "i.nii: holds NaN or infinite values; replace them"),
        (np.inf, 0, "i.nii: holds NaN or infinite values; replace them"),
        (0, 0.5, "l.nii: values such as 0.5; labels are whole numbers"),
        (0, 1.00390625, "l.nii: values such as 1.00390625; labels are whole numbers"),
        (0, np.nan, "l.nii: NaN or infinite values; labels are whole numbers"),
        (0, -1, "l.nii: label values -1 are not in the label table"),
    ],
)
def test_values_that_no_image_or_label_may_hold(
    tmp_path: Path, image: float, label: float, problem: str
) -> None:
    pixels, values = np.full((3, 4, 5), -1000, np.float32), np.zeros((3, 4, 5), np.float32)
    pixels[0, 0, 0], values[0, 0, 1] = image, label
    volume(tmp_path / "i.nii", pixels)
    volume(tmp_path / "l.nii", values)
    check = ItemCheck(item(tmp_path, "i.nii", "l.nii"))
    assert check.problems == [problem]
    assert (check.contents is None) == (not np.isfinite(image))


def test_a_label_at_another_position_than_its_image_is_reported_with_the_distance(tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.float32).reshape(3, 4, 5) - 1000
    volume(tmp_path / "i.nii", array)
    volume(tmp_path / "l.nii", np.zeros((3, 4, 5), np.uint8), move=2.5)
    check = ItemCheck(item(tmp_path, "i.nii", "l.nii"))
    assert check.problems == ["l.nii: lies up to 2.5 mm off i.nii by its affine"]
    assert check.contents is not None and check.contents.shown == {}


def test_the_modality_of_dicom_contradicts_that_of_the_set(tmp_path: Path) -> None:
    stored = np.arange(60, dtype=np.uint16).reshape(4, 5, 3)
    write_series(tmp_path / "series", stored)
    assert ItemCheck(item(tmp_path, "series", modality="ct")).problems == []
    assert ItemCheck(item(tmp_path, "series", modality="other")).problems == []
    wrong = ItemCheck(item(tmp_path, "series", modality="mri"))
    assert wrong.problems == ["series: its DICOM modality is CT, the set's is mri"]
    assert wrong.contents is not None and (wrong.contents.lowest, wrong.contents.highest) == (-1024, -965)


def test_what_is_odd_is_a_note_and_no_problem(tmp_path: Path) -> None:
    folder = write_table(
        tmp_path / "liver",
        "CT",
        {"0": "background", "1": "liver"},
        training=[entry("a", suffix="nii"), entry("b", suffix="nii"), {"image": "c.nii"}],
    )
    for index, case in enumerate("abc"):
        volume(folder / f"{case}.nii", np.full((3, 4, 5), 7 + index, np.int16))
        volume(folder / f"{case}_mask.nii", np.zeros((3, 4, 5), np.uint8))
    check = check_sets(folder)
    assert check.problems == []
    assert check.notes == [
        "liver: a: the image is 7 everywhere",
        "liver: a and 2 more: no value below -500: perhaps not in Hounsfield units",
        "liver: b: the image is 8 everywhere",
        "liver: c: the image is 9 everywhere",
        "liver: no item shows 'liver'",
        "liver: 1 of the 3 items in training have no label",
    ]


def test_one_image_under_two_names_is_found_by_its_pixels(chest: Path) -> None:
    Image.open(chest / "a.png").save(chest / "d.bmp.png")
    again = {**entry("d"), "image": "d.bmp.png"}
    check = check_sets(write_table(chest, training=[entry("a")], validation=[again], test=["a.png"]))
    assert check.problems == [
        "chest: d (validation): the same image as chest: a (training); keep one of them",
        "chest: a (test): the same image as chest: a (training); keep one of them",
    ]


def test_a_folder_without_a_table_is_refused_with_what_to_do(tmp_path: Path, chest: Path) -> None:
    grey(tmp_path / "a.png", 0)
    for folder, reason in (
        (tmp_path / "none", "none: not there"),
        (tmp_path / "a.png", "a.png: a file"),
        (chest / "..", f"{tmp_path.name}: no dataset.json in it or one level below.*docs/datasets.md"),
    ):
        if folder.name == "..":
            (chest / "dataset.json").unlink()
        with pytest.raises(InputError, match=reason) as error:
            check_sets(folder)
        assert str(tmp_path) not in str(error.value)


def test_a_table_that_cannot_be_read_does_not_hide_the_other_sets(chest: Path) -> None:
    other = chest.parent / "zebra"
    other.mkdir()
    (other / "dataset.json").write_text("{")
    check = check_sets(chest.parent)
    assert list(check.lists) == ["chest"] and len(check.entries) == 5
    assert len(check.problems) == 1 and check.problems[0].startswith("zebra/dataset.json cannot be read")


def test_examples_are_spread_over_targets_and_lists(chest: Path) -> None:
    chosen = [(e.split, e.item["case"], target) for e, target in choose_examples(check_sets(chest).entries)]
    assert chosen == [
        ("training", "b", "left lung"),
        ("training", "b", "right lung"),
        ("validation", "d", "left lung"),
        ("training", "a", "left lung"),
        ("training", "c", "right lung"),
    ]
    assert [e.item["case"] for e, _ in choose_examples(check_sets(chest).entries, most=2)] == ["b", "b"]


def test_the_sheet_shows_the_outline_of_the_target_where_it_is(tmp_path: Path) -> None:
    """In radiological display: the patient's right front is at the top left."""
    folder = write_table(
        tmp_path / "liver", "CT", {"0": "background", "1": "liver"}, training=[entry("a", suffix="nii")]
    )
    label = np.zeros((6, 6, 3), np.uint8)
    label[0, 5, 1] = 1  # X runs to the left and Y to the front
    affine = np.diag([-1.0, 1.0, 5.0, 1.0])
    air = np.full((6, 6, 3), -1000, np.int16)
    air[0, 0, 0] = -999  # an image of one value would be refused
    nib.save(nib.Nifti1Image(air, affine), folder / "a.nii")
    nib.save(nib.Nifti1Image(label, affine), folder / "a_mask.nii")
    examples = choose_examples(check_sets(folder).entries)
    sheet = np.asarray(contact_sheet(examples))
    assert sheet.shape == (SIDE + CAPTION + 2 * MARGIN, SIDE + 2 * MARGIN, 3)
    rows, columns = np.nonzero((sheet == COLOURS[0]).all(-1))
    side = SIDE // 6
    assert rows.size == 4 * (side - 1)
    for places in (rows, columns):
        assert (places.min(), places.max()) == (MARGIN, MARGIN + side - 1)
    assert (sheet[MARGIN + SIDE :] < 100).any()  # the caption


def test_two_sequences_and_pictures_without_labels_are_drawn_too(tmp_path: Path) -> None:
    brain = write_table(
        tmp_path / "brain",
        "MRI",
        {"0": "background", "1": "oedema"},
        training=[{"image": ["f.nii", "t.nii"], "label": "l.nii"}],
    )
    volume(brain / "f.nii", np.arange(60, dtype=np.float32).reshape(3, 4, 5))
    volume(brain / "t.nii", np.ones((3, 4, 5), np.float32))
    volume(brain / "l.nii", np.ones((3, 4, 5), np.uint8))
    control = write_table(tmp_path / "control", "", {}, images=["a.png", "b.png"])
    grey(control / "a.png", 0)
    Image.fromarray(torch.randint(0, 255, (9, 4, 3)).numpy().astype(np.uint8)).save(control / "b.png")
    check = check_sets(tmp_path)
    assert check.problems == []
    examples = choose_examples(check.entries)
    assert [target for _, target in examples] == ["oedema", None, None]
    assert contact_sheet(examples).width == 3 * (SIDE + MARGIN) + MARGIN
    kinds = statistics(check)["sets"]["brain"]["lists"]["training"]["kinds"]
    assert kinds["nifti 3D"]["channels"] == [2]


def test_the_shared_sets_have_no_fault(shared_data: Path) -> None:
    check = check_sets(shared_data, ["control", "mri_brain_mets_t2w"])
    assert check.problems == []
    lists = statistics(check)["sets"]["mri_brain_mets_t2w"]["lists"]
    shown = [
        lists[split]["targets"]["brain metastasis with oedema"]["shown"]
        for split in ("training", "validation")
    ]
    assert shown == [15, 6]
