"""Near-duplicates in two lists are warned of by name, and within one list they are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_ext.data.dataset_check import check_sets
from tests.data.test_dataset_check import entry, mask, write_table

SIZE = (64, 64)


def films(folder: Path, *names: str) -> None:
    """Noise of the number in each name, dimmed by its letter: a1 and b1 look nearly the same."""
    folder.mkdir(exist_ok=True)
    for name in names:
        pixels = np.random.default_rng(int(name[1:])).integers(20, 200, SIZE)
        Image.fromarray((pixels * (1.1 - 0.1 * "abcd".index(name[0]))).astype(np.uint8)).save(
            folder / f"{name}.png"
        )
        mask(folder / f"{name}_mask.png", 1, 2, size=SIZE)


@pytest.fixture
def chest(tmp_path: Path) -> Path:
    films(tmp_path / "chest", "a1", "b1", "c1", "a2", "b2", "a3", "a4")
    return tmp_path / "chest"


def test_an_image_of_another_list_is_told_with_the_nearest_that_it_repeats(chest: Path) -> None:
    noise = np.random.default_rng(9).integers(0, 30, SIZE)
    Image.fromarray((np.asarray(Image.open(chest / "a1.png")) + noise).astype(np.uint8)).save(
        chest / "a1.png"
    )
    check = check_sets(
        write_table(
            chest, training=[entry("a1", "p"), entry("b1", "p"), entry("a3")], validation=[entry("c1")]
        )
    )
    (warning,) = check.warnings
    start, _, rest = warning.partition(" (validation): ")
    assert start == "chest: c1"
    assert rest.startswith("c1.png looks nearly like b1.png of chest: b1 (training) and 1 more (")
    assert " of 256 bits differ): figures on one are too good where the other was learnt from" in rest
    assert check.problems == []
    assert check.notes == [
        "chest: 2 of the 3 images in training (67 %) look nearly the same as another, in 1 group, each of one patient"
    ]


def test_the_list_that_is_not_trained_on_is_told_of_whatever_the_order(chest: Path) -> None:
    check = check_sets(
        write_table(chest, validation=[entry("a1")], test=[entry("b1")], training=[entry("c1")])
    )
    assert [warning.split(":")[1] for warning in check.warnings] == [" a1 (validation)", " b1 (test)"]


def test_a_patient_in_two_lists_is_the_problem_that_it_was(chest: Path) -> None:
    check = check_sets(write_table(chest, training=[entry("a1", "p")], validation=[entry("b1", "p")]))
    assert (check.problems, check.warnings) == (["chest: group p is in training and validation"], [])


def test_equal_pixels_are_an_error_and_no_warning_besides(chest: Path) -> None:
    (chest / "b1.png").write_bytes((chest / "a1.png").read_bytes())
    check = check_sets(write_table(chest, training=[entry("a1")], validation=[entry("b1")]))
    assert check.problems == [
        "chest: b1 (validation): the same image as chest: a1 (training); keep one of them"
    ]
    assert (check.warnings, check.notes) == ([], [])


def test_repetitions_in_a_list_are_counted_with_their_patients(chest: Path) -> None:
    names = ("a1", "b1", "c1", "a2", "b2", "a3", "a4")
    check = check_sets(write_table(chest, test=[entry(name, f"p{name[0]}") for name in names]))
    assert check.warnings == []
    assert check.notes == [
        "chest: 5 of the 7 images in test (71 %) look nearly the same as another, in 2 groups, 2 of them of several patients"
    ]


def test_lists_of_several_sets_are_compared_too(chest: Path, tmp_path: Path) -> None:
    films(tmp_path / "more", "c1", "c2", "a5")
    write_table(chest, training=[entry("a2"), entry("a3")], validation=[entry("a1")])
    write_table(tmp_path / "more", training=[entry("c1"), entry("c2"), entry("a5")])
    check = check_sets([chest, tmp_path / "more"])
    assert check.notes == ["more: 1 of the images in training look nearly like one in training of chest"]
    (warning,) = check.warnings
    assert warning.startswith(
        "chest: a1 (validation): a1.png looks nearly like c1.png of more: c1 (training) ("
    )
    assert check_sets(tmp_path, "chest").warnings == []
