from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.io.read_picture import load_picture

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.stack([GREY, GREY // 2, 255 - GREY], axis=-1)


def write_png(path: Path, width: int, height: int, bits: int, colour: int, lines: bytes) -> Path:
    """A PNG of any depth from its filtered lines: Pillow writes no 16-bit colour and no picture too large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {"format": "PNG"},
        {"format": "BMP"},
        {"format": "TIFF"},
        {"format": "TIFF", "compression": "tiff_lzw"},
        {"format": "TIFF", "compression": "tiff_adobe_deflate"},
    ],
)
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_every_lossless_format_gives_the_same_values(
    tmp_path: Path, options: dict, pixels: np.ndarray
) -> None:
    Image.fromarray(pixels).save(tmp_path / "p.tif", **options)
    planes, meta = load_picture(tmp_path / "p.tif")
    np.testing.assert_array_equal(planes, np.atleast_3d(pixels).transpose(2, 0, 1))
    assert (meta["bits"], meta["kind"], meta["warnings"]) == (8, "picture", [])


def test_a_picture_lies_nowhere_and_has_pixels_of_one_unit(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "p.png")
    _, meta = load_picture(tmp_path / "p.png")
    arrays = {name: meta.pop(name).tolist() for name in ("affine", "spacing", "slice_normal", "nifti_header")}
    assert arrays == {
        "affine": np.eye(4).tolist(),
        "spacing": [1, 1],
        "slice_normal": [0, 0, 0],
        "nifti_header": [],
    }
    assert meta == {"kind": "picture", "modality": "", "bits": 8, "source": "", "warnings": []}


@pytest.mark.parametrize(
    ("dtype", "bits"), [(np.uint16, 16), (np.dtype(">u2"), 16), (np.int32, 32), (np.float32, 32)]
)
def test_deep_grey_tiff_keeps_its_values(tmp_path: Path, dtype: np.dtype, bits: int) -> None:
    values = np.array([[0, 1000, 65535], [7, 8, 40000]]).astype(dtype)
    Image.fromarray(values).save(tmp_path / "d.tif")
    planes, meta = load_picture(tmp_path / "d.tif")
    np.testing.assert_array_equal(planes[0], values)
    assert meta["bits"] == bits


def test_sixteen_bits_of_colour_are_read_with_eight_and_a_warning(tmp_path: Path) -> None:
    pixels = np.array([[[0x1234, 0xFFFF, 0x00FF]]], dtype=">u2")
    planes, meta = load_picture(write_png(tmp_path / "c.png", 1, 1, 16, 2, b"\0" + pixels.tobytes()))
    assert planes.ravel().tolist() == [0x12, 0xFF, 0x00]
    assert meta["warnings"] == ["colour of 16 bits a channel was read with 8"]


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_every_orientation_arrives_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    stored = {  # what a camera that was held so would store of GREY
        1: GREY,
        2: GREY[:, ::-1],
        3: GREY[::-1, ::-1],
        4: GREY[::-1],
        5: GREY.T,
        6: np.rot90(GREY),
        7: GREY[::-1, ::-1].T,
        8: np.rot90(GREY, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / f"o.{suffix}", exif=exif)
    np.testing.assert_array_equal(load_picture(tmp_path / f"o.{suffix}")[0][0], GREY)


def test_a_jpeg_arrives_upright_whatever_the_case_of_its_name(tmp_path: Path) -> None:
    Image.fromarray(np.kron(GREY, np.ones((8, 8), np.uint8))).save(tmp_path / "p.JPG", quality=100)
    np.testing.assert_allclose(load_picture(tmp_path / "p.JPG")[0][0, 4::8, 4::8], GREY, atol=1)


def test_grey_stored_as_colour_has_one_channel(tmp_path: Path) -> None:
    Image.fromarray(GREY).convert("RGB").save(tmp_path / "p.png")
    np.testing.assert_array_equal(load_picture(tmp_path / "p.png")[0], GREY[None])


def test_a_palette_is_colours_as_picture_and_numbers_as_label(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], dtype=np.uint8)).convert("P")
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.save(tmp_path / "p.png")
    np.testing.assert_array_equal(load_picture(tmp_path / "p.png")[0][:, 0, 1], [40, 50, 60])
    np.testing.assert_array_equal(load_picture(tmp_path / "p.png", label=True)[0], [[[0, 1], [2, 1]]])


def test_one_bit_is_black_and_white_as_picture_and_0_and_1_as_label(tmp_path: Path) -> None:
    Image.fromarray(GREY > 100).save(tmp_path / "b.png")
    np.testing.assert_array_equal(load_picture(tmp_path / "b.png")[0][0], (GREY > 100) * 255)
    np.testing.assert_array_equal(load_picture(tmp_path / "b.png", label=True)[0][0], GREY > 100)


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBA"])
def test_transparent_is_black_and_a_label_has_no_transparency(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(GREY).convert("LA")
    picture.putalpha(Image.fromarray(np.where(GREY > 100, 0, 255).astype(np.uint8)))
    picture.convert("RGBA" if mode != "LA" else mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(load_picture(tmp_path / "a.png")[0], [np.where(GREY > 100, 0, GREY)])
    np.testing.assert_array_equal(load_picture(tmp_path / "a.png", label=True)[0], [GREY])


def test_sixteen_bits_with_a_transparent_value_stay_sixteen(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.uint16) * 200).save(tmp_path / "t.png", transparency=0)
    np.testing.assert_array_equal(load_picture(tmp_path / "t.png")[0][0], GREY.astype(np.uint16) * 200)


def test_cmyk_becomes_colour(tmp_path: Path) -> None:
    Image.new("CMYK", (2, 2), (0, 255, 255, 0)).save(tmp_path / "c.tif")
    np.testing.assert_array_equal(load_picture(tmp_path / "c.tif")[0][:, 0, 0], [255, 0, 0])


def test_several_pages_are_refused_with_their_number(tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY)] * 3
    for name in ("m.tif", "m.png"):
        pages[0].save(tmp_path / name, save_all=True, append_images=[Image.fromarray(GREY // 2), pages[1]])
        with pytest.raises(InputError, match=rf"^{name}: 3 pages; give one picture per file\.$"):
            load_picture(tmp_path / name)


def test_of_a_telephones_jpeg_with_previews_the_picture_is_read(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (200, 10)]
    pages[0].save(tmp_path / "m.jpg", format="MPO", save_all=True, append_images=pages[1:])
    planes, meta = load_picture(tmp_path / "m.jpg")
    np.testing.assert_array_equal(planes, np.full((1, 8, 8), 200))
    assert meta["warnings"] == ["the first of 2 pictures in the file was read"]


def test_a_picture_of_30000_pixels_a_side_is_refused_by_its_header(tmp_path: Path) -> None:
    path = write_png(tmp_path / "wide.png", 30_000, 30_000, 8, 0, b"")
    with pytest.raises(InputError, match=r"^wide\.png: more than 178956970 pixels; crop it"):
        load_picture(path)


def test_the_limit_counts_pixels_times_channels(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "c.png")
    load_picture(tmp_path / "c.png", max_voxels=36)
    with pytest.raises(InputError, match=r"^c\.png: 4 × 3 × 3 is above the limit of 35 values"):
        load_picture(tmp_path / "c.png", max_voxels=35)


@pytest.mark.parametrize("offset", [30, -20])
def test_a_wrong_checksum_is_refused(tmp_path: Path, offset: int) -> None:
    Image.fromarray(GREY).save(tmp_path / "c.png")
    content = bytearray((tmp_path / "c.png").read_bytes())
    content[offset] ^= 1  # of the header; of the pixels, which Pillow alone would not notice
    (tmp_path / "c.png").write_bytes(content)
    with pytest.raises(InputError, match=r"^c\.png: not a whole PNG, JPEG, TIFF or BMP picture"):
        load_picture(tmp_path / "c.png")


@pytest.mark.parametrize("name", ["half.jpg", "half.png", "half.tif", "half.bmp"])
def test_half_a_picture_is_refused(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=rf"^{name}: not a whole"):
        load_picture(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"GIF89a\1\0\1\0\0\0\0;"])
def test_what_is_no_picture_of_these_formats_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(InputError, match=r"^x\.png: not a whole"):
        load_picture(tmp_path / "x.png")


def test_a_label_map_holds_whole_numbers(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0.5]], np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(InputError, match="fractions"):
        load_picture(tmp_path / "f.tif", label=True)
    path = write_png(tmp_path / "four.png", 2, 1, 4, 0, b"\0\x12")
    with pytest.raises(InputError, match="2 or 4 bits"):
        load_picture(path, label=True)
