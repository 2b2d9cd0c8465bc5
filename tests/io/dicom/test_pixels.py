from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate

from monai_ext.errors import InputError
from monai_ext.io.dicom import gdcm
from monai_ext.io.dicom.pixels import GDCM, series_volume
from monai_ext.io.dicom.series import read_series
from tests.io.dicom.dicom_files import put_frame, write_enhanced, write_series

STORED = np.arange(48).reshape(8, 6, 1) * 37 % 1000
LOSSLESS, LOSSLESS_2000, LS = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80"
EXTENDED = "1.2.840.10008.1.2.4.51"
FRAMES = {
    LOSSLESS: "ffd8ffc3000b100006000801011100ffc40017000101010100000000000000000000000006090a10ffda000801010001"
    "0000e4a952a54a952d284a952a54a952d284a952a54a952d284a952e0f12a54b93f4a952a54a952d284a952a54a952ff"
    "00ffd900",
    LOSSLESS_2000: "ff4fff5100290000000000080000000600000000000000000000000800000006000000000000000000010f0101ff5200"
    "0c00000001000104040001ff5c00074080888890ff64002a000143726561746564206279204744434d2f4f70656e4a50"
    "45472076657273696f6e20322e332e30ff90000a00000000004d0001ff93dff890b806a5fccd7f68a0d58db77cce404c"
    "1f075f2e44fecc5bbfc007da1300fd836007e606114a93b37054aca67f11e75b17f94b9b478a4f1394af11f3bdffd900",
    LS: "ffd8fff7000b0a0006000801011100ffda0008010100000000832190c939291908000000327868a09890888034000000"
    "0c9ef9e3a70d9a1414e64c171e42205f2240000000193d5282629c9922241f7c48ffd9",
}
"""Row y, column x of 6 rows and 8 columns: (8 y + x) * 37 modulo 1000, each compressed without loss."""
FRAMES[EXTENDED] = (
    "ffd8ffe000104a46494600010100000100010000ffdb004300"
    + "01" * 64
    + "ffc1000b0c0006000801011100ffc40014000100000000"
    "00000000000000000000000affc4001f10000003090000000000000000000000000006080a0b0c262846476467ffda000801010000"
    "3f0036ee3861361988a409891bd8d8c8dba1ccc7ffd9"
)
"""Row y, column x: 1000 + 200 y + 100 x, by 12 bits."""
PICTURE = (np.arange(48).reshape(6, 8) * 37 % 1000).T


def volume(path: Path) -> np.ndarray:
    return series_volume(read_series(path).planes)


def compressed(*syntaxes: str, cut: int = 0):
    """Gives slice z the frame of the z-th syntax, without its last bytes."""

    def each(ds, z: int) -> None:
        frame = bytearray.fromhex(FRAMES[syntaxes[z]])
        if cut:
            del frame[-cut:]
        put_frame(ds, bytes(frame), syntaxes[z])

    return each


# values


def test_every_slice_is_rescaled_by_its_own_slope(tmp_path: Path) -> None:
    def pet(ds, z: int) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = str(0.5 + z), "0"

    write_series(tmp_path / "pt", np.full((3, 2, 4), 1001), Modality="PT", each=pet)
    np.testing.assert_array_equal(volume(tmp_path / "pt")[0, 0], np.array([0.5, 1.5, 2.5, 3.5]) * 1001)


@pytest.mark.parametrize("slope", [None, "2"])
def test_mr_is_rescaled_too(tmp_path: Path, slope: str | None) -> None:
    write_series(tmp_path / "mr", STORED, Modality="MR", RescaleSlope=slope, RescaleIntercept=None)
    np.testing.assert_array_equal(volume(tmp_path / "mr"), STORED * (1 if slope is None else 2))


def test_signed_values_keep_their_sign_and_unused_bits_do_not_count(tmp_path: Path) -> None:
    stored = np.array([[[-1000]], [[3 | 0x7000]]]).repeat(2, axis=1)
    tags = {"PixelRepresentation": 1, "BitsStored": 12, "HighBit": 11}
    write_series(tmp_path / "ct", stored & 0xFFFF, **tags)
    np.testing.assert_array_equal(volume(tmp_path / "ct")[:, 0, 0], [-2024, -1021])


def test_an_inverted_x_ray_picture_is_turned_within_its_bits(tmp_path: Path) -> None:
    tags = {"Modality": "DX", "PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
    write_series(tmp_path / "x", STORED, intercept=0.0, **tags)
    np.testing.assert_array_equal(volume(tmp_path / "x"), 4095 - STORED)


def test_frames_of_an_enhanced_file_are_ordered_and_rescaled(tmp_path: Path) -> None:
    stored = np.arange(24).reshape(4, 3, 2)
    write_enhanced(tmp_path / "e.dcm", stored, [(1, 2, 10), (1, 2, 7.5)], slopes=[2.0, 3.0])
    expected = stored[..., ::-1] * np.array([3.0, 2.0]) - 1024
    np.testing.assert_array_equal(volume(tmp_path / "e.dcm"), expected)


@pytest.mark.parametrize("tags", [{"RescaleSlope": "1e300"}, {"RescaleIntercept": "-1e39"}])
def test_infinite_values_are_refused(tmp_path: Path, tags: dict) -> None:
    write_series(tmp_path / "ct", STORED, **tags)
    with pytest.raises(InputError, match=r"^1-001\.dcm: NaN or infinite"):
        volume(tmp_path / "ct")


# compression


def test_run_lengths_are_decoded(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 3, (9, 7, 3)) * 700
    write_series(tmp_path / "ct", stored, rle=True)
    assert dcmread(tmp_path / "ct/1-001.dcm").file_meta.TransferSyntaxUID.name == "RLE Lossless"
    np.testing.assert_array_equal(volume(tmp_path / "ct"), stored - 1024)


def test_jpeg_2000_is_decoded(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", STORED, each=compressed(LOSSLESS_2000))
    np.testing.assert_array_equal(volume(tmp_path / "ct")[..., 0], PICTURE - 1024)


def test_every_syntax_of_gdcm_is_decoded(tmp_path: Path) -> None:
    # a stream of the stricter syntax is one of the laxer, too
    laxer = {"1.2.840.10008.1.2.4.57": LOSSLESS, "1.2.840.10008.1.2.4.81": LS}

    def each(ds, z: int) -> None:
        syntax = sorted(GDCM)[z]
        put_frame(ds, bytes.fromhex(FRAMES[laxer.get(syntax, syntax)]), syntax)

    write_series(tmp_path / "ct", STORED.repeat(len(GDCM), axis=2), each=each, BitsStored=12, HighBit=11)
    found = volume(tmp_path / "ct")
    extended = sorted(GDCM).index(EXTENDED)
    np.testing.assert_array_equal(np.delete(found, extended, axis=2), PICTURE[..., None].repeat(4, 2) - 1024)


def test_compressed_frames_of_an_enhanced_file_are_decoded(tmp_path: Path) -> None:
    write_enhanced(tmp_path / "e.dcm", STORED.repeat(2, axis=2), [(0, 0, 2), (0, 0, 0)], slopes=[1.0, 2.0])
    ds = dcmread(tmp_path / "e.dcm")
    frame = bytes.fromhex(FRAMES[LOSSLESS])
    put_frame(ds, frame, LOSSLESS)
    ds.PixelData = encapsulate([frame, frame])
    ds.save_as(tmp_path / "e.dcm")
    expected = np.stack([2 * PICTURE - 1024, PICTURE - 1024], axis=2)
    np.testing.assert_array_equal(volume(tmp_path / "e.dcm"), expected)


def test_a_compressed_file_that_cannot_be_copied_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError

    write_series(tmp_path / "ct", STORED, each=compressed(LOSSLESS))
    monkeypatch.setattr("pydicom.FileDataset.save_as", refuse)
    with pytest.raises(InputError, match=r"^1-001\.dcm: the DICOM pixels cannot be decoded \(ValueError\)"):
        volume(tmp_path / "ct")


def test_lossless_jpeg_is_decoded(tmp_path: Path) -> None:
    # slope 2 in MR: GDCM itself would leave it out
    write_series(
        tmp_path / "mr", STORED.repeat(2, axis=2), slope=2.0, Modality="MR", each=compressed(LOSSLESS, LS)
    )
    np.testing.assert_array_equal(volume(tmp_path / "mr"), np.stack([PICTURE * 2.0 - 1024] * 2, axis=2))


def test_jpeg_extended_of_12_bits_is_decoded(tmp_path: Path) -> None:
    tags = {"BitsStored": 12, "HighBit": 11}
    write_series(tmp_path / "ct", STORED.repeat(2, axis=2), each=compressed(EXTENDED, EXTENDED), **tags)
    picture = np.add.outer(100 * np.arange(8), 1000 + 200 * np.arange(6))
    np.testing.assert_array_equal(volume(tmp_path / "ct"), np.stack([picture - 1024] * 2, axis=2))


@pytest.mark.parametrize("cut", [10, 20, 60])
def test_damaged_jpeg_extended_is_refused(tmp_path: Path, cut: int) -> None:
    tags = {"BitsStored": 12, "HighBit": 11}
    write_series(tmp_path / "ct", STORED, each=compressed(EXTENDED, cut=cut), **tags)
    with pytest.raises(InputError, match=r"^1-001\.dcm: the compressed DICOM pixels cannot be decoded"):
        volume(tmp_path / "ct")


@pytest.mark.parametrize(
    ("remark", "sound"),
    [
        ("Unsupported JPEG data precision 12", True),
        ("Invalid SOS parameters for sequential JPEG", True),
        ("Unsupported JPEG data precision 7", False),
        ("Unsupported JPEG data precision 12\nPremature end of JPEG file", False),
    ],
)
def test_some_complaints_are_made_of_sound_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remark: str, sound: bool
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys, numpy as np; os.write(2, b'\\n000000.dcm\\n'); "
        f"os.write(2, {remark.encode()!r}); np.save(sys.argv[1] + '/000000.npy', np.zeros((1, 6, 8)))"
    )
    monkeypatch.setattr(gdcm, "__file__", str(program))
    write_series(tmp_path / "ct", STORED, each=compressed(LOSSLESS))
    if sound:
        assert (volume(tmp_path / "ct") == -1024).all()
    else:
        with pytest.raises(InputError, match="they are damaged"):
            volume(tmp_path / "ct")


def test_damaged_jpeg_is_refused_although_gdcm_gives_a_picture(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", STORED, each=compressed(LOSSLESS, cut=20))
    with pytest.raises(InputError, match=r"^1-001\.dcm: the compressed DICOM pixels cannot be decoded"):
        volume(tmp_path / "ct")


@pytest.mark.parametrize(
    "end", ["os.kill(os.getpid(), 11)", "os.write(2, b'Corrupt JPEG data')", "raise MemoryError"]
)
def test_a_decoder_that_crashes_or_complains_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    program = tmp_path / "program.py"
    program.write_text(rf"import os; os.write(2, b'\n000000.dcm\n\n000001.dcm\n'); {end}")
    monkeypatch.setattr(gdcm, "__file__", str(program))
    write_series(tmp_path / "ct", STORED.repeat(3, axis=2), each=compressed(LOSSLESS, LOSSLESS, LOSSLESS))
    with pytest.raises(InputError, match=r"^1-002\.dcm: the compressed DICOM pixels cannot be decoded"):
        volume(tmp_path / "ct")


def test_other_compressions_are_refused_by_name(tmp_path: Path) -> None:
    write_series(
        tmp_path / "ct", STORED, each=lambda ds, z: put_frame(ds, b"x" * 20, "1.2.840.10008.1.2.4.201")
    )
    with pytest.raises(InputError, match="compressed as High-Throughput JPEG 2000 Image Compression"):
        volume(tmp_path / "ct")


def test_pixels_cut_short_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", STORED.repeat(2, axis=2))
    file = tmp_path / "ct/1-002.dcm"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"^1-002\.dcm: the DICOM pixels cannot be decoded \(ValueError\)"):
        volume(tmp_path / "ct")


# hostile files


@pytest.mark.parametrize("seed", range(48))
def test_a_damaged_file_is_refused_in_one_line_or_read_whole(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 2000, (8, 6, 3))
    if seed % 4 == 3:
        write_enhanced(tmp_path / "scan/e.dcm", stored, [(0, 0, 0), (0, 0, 2), (0, 0, 4)])
    else:
        write_series(tmp_path / "scan", stored, rle=seed % 4 == 2)
    file = sorted((tmp_path / "scan").iterdir())[-1]
    content = bytearray(file.read_bytes())
    pixels = content.rindex(b"\xe0\x7f\x10\x00")
    kind = seed // 4 % 4
    if kind == 0:
        del content[rng.integers(len(content)) :]
    elif kind == 1:  # some bits of the header
        for at in rng.integers(128, pixels + 12, size=5):
            content[at] ^= 1 << int(rng.integers(8))
    elif kind == 2:  # one block
        at = int(rng.integers(132, len(content) - 40))
        content[at : at + 40] = rng.bytes(40)
    else:  # some bits of the pixels
        for at in rng.integers(pixels, len(content), size=20):
            content[at] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)
    try:
        values = volume(tmp_path / "scan")
    except InputError as error:
        message = str(error)
        assert "\n" not in message
        assert not any(word in message for word in (str(tmp_path), "Doe", "secret-42")), message
    else:
        assert values.ndim == 3
        assert np.isfinite(values).all()
