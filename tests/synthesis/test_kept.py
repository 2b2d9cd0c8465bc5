"""Slices that were made once: the same from disk, made again when anything they depend on changed or is damaged."""

import errno
import logging
import os

import numpy as np
import pytest
import torch

from monai_ext.synthesis import kept
from monai_ext.synthesis.kept import kept_slices
from monai_ext.synthesis.lesions import lesion_slices
from monai_ext.synthesis.opacities import opacity_slices
from monai_ext.synthesis.phantoms import phantom
from monai_ext.synthesis.training_slices import as_slice, phantom_slices, photograph_slices
from monai_ext.synthesis.transplants import transplant_slices

MADE = []


def discs(count, size=20, sources=()):
    """Slices of two sets, the first without masks; 20 columns are no whole number of bytes."""
    MADE.append(count)
    slices = []
    for number in range(count):
        image = torch.full((3, size - 4, size), number / 255)
        mask = np.zeros((size - 4, size), np.uint8)
        mask[number, number:] = 1
        masks = {"polyp": mask, "wide": 1 - mask} if number else {}
        slices.append(as_slice(image, masks, f"set {number}", "endoscopy", {"pathology": "adenoma"}))
    return slices


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(kept, "home", lambda: tmp_path)
    MADE.clear()
    return tmp_path / "slices"


def same(slices, others):
    assert len(slices) == len(others)
    for one, other in zip(slices, others, strict=True):
        assert list(one) == list(other)
        for key in ("image", "masks"):
            assert one[key].dtype == other[key].dtype == torch.uint8
            assert torch.equal(one[key], other[key])
        assert {k: v for k, v in one.items() if k not in ("image", "masks")} == {
            k: v for k, v in other.items() if k not in ("image", "masks")
        }


def test_slices_are_made_once_and_then_read_from_one_file(folder):
    first, second = kept_slices(discs, 3), kept_slices(discs, 3)
    assert MADE == [3]
    same(first, discs(3))
    same(second, first)
    (file,) = folder.iterdir()
    assert file.name.startswith("discs-") and file.suffix == ".safetensors"


def source(value=0, mask=0, name="us"):
    return as_slice(torch.full((3, 4, 4), value / 255), {"t": np.full((4, 4), mask, np.uint8)}, name, "us")


def test_other_arguments_are_other_slices():
    asked = [
        (2,),
        (3,),
        (3, 24),
        (3, 20, [source()]),
        (3, 20, [source(), source()]),
        (3, 20, [source(value=1)]),
        (3, 20, [source(mask=1)]),
        (3, 20, [source(name="endo")]),
        (3, 20, torch.zeros(4, 4)),
        (3, 20, torch.zeros(2, 8)),
        (3, 20, torch.zeros(4, 4, dtype=torch.int32)),
    ]
    for arguments in asked * 2:
        kept_slices(discs, *arguments)
    assert [arguments[0] for arguments in asked] == MADE


def test_another_function_makes_its_own(folder):
    def others(count):
        return discs(count)

    kept_slices(discs, 2)
    kept_slices(others, 2)
    assert MADE == [2, 2] and len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("changed", ["code", "numpy"])
def test_changed_code_or_libraries_make_them_again(monkeypatch, changed, tmp_path):
    kept_slices(discs, 2)
    if changed == "code":
        (tmp_path / "code").mkdir()
        (tmp_path / "code/kept.py").write_text("pass")
        monkeypatch.setattr(kept, "__file__", str(tmp_path / "code/kept.py"))
    else:
        monkeypatch.setattr(kept, "version", lambda name: "9.9" if name == changed else "1")
    kept._drawn_by.cache_clear()
    kept_slices(discs, 2)
    kept._drawn_by.cache_clear()
    assert MADE == [2, 2]


def turned(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


DAMAGE = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "one bit of the last mask": lambda data: turned(data, -1 % len(data)),
    "one bit of the header": lambda data: turned(data, 20),
    "one bit of a fact": lambda data: turned(data, data.index(b"adenoma")),
    "another file": lambda data: b"no slices" * 100,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_made_again_and_the_log_says_so(folder, caplog, damage):
    kept_slices(discs, 3)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(DAMAGE[damage](whole))
    with caplog.at_level(logging.WARNING):
        same(kept_slices(discs, 3), discs(3))
    assert MADE[:2] == [3, 3]
    assert f"{file.name} is damaged" in caplog.text and "it is made again" in caplog.text
    MADE.clear()
    kept_slices(discs, 3)
    assert MADE == []


@pytest.mark.skipif(os.name == "nt", reason="writes over a file that is mapped")
def test_what_is_read_may_be_changed_without_changing_the_file():
    kept_slices(discs, 3)
    kept_slices(discs, 3)[1]["image"].fill_(255)
    same(kept_slices(discs, 3), discs(3))


def test_a_disk_that_is_full_costs_only_the_file(monkeypatch, folder, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kept, "save_file", full)
    same(kept_slices(discs, 3), discs(3))
    assert "cannot be kept (No space left on device)" in caplog.text
    assert list(folder.iterdir()) == []


def test_no_slices_are_no_file(folder):
    assert kept_slices(discs, 0) == [] and not folder.exists()


def test_files_used_longest_ago_go_first_when_there_are_too_many_bytes(monkeypatch, folder):
    for count in (2, 3, 4):
        kept_slices(discs, count)
    (two,), (three,), (four,) = (
        [f for f in folder.iterdir() if f.stat().st_size == size]
        for size in sorted(f.stat().st_size for f in folder.iterdir())
    )
    for age, file in enumerate((four, three, two)):
        os.utime(file, (10**9 - age, 10**9 - age))
    kept_slices(discs, 2)  # used again, so the youngest
    monkeypatch.setattr(kept, "MOST", two.stat().st_size + four.stat().st_size)
    kept._remove_oldest(folder)
    assert {*folder.iterdir()} == {two, four}
    monkeypatch.setattr(kept, "MOST", two.stat().st_size + four.stat().st_size - 1)
    kept._remove_oldest(folder)
    assert {*folder.iterdir()} == {two}


def test_every_generator_gives_the_same_from_disk():
    """As a training with all synthetic material asks for them."""
    brain = torch.from_numpy(phantom("brain_mr", 0, 64)["image"])
    free = as_slice(brain, {"brain tumour": np.zeros((64, 64), np.uint8)}, "mr", "mri")
    sources = [free, *phantom_slices(6, 64)]
    for make, arguments in (
        (phantom_slices, (1, 64)),
        (photograph_slices, (32, 1, 3)),
        (lesion_slices, (sources, 3, 5)),
        (opacity_slices, (sources, 3, 5)),
        (transplant_slices, (sources, 3, 5)),
    ):
        made = make(*arguments)
        assert made
        same(kept_slices(make, *arguments), made)
        same(kept_slices(make, *arguments), made)
