"""Every kind of source becomes a data set in which the check finds no problem."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from zipfile import ZipFile

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_ext.data.dataset_check import check_sets
from monai_ext.data.datasets import read_split
from monai_ext.data.making import Wishes, case_folders, decathlon, find_source, matched, nnunet, sheet
from monai_ext.errors import InputError
from tests.data.making.sources import CT, US, made, mask, nifti, picture, region, volume
from tests.io.dicom.dicom_files import write_series


def entries(out):
    """Items by id, each with its list."""
    table = json.loads((out / "dataset.json").read_text())
    return {e["id"]: {**e, "list": name} for name in ("training", "validation", "test") for e in table[name]}


def passes(out):
    found = check_sets(out)
    assert list(found.problems) == [] and len(found.entries) == len(entries(out))
    return True


def label(out, entry):
    path = out / entry["label"]
    return np.asarray(Image.open(path)) if path.suffix == ".png" else np.asarray(nib.load(path).dataobj)


def test_images_and_masks_of_0_and_255(tmp_path):
    for name in ("a", "b", "c", "d"):
        picture(tmp_path / "src" / f"{name}.png")
        mask(tmp_path / "src" / f"{name}_mask.png", rows=(2,))
    mask(tmp_path / "src" / "a_mask_1.png", rows=(7,))
    found, plan = made(tmp_path / "src", tmp_path / "out")
    assert found.kind == matched.KIND and plan.targets == ["breast tumour"]
    table = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert table["labels"] == {"0": "background", "1": "breast tumour"}
    assert table["prompts"] == {"1": ["tumour in a breast ultrasound"]} and table["modality"] == {
        "0": "ultrasound"
    }
    items = entries(tmp_path / "out")
    united = label(tmp_path / "out", items["a"])
    assert np.flatnonzero(united.any(1)).tolist() == [2, 7] and united.max() == 1
    copied = tmp_path / "out" / items["a"]["image"]
    assert copied.read_bytes() == (tmp_path / "src" / "a.png").read_bytes() and passes(tmp_path / "out")


def test_a_folder_for_each_case_with_a_mask_for_each_target(tmp_path):
    for number, name in enumerate(("s1", "s2", "s3")):
        affine = np.diag([-2.0, 1.0, 5.0, 1.0 + 0 * number])
        volume(tmp_path / "src" / name / "ct.nii.gz", affine)
        for target, planes in (("liver", (1, 2)), ("kidney_left", (4,)), ("skull", ())):
            nifti(tmp_path / "src" / name / "segmentations" / f"{target}.nii.gz", region(*planes), affine)
    (tmp_path / "src" / "s3" / "segmentations" / "kidney_left.nii.gz").unlink()
    found, plan = made(tmp_path / "src", tmp_path / "out", CT)
    assert found.kind == case_folders.KIND and sorted(plan.targets) == ["left kidney", "liver"]
    assert "without a voxel in any mask, left out: skull" in plan.notes
    number = plan.labels[frozenset({"left kidney"})]
    items = entries(tmp_path / "out")
    assert np.flatnonzero((label(tmp_path / "out", items["s1"]) == number).any((1, 2))).tolist() == [4]
    assert items["s3"]["annotated_labels"] == [plan.labels[frozenset({"liver"})]]
    assert "annotated_labels" not in items["s1"] and passes(tmp_path / "out")


def test_a_folder_for_each_case_with_sequences_and_a_label_map(tmp_path):
    for name in ("P1", "P2"):
        for sequence in ("flair", "t1", "t2"):
            volume(tmp_path / "src" / name / f"{name}_{sequence}.nii.gz")
        nifti(tmp_path / "src" / name / f"{name}_seg.nii.gz", region(1) + region(2, value=4))
    made(tmp_path / "src", tmp_path / "out", Wishes({"1": "necrosis", "4": "oedema"}, "MRI"))
    items = entries(tmp_path / "out")
    assert items["P1"]["image"] == [f"images/P1_{n}.nii.gz" for n in range(3)]
    assert np.unique(label(tmp_path / "out", items["P1"])).tolist() == [0, 1, 2] and passes(tmp_path / "out")


def test_masks_of_single_objects_in_a_folder_for_each_case_are_united(tmp_path):
    for name in ("c1", "c2"):
        picture(tmp_path / "src" / name / "images" / f"{name}.png")
        for row in (1, 5):
            mask(tmp_path / "src" / name / "masks" / f"{row}.png", rows=(row,))
    _, plan = made(tmp_path / "src", tmp_path / "out", US)
    assert plan.targets == ["breast tumour"] and passes(tmp_path / "out")
    united = label(tmp_path / "out", entries(tmp_path / "out")["c1"])
    assert np.flatnonzero(united.any(1)).tolist() == [1, 5]


def nnunet_folders(source, description):
    source.mkdir()
    for end, names in (("Tr", ("liver_001", "liver_002", "liver_003")), ("Ts", ("liver_009",))):
        for name in names:
            for channel in ("0000", "0001"):
                volume(source / f"images{end}" / f"{name}_{channel}.nii.gz")
            nifti(source / f"labels{end}" / f"{name}.nii.gz", region(1) + region(3, value=2))
    volume(source / "imagesTs" / "liver_010_0000.nii.gz")
    (source / "dataset.json").write_text(json.dumps(description))
    return source


@pytest.mark.parametrize(
    "description",
    [
        {"channel_names": {"0": "CT", "1": "CT"}, "labels": {"background": 0, "liver": 1, "liver tumour": 2}},
        {
            "modality": {"0": "CT"},
            "labels": {"0": "background", "1": "liver", "2": "liver tumour"},
            "training": "x",
        },
    ],
)
def test_nnunet_of_both_versions(description, tmp_path):
    source = nnunet_folders(tmp_path / "src", description)
    found, plan = made(source, tmp_path / "out", Wishes())
    assert found.kind == nnunet.KIND and plan.targets == ["liver", "liver tumour"]
    assert found.unmatched["image without a mask"] == ["imagesTs/liver_010_0000.nii.gz"]
    items = entries(tmp_path / "out")
    assert {name: items[name]["list"] for name in items if items[name]["list"] == "test"} == {
        "liver_009": "test"
    }
    assert sorted(e["list"] for e in items.values()) == ["test", "training", "training", "validation"]
    assert len(items["liver_001"]["image"]) == 2 and passes(tmp_path / "out")


def test_regions_of_nnunet_overlap_and_become_unions(tmp_path):
    labels = {"background": 0, "whole tumour": [1, 2], "tumour core": [2]}
    source = nnunet_folders(tmp_path / "src", {"channel_names": {"0": "MRI"}, "labels": labels})
    made(source, tmp_path / "out", Wishes())
    table = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert table["labels"]["3"] == "whole tumour and tumour core"
    assert list(table["prompts"]) == ["1+3", "2+3"] and passes(tmp_path / "out")
    item = read_split(tmp_path / "out", "training")[0]
    assert item["targets"] == {"whole tumour": (1, 3), "tumour core": (2, 3)}


def decathlon_list(source, **more):
    items = []
    for name in ("a", "b", "c", "d"):
        volume(source / "imagesTr" / f"{name}.nii.gz", shape=(6, 5, 4, 2))
        nifti(source / "labelsTr" / f"{name}.nii.gz", region(2))
        items.append({"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"})
    table = {
        "modality": {"0": "MRI T2", "1": "MRI ADC"},
        "labels": {"0": "background", "1": "prostate"},
        "numTraining": 4,
        "training": items,
        "test": ["./imagesTs/e.nii.gz"],
        **more,
    }
    (source / "dataset.json").write_text(json.dumps(table))
    return source


def test_a_decathlon_list_is_split_and_its_4d_files_become_sequences(tmp_path):
    found, plan = made(decathlon_list(tmp_path / "src"), tmp_path / "out", Wishes())
    assert found.kind == decathlon.KIND and found.unmatched["image without a mask"] == ["./imagesTs/e.nii.gz"]
    assert {name: len(items) for name, items in plan.lists.items()} == {
        "training": 2,
        "validation": 1,
        "test": 1,
    }
    first = entries(tmp_path / "out")["a"]["image"]
    assert first == ["images/a_0.nii.gz", "images/a_1.nii.gz"] and passes(tmp_path / "out")
    whole = np.asarray(nib.load(tmp_path / "src" / "imagesTr" / "a.nii.gz").dataobj)
    assert np.array_equal(np.asarray(nib.load(tmp_path / "out" / first[1]).dataobj), whole[..., 1])


def test_the_lists_of_a_decathlon_list_are_kept(tmp_path):
    source = decathlon_list(tmp_path / "src")
    table = json.loads((source / "dataset.json").read_text())
    table["validation"] = [table["training"].pop()]
    (source / "dataset.json").write_text(json.dumps(table))
    _, plan = made(source / "dataset.json", tmp_path / "out", Wishes())
    assert [len(plan.lists[name]) for name in plan.lists] == [3, 1, 0] and passes(tmp_path / "out")


def test_a_list_that_names_missing_files_is_refused(tmp_path):
    source = decathlon_list(tmp_path / "src")
    (source / "labelsTr" / "c.nii.gz").unlink()
    with pytest.raises(InputError, match=r"1 of the files that it names are not there, such as c\.nii\.gz"):
        find_source(source)


ROWS = [
    ["Image", "Mask", "Patient ID", "split", "pathology", "scanner"],
    ["pics/a.png", "drawn/1.png", "p1", "train", "benign", "x"],
    ["pics/b.png", "drawn/2.png", "p1", "train", "malignant", "y"],
    ["pics/c.png", "drawn/3.png", "p2", "val", "", "x"],
    ["pics/d.png", "", "p3", "test", "", ""],
]


def sheet_files(source):
    for name in "abcd":
        picture(source / "pics" / f"{name}.png")
    for number in (1, 2, 3):
        mask(source / "drawn" / f"{number}.png")


def write_xlsx(path, rows):
    name = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    cells = [
        f'<row r="{y}">'
        + "".join(
            f'<c r="{"ABCDEF"[x]}{y}" t="inlineStr"><is><t>{text}</t></is></c>'
            for x, text in enumerate(row)
            if text
        )
        + "</row>"
        for y, row in enumerate(rows, 1)
    ]
    with ZipFile(path, "w") as archive:
        archive.writestr(
            "xl/worksheets/sheet1.xml",
            f"<worksheet {name}><sheetData>{''.join(cells)}</sheetData></worksheet>",
        )


@pytest.mark.parametrize("name", ["table.csv", "table.tsv", "table.xlsx"])
def test_a_table_states_paths_patients_lists_and_facts(name, tmp_path):
    source = tmp_path / "src"
    sheet_files(source)
    if name.endswith("xlsx"):
        write_xlsx(source / name, ROWS)
    else:
        with (source / name).open("w", newline="") as file:
            csv.writer(file, delimiter="\t" if name.endswith("tsv") else ",").writerows(ROWS)
    found, plan = made(source / name, tmp_path / "out")
    assert found.kind == sheet.KIND and found.unmatched["row without a mask"] == ["pics/d.png"]
    assert "columns that are not used: scanner" in plan.notes
    items = entries(tmp_path / "out")
    assert [(i["list"], i["group"], i.get("pathology")) for i in items.values()] == [
        ("training", "p1", "benign"),
        ("training", "p1", "malignant"),
        ("validation", "p2", None),
    ]
    assert passes(tmp_path / "out")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["pics/c.png", "drawn/3.png", "p1", "val"], "patient p1 is in training and validation"),
        (["pics/c.png", "drawn/3.png", "p2", "fold1"], "row 4 states the list 'fold1'"),
        (["pics/c.png", "drawn/9.png", "p2", "val"], r"not there, such as 9\.png"),
        (["", "drawn/3.png", "p2", "val"], "row 4 names no image"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(row, reason, tmp_path):
    sheet_files(tmp_path)
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([*ROWS[:3], row])
    with pytest.raises(InputError, match=reason):
        made(tmp_path / "t.csv", tmp_path.parent / "out")


def test_a_table_without_its_columns_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("file,truth\na,b\n")
    with pytest.raises(InputError, match="names no column “image”; it holds file, truth"):
        find_source(tmp_path / "t.csv")


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"image,mask\nx\xff,y\n")
    (tmp_path / "t.json").write_text("[]")
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    for name, reason in (
        ("t.csv", "no table in UTF-8 text"),
        ("t.json", "no JSON object"),
        ("t.xlsx", "not a whole .xlsx"),
    ):
        with pytest.raises(InputError, match=reason):
            find_source(tmp_path / name)
    (tmp_path / "t.csv").write_text("image,mask\n" + "x" * 300 + ".png,y\n")
    with pytest.raises(InputError, match="2 of the files that it names are not there"):
        find_source(tmp_path / "t.csv")


def test_a_table_may_name_dicom_folders(tmp_path):
    rows = ["image,mask"]
    for number, name in enumerate(("one", "two"), 1):
        write_series(tmp_path / "src" / name, np.random.RandomState(number).randint(0, 2000, (6, 5, 4)))
        affine = np.diag([-1.0, -2.0, 5.0, 1.0])
        affine[:3, 3] = -10, -20, 30
        nifti(tmp_path / "src" / f"{name}.nii.gz", region(2), affine)
        rows.append(f"{name},{name}.nii.gz")
    (tmp_path / "src" / "t.csv").write_text("\n".join(rows))
    made(tmp_path / "src" / "t.csv", tmp_path / "out", replace(CT, targets={"1": "liver"}))
    items = entries(tmp_path / "out")
    assert items["one"]["image"] == "images/one" and passes(tmp_path / "out")
    assert np.array_equal(label(tmp_path / "out", items["one"]), region(2))
    with pytest.raises(InputError, match="one: its DICOM modality is CT, that of the set mri"):
        made(tmp_path / "src" / "t.csv", tmp_path / "mr", Wishes({"1": "liver"}, "MRI"))


def test_metaimages_keep_the_file_of_their_voxels(tmp_path):
    import SimpleITK as sitk

    for name in ("a", "b"):
        for end, array in (
            ("", np.random.RandomState(ord(name)).randint(-900, 99, (4, 5, 6))),
            ("_seg", region(2).T),
        ):
            path = tmp_path / "src" / f"{name}{end}.mhd"
            path.parent.mkdir(exist_ok=True)
            sitk.WriteImage(sitk.GetImageFromArray(array.astype(np.int16)), str(path))
    made(tmp_path / "src", tmp_path / "out", replace(CT, targets={"1": "liver"}))
    items = entries(tmp_path / "out")
    assert items["a"]["image"] == "images/a/a.mhd" and items["a"]["label"] == "labels/a.mha"
    assert sorted(path.name for path in (tmp_path / "out" / "images" / "a").iterdir()) == ["a.mhd", "a.raw"]
    assert passes(tmp_path / "out")


def test_links_lead_to_the_images(tmp_path):
    for name in ("a", "b"):
        volume(tmp_path / "src" / f"{name}.nii.gz")
        nifti(tmp_path / "src" / f"{name}_seg.nii.gz", region(1))
    made(tmp_path / "src", tmp_path / "out", replace(CT, targets={"1": "liver"}), link=True)
    linked = tmp_path / "out" / "images" / "a.nii.gz"
    assert linked.is_symlink() and linked.resolve() == (tmp_path / "src" / "a.nii.gz").resolve()
    assert not (tmp_path / "out" / "labels" / "a.nii.gz").is_symlink() and passes(tmp_path / "out")
