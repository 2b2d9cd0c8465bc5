"""Small sound files of every format, and seeded ways to damage them."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from tests.io.dicom.dicom_files import write_enhanced, write_series
from tests.io.image_files import write_itk

PICTURES = ("p.png", "p.jpg", "p.tif", "compressed.tif", "p.bmp")
VOLUMES = ("v.nii", "v.nii.gz", "v.mha", "compressed.mha", "v.mhd", "v.nrrd", "compressed.nrrd")
SERIES = ("s.dcm", "compressed.dcm", "enhanced.dcm", "s.zip")
FORMATS = PICTURES + VOLUMES + SERIES
STORED = (np.mgrid[:8, :8, :12].sum(0) * 97 % 1000).astype(np.int16)
EXTREMES = (b"0", b"-1", b"1", b"3", b"99999999999", b"2147483647", b"1e999", b"nan", b"", b"x")
"""What a number in a text header is replaced by."""


def sound_file(path: Path) -> Path:
    """Write the file that its name, one of FORMATS, says."""
    compressed = path.name.startswith("compressed")
    if path.name in PICTURES:
        rows, columns = np.mgrid[:24, :32]
        picture = Image.fromarray(np.stack([rows * 8, columns * 7, rows + columns], -1).astype(np.uint8))
        picture.save(path, **({"compression": "tiff_lzw"} if compressed else {}))
    elif path.name.startswith("v.nii"):
        nib.save(nib.Nifti1Image(STORED, np.diag([2.0, 2.0, 5.0, 1.0])), path)
    elif path.name in VOLUMES:
        write_itk(path, STORED, compressed=compressed)
    elif path.name == "enhanced.dcm":
        write_enhanced(path, STORED[:, :, :3], [(0, 0, 0), (0, 0, 2), (0, 0, 4)])
    else:
        folder = path.with_name("slices")
        write_series(folder, STORED[:, :, : 3 if path.name == "s.zip" else 1], rle=compressed)
        if path.name == "s.zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in sorted(folder.iterdir()):
                    archive.write(file, f"study/{file.name}")
        else:
            shutil.copy(folder / "1-001.dcm", path)
        shutil.rmtree(folder)
    return path


def damaged(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """`content` with one kind of damage, and which."""
    data = bytearray(content)
    size, head = len(data), min(len(data), 400)
    kind = str(
        rng.choice(["bits", "header bits", "cut", "block", "zeros", "twice", "more", "number", "word"])
    )
    at = int(rng.integers(size))
    length = int(rng.integers(1, 64))
    if kind in ("bits", "header bits"):
        for where in rng.integers(size if kind == "bits" else head, size=int(rng.integers(1, 8))):
            data[where] ^= 1 << int(rng.integers(8))
    elif kind == "cut":
        del data[at:]
    elif kind == "block":
        data[at : at + length] = rng.bytes(len(data[at : at + length]))
    elif kind == "zeros":
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif kind == "twice":  # a part comes again: everything behind it is shifted
        data[at:at] = data[at : at + length]
    elif kind == "more":
        data += rng.bytes(length)
    elif kind == "number":  # in a text header; elsewhere some digits that are none
        found = list(re.finditer(rb"-?\d+(\.\d+)?", data[:head]))
        if found:
            start, end = found[int(rng.integers(len(found)))].span()
            data[start:end] = EXTREMES[int(rng.integers(len(EXTREMES)))]
    else:  # a number of two or four bytes in the header at its ends, as sizes and offsets are
        width, where = int(rng.choice([2, 4])), int(rng.integers(head - 4))
        ends = (
            bytes(width),
            b"\xff" * width,
            b"\xff" * (width - 1) + b"\x7f",
            b"\x00" * (width - 1) + b"\x80",
        )
        data[where : where + width] = ends[int(rng.integers(4))]
    return bytes(data), kind
