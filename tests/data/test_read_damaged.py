"""Damaged files of every format either load or are refused in one line: never another exception."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.transforms import MedicalLoadImage

PICTURES = ("p.png", "p.jpg", "p.tif", "p.bmp")
VOLUMES = ("v.nii", "v.nii.gz", "v.mha", "v.nrrd")


def whole_file(path: Path) -> bytes:
    """Content of a small sound file of the format that the name says."""
    rows, columns = np.mgrid[:24, :32]
    if path.name in PICTURES:
        Image.fromarray(np.stack([rows * 8, columns * 7, rows + columns], -1).astype(np.uint8)).save(path)
    elif path.suffix in (".nii", ".gz"):
        nib.save(nib.Nifti1Image((rows * columns).reshape(8, 8, 12).astype(np.int16), np.eye(4)), path)
    else:
        import itk

        volume = itk.image_from_array((rows * columns).reshape(8, 8, 12).astype(np.int16))
        itk.imwrite(volume, str(path), compression=True)
    return path.read_bytes()


def refused(path: Path) -> bool:
    """Whether the file is refused, in one line that begins with its name and tells no folder."""
    try:
        MedicalLoadImage()(path)
    except InputError as error:
        assert str(error).startswith(f"{path.name}: ")
        assert "\n" not in str(error)
        assert str(path.parent) not in str(error)
        return True
    return False


@pytest.mark.parametrize("name", PICTURES + VOLUMES)
def test_flipped_bits_and_cuts(tmp_path: Path, name: str) -> None:
    seed = 20261122
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    path = tmp_path / name
    content = whole_file(path)
    assert not refused(path)
    for _ in range(5):
        path.write_bytes(content[: int(rng.integers(0, len(content) - 16))])
        assert refused(path)
    for reach in [len(content)] * 4 + [min(len(content), 360)] * 4:  # anywhere, and in the header
        damaged = bytearray(content)
        for at in rng.integers(0, reach, 3):
            damaged[at] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(damaged)
        refused(path)


@pytest.mark.parametrize("name", PICTURES + VOLUMES)
def test_no_file_of_the_format_at_all(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for content in (b"", b"hello, world\n" * 99, gzip.compress(b"hello" * 999), bytes(4096)):
        path.write_bytes(content)
        assert refused(path)
    path.unlink()
    path.mkdir()
    assert refused(path)
    path.rmdir()
    path.symlink_to(path)
    assert refused(path)
    path.unlink()
    os.mkfifo(path)  # opening it would wait for ever
    assert refused(path)


def test_a_name_too_long_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / ("x" * 300 + ".png"))
