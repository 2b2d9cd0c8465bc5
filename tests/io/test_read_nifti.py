from __future__ import annotations

import gzip
import logging
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.io.read_nifti import load_nifti
from monai_ext.io.write_nifti import write_nifti

AFFINE = np.array([[-2.0, 0, 0, 11], [0, 0, 3, 12], [0, 1.5, 0, 13], [0, 0, 0, 1]])
RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


def write(path: Path, array: np.ndarray, affine: np.ndarray | None = AFFINE) -> Path:
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz", "V.NII", "V.NII.GZ"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_plain_and_compressed_files_of_both_versions(tmp_path: Path, name: str, kind: type) -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    nib.save(kind(array, AFFINE), tmp_path / name)
    planes, meta = load_nifti(tmp_path / name)
    np.testing.assert_array_equal(planes, array[None])
    np.testing.assert_allclose(meta["affine"], AFFINE)
    assert len(meta["nifti_header"]) == kind.header_class.template_dtype.itemsize


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    volume = nib.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), AFFINE)
    volume.header.set_slope_inter(2, -1024)
    nib.save(volume, tmp_path / "v.nii.gz")
    stored = nib.load(tmp_path / "v.nii.gz")
    np.testing.assert_array_equal(load_nifti(tmp_path / "v.nii.gz")[0][0], stored.get_fdata())


@pytest.mark.parametrize(("channels", "chosen"), [([0, 2, 3], [0, 2, 3]), ([1], [1]), ([3, 0, 0], [3, 0, 0])])
@pytest.mark.parametrize("name", ["t.nii", "t.nii.gz"])
def test_volumes_of_a_4d_file_become_channels(
    tmp_path: Path, name: str, channels: list[int], chosen: list[int]
) -> None:
    array = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5)
    planes, meta = load_nifti(write(tmp_path / name, array), channels=channels)
    np.testing.assert_array_equal(planes, np.moveaxis(array, -1, 0)[chosen])
    header = nib.Nifti1Header(np.asarray(meta["nifti_header"]).tobytes())
    assert header.get_data_shape() == (2, 3, 4)  # a mask has no fourth axis


def test_a_4d_file_is_refused_without_a_choice_or_with_a_wrong_one(tmp_path: Path) -> None:
    path = write(tmp_path / "t.nii", np.zeros((2, 2, 2, 5), np.int16))
    with pytest.raises(
        InputError, match=r"^t\.nii: 5 volumes in one file; choose one or three with channels"
    ):
        load_nifti(path)
    with pytest.raises(InputError, match=r"^t\.nii: channels \[5\] ask for sequence 5, but there are 5"):
        load_nifti(path, channels=[5])


def test_one_volume_on_a_fourth_axis_needs_no_choice(tmp_path: Path) -> None:
    path = write(tmp_path / "t.nii", np.ones((2, 2, 2, 1), np.int16))
    assert load_nifti(path)[0].shape == load_nifti(path, channels=[0])[0].shape == (1, 2, 2, 2)


def test_rgb24_gives_three_channels_of_eight_bits(tmp_path: Path) -> None:
    array = np.zeros((2, 3, 4), RGB)
    array["R"], array["G"], array["B"] = 1, np.arange(24).reshape(2, 3, 4), 255
    planes, meta = load_nifti(write(tmp_path / "c.nii.gz", array))
    assert planes.shape == (3, 2, 3, 4)
    assert planes[:, 0, 0, 3].tolist() == [1, 3, 255]
    assert meta["bits"] == 8
    array["R"] = array["B"] = array["G"]
    assert load_nifti(write(tmp_path / "g.nii", array))[0].shape == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2, 2), np.complex64), "complex NIfTI"),
        (np.zeros((2, 2, 2), [*RGB.descr, ("A", "u1")]), "colour NIfTI"),
        (np.zeros((2, 2, 2, 1, 3), np.int16), r"5D NIfTI \(2, 2, 2, 1, 3\)"),
        (np.zeros((3,), np.int16), "no image in it, its size is 3"),
        (np.zeros((2, 0, 2), np.int16), "no image in it, its size is 2 × 0 × 2"),
    ],
)
def test_what_is_no_volume_of_numbers_is_refused(tmp_path: Path, array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=rf"^v\.nii: {message}"):
        load_nifti(write(tmp_path / "v.nii", array))


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        ((0, 0), np.nan, "NaN or infinite"),
        ((1, 3), np.inf, "NaN or infinite"),
        ((0, 0), 0.0, "singular"),
        ((0, 0), 5e3, "spacing 5000, 1, 1 mm at 0, 0, 0 mm is no patient"),
        ((2, 3), -1e9, "spacing 1, 1, 1 mm at 0, 0, -1e"),
    ],
)
def test_an_affine_of_no_patient_is_refused(
    tmp_path: Path, at: tuple[int, int], value: float, message: str
) -> None:
    volume = nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4))
    volume.header.set_qform(None, code=0)
    volume.header["srow_xyz"[:5] + "xyz"[at[0]]][at[1]] = value
    volume.header["pixdim"][1 + at[0]] = value if at[0] == at[1] and np.isfinite(value) else 1
    content = bytearray(volume.header.binaryblock + b"\0\0\0\0" + bytes(16))
    content[108:112] = np.float32(352).tobytes()
    (tmp_path / "v.nii").write_bytes(content)
    with pytest.raises(InputError, match=rf"^v\.nii: .*{message}"):
        load_nifti(tmp_path / "v.nii")


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("micron", 0.001), ("unknown", 1)])
def test_other_units_become_millimetres_in_the_meta_but_not_in_the_header(
    tmp_path: Path, unit: str, factor: float
) -> None:
    volume = nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.diag([0.5, 0.5, 0.25, 1]))
    volume.header.set_xyzt_units(unit)
    nib.save(volume, tmp_path / "v.nii")
    _, meta = load_nifti(tmp_path / "v.nii")
    np.testing.assert_allclose(meta["spacing"], np.array([0.5, 0.5, 0.25]) * factor)
    assert nib.Nifti1Header(np.asarray(meta["nifti_header"]).tobytes()).get_zooms() == (0.5, 0.5, 0.25)
    assert len(meta["warnings"]) == (unit != "unknown")


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("mm", 1), ("micron", 0.001)])
def test_units_of_time_are_not_taken_for_units_of_length(tmp_path: Path, unit: str, factor: float) -> None:
    volume = nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.diag([0.5, 0.5, 0.25, 1]))
    volume.header.set_xyzt_units(unit, "sec")
    nib.save(volume, tmp_path / "v.nii")
    np.testing.assert_allclose(
        load_nifti(tmp_path / "v.nii")[1]["spacing"], np.array([0.5, 0.5, 0.25]) * factor
    )


def test_the_limit_counts_every_value_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "t.nii", np.zeros((2, 3, 4, 5), np.int16))
    load_nifti(path, channels=[0], max_voxels=120)
    with pytest.raises(InputError, match="2 × 3 × 4 × 5 is above the limit of 119 values"):
        load_nifti(path, channels=[0], max_voxels=119)


def test_a_gzip_bomb_is_not_inflated(tmp_path: Path) -> None:
    header = nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), AFFINE).header
    header["vox_offset"] = 352
    with gzip.open(tmp_path / "bomb.nii.gz", "wb") as stream:
        stream.write(header.binaryblock + b"\0\0\0\0" + bytes(1 << 26))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"^bomb\.nii\.gz: more data in it than its header announces"):
        load_nifti(tmp_path / "bomb.nii.gz")
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_a_small_file_that_announces_much_is_refused_before_memory_is_allocated(tmp_path: Path) -> None:
    header = nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), AFFINE).header
    header["vox_offset"] = 352
    for size, message in ((512, "less data in it"), (30_000, "is above the limit")):
        header["dim"][1:4] = size
        with gzip.open(tmp_path / "h.nii.gz", "wb") as stream:
            stream.write(header.binaryblock + bytes(1000))
        tracemalloc.start()
        with pytest.raises(InputError, match=message):
            load_nifti(tmp_path / "h.nii.gz")
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
@pytest.mark.parametrize(
    ("surplus", "message"),
    [(-2, "less data"), (-1, "less data"), (0, None), (1, "more data"), (2, "more data")],
)
def test_a_file_holds_exactly_the_bytes_that_its_header_announces(
    tmp_path: Path, name: str, surplus: int, message: str | None
) -> None:
    content = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), AFFINE).to_bytes()
    content = content[:surplus] if surplus < 0 else content + bytes(surplus)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    if message is None:
        assert load_nifti(tmp_path / name)[0].ravel().tolist() == list(range(24))
    else:
        with pytest.raises(InputError, match=rf"^{name}: {message} in it than its header announces; export"):
            load_nifti(tmp_path / name)


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "v.nii.gz", np.arange(64, dtype=np.int16).reshape(4, 4, 4))
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # of gzip's own, behind the voxels
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^v\.nii\.gz: not a readable NIfTI file \(BadGzipFile\)"):
        load_nifti(path)


@pytest.mark.parametrize(
    ("field", "value", "note"),
    [
        ("pixdim", [1, -2, 3, 1.5, 1, 1, 1, 1], None),
        ("sform_code", 9, "sform_code 9 is none of NIfTI's, so that this form was not used"),
        ("qform_code", -3, "qform_code -3 is none of NIfTI's, so that this form was not used"),
        ("vox_offset", 356, None),  # which is not divisible by 16
    ],
)
def test_what_nibabel_mends_is_a_note_and_is_not_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog, field: str, value: object, note: str | None
) -> None:
    image = nib.Nifti1Image(np.ones((2, 3, 4), np.int16), AFFINE)
    image.set_qform(AFFINE, 1)
    image.to_filename(tmp_path / "v.nii")
    content = (tmp_path / "v.nii").read_bytes()
    header = nib.Nifti1Header(content[:348])
    header[field] = value
    (tmp_path / "v.nii").write_bytes(
        header.binaryblock + bytes(int(header["vox_offset"]) - 348) + content[352:]
    )
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("nibabel.global").addHandler(handler)
    try:
        planes, meta = load_nifti(tmp_path / "v.nii")
        write_nifti(tmp_path / "mask.nii", planes[0], meta)
    finally:
        logging.getLogger("nibabel.global").removeHandler(handler)
    assert (heard, caplog.records, capfd.readouterr().err) == ([], [], "")
    assert [one for one in meta["warnings"] if "code" in one] == ([] if note is None else [note])
    np.testing.assert_allclose(meta["affine"], AFFINE, atol=1e-5)
