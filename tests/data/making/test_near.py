"""Images that look nearly the same count as one patient, unless the source puts them into two lists."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from monai_ext.data.making import Wishes
from monai_ext.data.making.near import join_patients
from tests.data.making.sources import made, mask, save


def a(seed: int) -> tuple[str, ...]:
    random = np.random.default_rng(seed)
    return random.bytes(32).hex(), random.bytes(32).hex()


def test_near_images_of_two_patients_make_one_of_these_and_of_all_their_images():
    looks = [a(0), a(1), a(1), a(2), a(2), a(3)]
    patients, notes = join_patients(looks, ["p", "q", "p", "r", "r", "s"], [""] * 6)
    assert patients == ["p", "p", "p", "r", "r", "s"]
    assert notes == [
        "2 images look nearly like one of another patient; so that no two lists share them, 2 patients count as 1"
    ]


def test_patients_are_joined_over_others():
    patients, notes = join_patients([a(0), a(0), a(1), a(1)], ["p", "q", "q", "r"], ["training"] * 4)
    assert patients == ["p"] * 4 and "4 images" in notes[0] and "3 patients count as 1" in notes[0]


def test_lists_that_the_source_states_stay_and_a_note_says_so():
    patients, notes = join_patients([a(0), a(0), a(1)], ["p", "q", "r"], ["training", "test", "test"])
    assert patients == ["p", "q", "r"]
    assert notes == [
        "1 pair(s) of images look nearly the same and are in two lists, where the source puts them; monai-ext dataset check"
        " names them"
    ]


def test_different_images_change_nothing():
    assert join_patients([a(0), a(1), ()], ["p", "q", "r"], [""] * 3) == (["p", "q", "r"], [])


def test_a_set_made_of_pictures_keeps_copies_of_one_in_one_list(tmp_path):
    random = np.random.default_rng(0)
    for number in range(6):
        pixels = random.integers(0, 256, (64, 64)).astype(np.uint8)
        save(tmp_path / "src" / f"x{number}.png", pixels)
        mask(tmp_path / "src" / f"x{number}_mask.png", size=(64, 64))
        copy = Image.fromarray(pixels).point(lambda value: value * 0.9)
        copy.save(tmp_path / "src" / f"y{number}.png")
        mask(tmp_path / "src" / f"y{number}_mask.png", size=(64, 64))
    wishes = Wishes({"1": "breast tumour"}, "ultrasound", split="50/25/25")
    _, plan = made(tmp_path / "src", tmp_path / "out", wishes)
    table = json.loads((tmp_path / "out" / "dataset.json").read_text())
    for name in ("training", "validation", "test"):
        numbers = [item["id"][1] for item in table[name]]
        assert numbers and all(numbers.count(number) == 2 for number in numbers)
    assert {item["group"] for name in plan.lists for item in table[name]} == {f"x{n}" for n in range(6)}
    assert "12 patients count as 6" in table["notes"]
