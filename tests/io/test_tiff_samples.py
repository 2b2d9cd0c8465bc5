"""What a TIFF file says of its numbers holds; Pillow writes few such files, so that they are made by hand."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.io.read_picture import load_picture
from monai_ext.io.tiff_samples import Samples, stated_samples

BITS, COMPRESSION, PHOTOMETRIC, PLANES, FORMAT = 258, 259, 262, 284, 339
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
RAMP = np.linspace(0, 1, 12).reshape(3, 4)


def write_tiff(path: Path, array: np.ndarray, **tags: int) -> Path:
    """(H, W) or, in separate planes, (3, H, W), in one strip a plane, in the array's order of bytes.

    `tags`: photometric (1: black is 0; None leaves it out), form (of the numbers), packed (by deflate).
    """
    order = ">" if array.dtype.byteorder == ">" else "<"
    planes = array[None] if array.ndim == 2 else array
    strips = [plane.tobytes() for plane in planes]
    strips = [zlib.compress(strip) if tags.get("packed") else strip for strip in strips]
    entries = {
        256: (4, [planes.shape[2]]),
        257: (4, [planes.shape[1]]),
        BITS: (3, [array.itemsize * 8] * len(planes)),
        COMPRESSION: (3, [8 if tags.get("packed") else 1]),
        PHOTOMETRIC: (3, [tags.get("photometric", 1)]),
        273: (4, [8 + sum(map(len, strips[:index])) for index in range(len(strips))]),
        277: (3, [len(planes)]),
        278: (4, [planes.shape[1]]),
        279: (4, [len(strip) for strip in strips]),
        PLANES: (3, [2 if array.ndim == 3 else 1]),
        FORMAT: (3, [tags.get("form", UNSIGNED)] * len(planes)),
    }
    if tags.get("photometric", 1) is None:
        del entries[PHOTOMETRIC]
    body = b"".join(strips)
    start = 8 + len(body)
    more = b""
    directory = struct.pack(order + "H", len(entries))
    for tag, (kind, values) in entries.items():
        data = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(data) > 4:
            at = start + 2 + 12 * len(entries) + 4 + len(more)
            more, data = more + data, struct.pack(order + "I", at)
        directory += struct.pack(order + "HHI", tag, kind, len(values)) + data.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    path.write_bytes(head + body + directory + bytes(4) + more)
    return path


def ramp(dtype: str) -> np.ndarray:
    """RAMP over the whole range of a type of integer, in [0, 1] of floating point."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return RAMP.astype(kind)
    ends = np.iinfo(kind)
    return (
        np.round(RAMP * (int(ends.max) - int(ends.min)) + int(ends.min)).clip(ends.min, ends.max).astype(kind)
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("dtype", "form", "bits"),
    [
        ("<u1", UNSIGNED, 8),
        ("<i1", SIGNED, 16),
        ("<u2", UNSIGNED, 16),
        (">u2", UNSIGNED, 16),
        ("<i2", SIGNED, 32),
        ("<u4", UNSIGNED, 32),
        ("<i4", SIGNED, 32),
        ("<f4", FLOAT, 32),
    ],
)
def test_the_numbers_of_a_tiff_file_are_those_it_says(
    tmp_path: Path, dtype: str, form: int, bits: int, packed: bool
) -> None:
    array = np.uint32([[0, 1, 2**31, 2**32 - 1]]) if dtype == "<u4" else ramp(dtype)
    planes, meta = load_picture(write_tiff(tmp_path / "n.tif", array, form=form, packed=packed))
    np.testing.assert_array_equal(planes[0], array)
    assert meta["bits"] == bits
    if form == SIGNED and bits == 16:
        np.testing.assert_array_equal(load_picture(tmp_path / "n.tif", label=True)[0][0], array)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("dtype", "form"), [("<u1", UNSIGNED), ("<u2", UNSIGNED), ("<f4", FLOAT)])
def test_where_0_is_white_the_numbers_are_turned(tmp_path: Path, dtype: str, form: int, packed: bool) -> None:
    array = ramp(dtype)
    planes, _ = load_picture(write_tiff(tmp_path / "w.tif", array, photometric=0, form=form, packed=packed))
    np.testing.assert_array_equal(planes[0], -array if form == FLOAT else np.iinfo(dtype).max - array)


@pytest.mark.parametrize("dtype", [">i2", ">i4", ">f4"])
def test_packed_numbers_whose_high_byte_comes_first_are_refused(tmp_path: Path, dtype: str) -> None:
    form = FLOAT if dtype == ">f4" else SIGNED
    np.testing.assert_array_equal(
        load_picture(write_tiff(tmp_path / "plain.tif", ramp(dtype), form=form))[0][0], ramp(dtype)
    )
    with pytest.raises(
        InputError, match=r"^packed\.tif: packed numbers of (16|32) bits with the high byte first"
    ):
        load_picture(write_tiff(tmp_path / "packed.tif", ramp(dtype), form=form, packed=True))


def test_separate_planes_of_8_bits_are_read_and_of_16_bits_refused(tmp_path: Path) -> None:
    planes = np.stack([ramp("<u1"), ramp("<u1") // 2, 255 - ramp("<u1")])
    path = write_tiff(tmp_path / "p.tif", planes, photometric=2)
    np.testing.assert_array_equal(load_picture(path)[0], planes)
    with pytest.raises(InputError, match=r"^q\.tif: colour of 16 bits in separate planes is not read"):
        load_picture(write_tiff(tmp_path / "q.tif", planes.astype("<u2") * 257, photometric=2))


def test_a_tiff_file_that_does_not_say_whether_0_is_black_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^x\.tif: does not say whether 0 is black"):
        load_picture(write_tiff(tmp_path / "x.tif", ramp("<u2"), photometric=None))


@pytest.mark.parametrize(
    ("dtype", "form", "photometric"),
    [(">u4", UNSIGNED, 1), ("<f8", FLOAT, 1), ("<i1", SIGNED, 0), (">u2", UNSIGNED, 0)],
)
def test_numbers_that_pillow_does_not_know_are_refused(
    tmp_path: Path, dtype: str, form: int, photometric: int
) -> None:
    with pytest.raises(InputError, match=r"^x\.tif: not a whole PNG, JPEG, TIFF or BMP picture"):
        load_picture(write_tiff(tmp_path / "x.tif", ramp(dtype), form=form, photometric=photometric))


def test_other_formats_state_nothing_of_their_numbers(tmp_path: Path) -> None:
    Image.fromarray(ramp("<u2")).save(tmp_path / "g.png")
    with Image.open(tmp_path / "g.png") as opened:
        samples = stated_samples("g.png", opened)
    assert samples == Samples(bits=8, form=UNSIGNED, inverted=False)
    np.testing.assert_array_equal(samples.meant(ramp("<u2")), ramp("<u2"))
