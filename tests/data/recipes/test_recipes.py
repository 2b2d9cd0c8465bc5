"""The four recipes on miniatures of the layouts in which their sets are published."""

import json
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from monai_ext.data.dataset_check import check_sets
from monai_ext.data.datasets import read_split
from monai_ext.data.recipes import RECIPES, find_recipe, prepare
from monai_ext.data.recipes.covid_qu_ex import FINDINGS
from monai_ext.data.recipes.figshare_brain import TUMOURS
from monai_ext.data.recipes.matlab import from_hdf5, read_struct
from monai_ext.data.recipes.sheet import rows_of_sheet
from monai_ext.errors import InputError
from monai_ext.prompts.levels import PromptLevels
from tests.data.recipes import miniatures

PAPER = {
    "busi_udiat": (600, 50, 113),
    "figshare_brain": (1462, 1002, 600),
    "covid_qu_ex": (16280, 1372, 957),
    "konya_ct": (7959, 3010, 1800),
}


def small(name, official, sizes):
    """A recipe for a release with fewer images."""
    return replace(find_recipe(name), official=official, sizes=sizes)


def lists(folder):
    table = json.loads((folder / "dataset.json").read_text())
    return {name: table[name] for name in ("training", "validation", "test")}


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def label(folder, entry):
    return np.asarray(Image.open(folder / entry["label"]))


@pytest.fixture
def breast(tmp_path):
    return miniatures.udiat(miniatures.busi(tmp_path / "source"))


BREAST = {"BUSI": {"training": 6}, "UDIAT": {"validation": 2, "test": 4}}


def test_the_sizes_are_those_of_the_paper():
    for name, recipe in RECIPES.items():
        found = {}
        for wanted in recipe.sizes.values():
            found |= wanted
        assert (found["training"], found["validation"], found["test"]) == PAPER[name]
        for pool, wanted in recipe.sizes.items():
            assert sum(wanted.values()) <= recipe.official[pool]


def test_busi_trains_and_udiat_tests(breast, tmp_path):
    recipe = small("busi_udiat", {"BUSI": 7, "UDIAT": 6}, BREAST)
    done = prepare(recipe, breast, tmp_path / "out")
    assert done.lists == {"training": 6, "validation": 2, "test": 4}
    assert done.notes == ["1 further image(s) in no list"]
    found = lists(tmp_path / "out")
    assert all(entry["id"].startswith("busi_") for entry in found["training"])
    others = [*found["validation"], *found["test"]]
    assert {entry["id"]: entry["pathology"] for entry in others} == {
        f"udiat_{n:06d}": "benign" if n % 2 else "malignant" for n in range(1, 7)
    }
    assert len(list((tmp_path / "out" / "images").iterdir())) == 12


def test_several_masks_are_united_and_the_picture_is_copied_as_it_is(breast, tmp_path):
    recipe = small("busi_udiat", {}, {"BUSI": {"training": 7}})
    prepare(recipe, breast, tmp_path / "out")
    entries = {entry["id"]: entry for entry in lists(tmp_path / "out")["training"]}
    assert len(entries) == 7  # no normal image
    two = label(tmp_path / "out", entries["busi_malignant_1"])
    assert np.flatnonzero(two.any(1)).tolist() == [2, 7] and two.max() == 1
    original = breast / "Dataset_BUSI_with_GT" / "malignant" / "malignant (1).png"
    copied = tmp_path / "out" / entries["busi_malignant_1"]["image"]
    assert copied.read_bytes() == original.read_bytes()
    assert entries["busi_malignant_1"]["pathology"] == "malignant"


def test_without_its_table_udiat_states_no_pathology(tmp_path):
    source = miniatures.udiat(tmp_path / "source", sheet=False)
    prepare(small("busi_udiat", {}, {"UDIAT": {"test": 6}}), source, tmp_path / "out")
    assert not any("pathology" in entry for entry in lists(tmp_path / "out")["test"])


def test_figshare_patients_stay_whole_and_sizes_are_met(tmp_path):
    source = miniatures.figshare(tmp_path / "source")  # 1 + 2 + … + 6 slices
    recipe = small(
        "figshare_brain",
        {"the release": 21},
        {"the release": {"training": 11, "validation": 6, "test": 4}},
    )
    done = prepare(recipe, source, tmp_path / "out")
    assert done.lists == {"training": 11, "validation": 6, "test": 4}
    found = lists(tmp_path / "out")
    patients = [{entry["group"] for entry in found[name]} for name in found]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 6
    entries = {entry["id"]: entry for items in found.values() for entry in items}
    assert entries["0001"]["group"] == "MR0" and entries["0001"]["tumour_type"] == "meningioma"
    assert entries["0003"]["tumour_type"] == "glioma" and entries["0006"]["tumour_type"] == "pituitary tumour"
    image = np.asarray(Image.open(tmp_path / "out" / entries["0001"]["image"]))
    stored = read_struct(source / "one" / "1.mat", "cjdata", ["image"])["image"].astype(float)
    wanted = np.rint((stored - stored.min()) / (stored.max() - stored.min()) * 255)
    assert image.dtype == np.uint8 and image.shape == (8, 9) and np.array_equal(image, wanted)
    assert np.argwhere(label(tmp_path / "out", entries["0001"])).tolist() == [[1, 2], [1, 3], [1, 4]]


def test_covid_lists_come_from_the_pools_of_the_release(tmp_path):
    source = miniatures.covid(tmp_path / "source")
    parts = {"Train": {"training": 7}, "Val": {"validation": 5}, "Test": {"test": 4}}
    recipe = small("covid_qu_ex", {"Train": 9, "Val": 9, "Test": 9}, parts)
    assert prepare(recipe, source, tmp_path / "out").lists == {"training": 7, "validation": 5, "test": 4}
    for name, part in (("training", "train"), ("validation", "val"), ("test", "test")):
        assert all(f"_{part}_" in entry["id"] for entry in lists(tmp_path / "out")[name])
    findings = {e["finding"] for items in lists(tmp_path / "out").values() for e in items}
    assert findings == {"COVID-19", "non-COVID pneumonia", "normal"}


def test_konya_takes_slices_with_lungs_by_patient(tmp_path):
    source = miniatures.konya(tmp_path / "source")  # 1 + 2 + 3 + 4 slices with lungs
    recipe = small(
        "konya_ct", {"the release": 14}, {"the release": {"training": 7, "validation": 2, "test": 1}}
    )
    done = prepare(recipe, source, tmp_path / "out")
    assert done.lists == {"training": 7, "validation": 2, "test": 1}
    assert done.notes == ["4 image(s) without anything of the target left out"]
    found = lists(tmp_path / "out")
    assert Counter(e["group"] for items in found.values() for e in items) == {
        f"ID{n:04d}": n + 1 for n in range(4)
    }
    lungs = label(tmp_path / "out", found["test"][0])
    assert lungs[:15].all() and not lungs[17:].any()  # and not the heart


def test_konya_with_its_channels_in_another_order_is_refused(tmp_path):
    source = miniatures.konya(tmp_path / "source", order=(0, 1, 2))
    with pytest.raises(InputError, match=r"channel with the lungs \(blue\) fills less than another"):
        prepare(find_recipe("konya_ct"), source, tmp_path / "out", partial=True)


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_recipe_writes_passes_the_check_and_can_be_read(name, tmp_path):
    source = tmp_path / "source"
    make = {
        "figshare_brain": miniatures.figshare,
        "covid_qu_ex": miniatures.covid,
        "konya_ct": miniatures.konya,
    }
    miniatures.udiat(miniatures.busi(source)) if name == "busi_udiat" else make[name](source)
    done = prepare(find_recipe(name), source, tmp_path / "out", partial=True)
    check = check_sets(tmp_path / "out")
    assert check.problems == []
    assert done.lists["training"] == len(read_split(tmp_path / "out", "training"))
    text = (tmp_path / "out" / "dataset.json").read_text()
    assert str(tmp_path) not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]


def test_the_same_seed_gives_the_same_bytes_and_another_one_another_split(tmp_path):
    source = miniatures.covid(tmp_path / "source")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        prepare(find_recipe("covid_qu_ex"), source, tmp_path / name, seed, partial=True)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    sizes = {"Train": {"training": 3}}
    for name, seed in (("d", 0), ("e", 1)):
        prepare(small("covid_qu_ex", {}, sizes), source, tmp_path / name, seed)
    assert tree(tmp_path / "d") != tree(tmp_path / "e")


def test_images_that_repeat_another_are_left_out(breast, tmp_path):
    folder = breast / "Dataset_BUSI_with_GT" / "benign"
    shutil.copyfile(folder / "benign (1).png", folder / "benign (4).png")
    done = prepare(small("busi_udiat", {}, {"BUSI": {"training": 6}}), breast, tmp_path / "out")
    assert done.lists["training"] == 6
    assert done.notes[0] == "1 image(s) that repeat another left out"
    with pytest.raises(InputError, match="6 images of BUSI can be used, and its lists need 7"):
        prepare(small("busi_udiat", {}, {"BUSI": {"training": 7}}), breast, tmp_path / "out2")
    assert not (tmp_path / "out2").exists()


@pytest.mark.parametrize("name", RECIPES)
def test_less_than_the_official_release_is_refused_before_anything_is_written(name, breast, tmp_path):
    with pytest.raises(
        InputError, match=rf"source: \d+ of \d+ images of .* found; {name} needs .*, from http"
    ):
        prepare(find_recipe(name), breast, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_counts_of_each_pool_are_reported(breast, tmp_path):
    with pytest.raises(
        InputError, match="7 of 647 images of BUSI and 6 of 163 images of UDIAT found.*--partial"
    ):
        prepare(find_recipe("busi_udiat"), breast, tmp_path / "out")
    with pytest.raises(InputError, match=r"0 of 3064 images of the release found; .*Unpack all of it\.$"):
        prepare(find_recipe("figshare_brain"), breast, tmp_path / "out", partial=True)


def test_a_fault_on_the_way_leaves_nothing(breast, tmp_path):
    damaged = breast / "BUS" / "GT" / "000006.png"
    damaged.write_bytes(damaged.read_bytes()[:40])
    with pytest.raises(InputError, match="000006.png: not a whole PNG"):
        prepare(find_recipe("busi_udiat"), breast, tmp_path / "out", partial=True)
    miniatures.mask(damaged, 1, size=(9, 9))
    with pytest.raises(InputError, match=r"000006.png: a mask of \(9, 9\) pixels for an image of \(12, 10\)"):
        prepare(find_recipe("busi_udiat"), breast, tmp_path / "out", partial=True)
    damaged.unlink()
    with pytest.raises(InputError, match="original/000006.png: no mask GT/000006.png"):
        prepare(find_recipe("busi_udiat"), breast, tmp_path / "out", partial=True)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_nothing_is_overwritten_and_the_source_is_left_alone(breast, tmp_path):
    before = tree(breast)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "empty").mkdir()
    recipe = find_recipe("busi_udiat")
    with pytest.raises(InputError, match="full: not empty"):
        prepare(recipe, breast, tmp_path / "full", partial=True)
    with pytest.raises(InputError, match="out: lies inside the source"):
        prepare(recipe, breast, breast / "out", partial=True)
    with pytest.raises(InputError, match="nowhere: no such folder; busi_udiat is to be had at https"):
        prepare(recipe, tmp_path / "nowhere", tmp_path / "out")
    assert prepare(recipe, breast, tmp_path / "empty", partial=True).lists["training"] == 7
    assert tree(breast) == before


def test_a_release_that_was_unpacked_twice_is_refused(breast, tmp_path):
    shutil.copytree(breast / "BUS", breast / "again" / "BUS")
    with pytest.raises(InputError, match="6 images stand twice, such as udiat_000001"):
        prepare(find_recipe("busi_udiat"), breast, tmp_path / "out", partial=True)


def test_the_facts_that_recipes_state_choose_prompts_of_subtypes():
    levels = PromptLevels.load()
    assert set(TUMOURS.values()) == set(levels.subtypes("brain tumour", "mri"))
    assert set(FINDINGS.values()) <= set(levels.subtypes("lungs", "xray"))
    assert levels.subtypes("breast tumour", "us") == ["benign", "malignant"]


def test_an_unknown_recipe_is_refused():
    with pytest.raises(InputError, match="no recipe 'busi'; choose from busi_udiat, figshare_brain"):
        find_recipe("busi")


def test_hdf5_matrices_are_turned_back_and_text_is_read():
    matrix = np.arange(6).reshape(2, 3)
    assert from_hdf5(matrix.T, {"MATLAB_class": b"int16"}).tolist() == matrix.tolist()
    assert from_hdf5(np.array([[2.0]]), {}) == 2
    text = np.array([[ord(letter)] for letter in "MR01"], dtype=np.uint16)
    assert from_hdf5(text, {"MATLAB_class": b"char"}) == "MR01"


def test_matlab_7_3_is_read_with_h5py(tmp_path):
    """As the release is stored; the other miniatures are of the older version, which needs no h5py."""
    h5py = pytest.importorskip("h5py")
    image = np.arange(12, dtype=np.int16).reshape(3, 4)
    with h5py.File(tmp_path / "1.mat", "w", userblock_size=512) as file:
        group = file.create_group("cjdata")
        group["image"], group["label"] = image.T, [[3.0]]
        group["PID"] = np.array([[ord(letter)] for letter in "100360"], dtype=np.uint16)
        group["PID"].attrs["MATLAB_class"] = np.bytes_("char")
    with (tmp_path / "1.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\x00\x02IM")
    found = read_struct(tmp_path / "1.mat", "cjdata", ["image", "label", "PID"])
    assert (found["image"] == image).all() and found["label"] == 3 and found["PID"] == "100360"


def test_matlab_7_3_without_h5py_is_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (tmp_path / "1.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    with pytest.raises(
        InputError, match=r"1.mat: a MATLAB 7.3 file, which needs h5py; install it: pip install"
    ):
        read_struct(tmp_path / "1.mat", "cjdata", ["image"])


def test_damaged_tables_and_matlab_files_are_refused(tmp_path):
    for name, content in (("1.mat", b"text"), ("2.mat", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}: no whole MATLAB file with cjdata.PID"):
            read_struct(tmp_path / name, "cjdata", ["PID"])
    (tmp_path / "DatasetB.xlsx").write_bytes(b"PK no zip")
    with pytest.raises(InputError, match="DatasetB.xlsx: not a whole .xlsx table"):
        list(rows_of_sheet(tmp_path / "DatasetB.xlsx"))
