"""MetaImage and NRRD files; what holds for every format is in tests/io/test_readers.py."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.io.read_itk import load_itk
from tests.io.image_files import write_itk

VOLUME = np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 7
AFFINE = np.array([[0.0, 3, 0, -10], [-2, 0, 0, -20], [0, 0, 5, 30], [0, 0, 0, 1]])
"""Of files whose first axis, 2 mm, runs to posterior, and whose second, 3 mm, runs to the patient's left."""
DIRECTIONS = "space directions: (0,2,0) (-3,0,0) (0,0,5)\nspace origin: (10,20,30)\n"
"""The same as a NRRD file states it in LPS."""


def mha_file(path: Path, *lines: str, array: np.ndarray = VOLUME) -> Path:
    """A MetaImage with these lines, made without ITK."""
    sizes = " ".join(map(str, array.shape))
    text = ["ObjectType = Image", f"NDims = {array.ndim}", "BinaryData = True", *lines, f"DimSize = {sizes}"]
    text += ["ElementType = MET_SHORT", "ElementDataFile = LOCAL\n"]
    path.write_bytes("\n".join(text).encode() + array.T.tobytes())
    return path


def nrrd_file(path: Path, lines: str, array: np.ndarray = VOLUME) -> Path:
    """A NRRD file with these lines, made without ITK."""
    sizes = " ".join(map(str, array.shape))
    text = f"NRRD0004\ntype: int16\ndimension: {array.ndim}\nsizes: {sizes}\nencoding: raw\nendian: little\n"
    path.write_bytes(f"{text}{lines}\n".encode() + array.T.tobytes())
    return path


# geometry, by hand-made headers


def test_the_matrix_of_a_metaimage_holds_a_direction_of_each_axis_in_lps(tmp_path: Path) -> None:
    turn = "TransformMatrix = 0 1 0 -1 0 0 0 0 1"
    path = mha_file(tmp_path / "v.mha", turn, "Offset = 10 20 30", "ElementSpacing = 2 3 5")
    planes, meta = load_itk(path)
    np.testing.assert_array_equal(planes, VOLUME[None])
    np.testing.assert_allclose(meta["affine"], AFFINE, atol=1e-9)
    np.testing.assert_allclose(meta["spacing"], [2, 3, 5])
    assert (meta["kind"], meta["modality"], meta["bits"], meta["warnings"]) == ("itk", "", 0, [])


@pytest.mark.parametrize("lines", ["ElementSpacing = 2 3 5", "ElementSize = 2 3 5"])
def test_without_matrix_and_origin_a_metaimage_lies_along_lps(tmp_path: Path, lines: str) -> None:
    _, meta = load_itk(mha_file(tmp_path / "v.mha", lines))
    np.testing.assert_array_equal(meta["affine"], np.diag([-2.0, -3, 5, 1]))


@pytest.mark.parametrize("space", ["left-posterior-superior", "LPS"])
def test_the_space_of_a_nrrd_file_is_turned_to_ras(tmp_path: Path, space: str) -> None:
    _, meta = load_itk(nrrd_file(tmp_path / "v.nrrd", f"space: {space}\n{DIRECTIONS}"))
    np.testing.assert_allclose(meta["affine"], AFFINE, atol=1e-9)


@pytest.mark.parametrize(
    ("space", "flips"),
    [("right-anterior-superior", (-1, -1, 1)), ("RAS", (-1, -1, 1)), ("left-anterior-superior", (1, -1, 1))],
)
def test_other_spaces_of_a_nrrd_file_are_turned_too(
    tmp_path: Path, space: str, flips: tuple[int, ...]
) -> None:
    _, meta = load_itk(nrrd_file(tmp_path / "v.nrrd", f"space: {space}\n{DIRECTIONS}"))
    np.testing.assert_allclose(meta["affine"], np.diag([*flips, 1.0]) @ AFFINE, atol=1e-9)


def test_spacings_alone_are_along_lps(tmp_path: Path) -> None:
    _, meta = load_itk(nrrd_file(tmp_path / "v.nrrd", "spacings: 2 3 5\n"))
    np.testing.assert_array_equal(meta["affine"], np.diag([-2.0, -3, 5, 1]))


@pytest.mark.parametrize("lines", ["", "kinds: domain domain domain\n", "content: nothing\n"])
def test_without_any_geometry_voxels_are_of_one_unit(tmp_path: Path, lines: str) -> None:
    _, meta = load_itk(nrrd_file(tmp_path / "v.nrrd", lines))
    np.testing.assert_array_equal(meta["affine"], np.diag([-1.0, -1, 1, 1]))


@pytest.mark.parametrize(("unit", "millimetres"), [("m", 1e3), ("cm", 10), ("um", 1e-3), ("µm", 1e-3)])
def test_other_units_of_a_nrrd_file_become_millimetres_with_a_warning(
    tmp_path: Path, unit: str, millimetres: float
) -> None:
    directions = (
        f"space directions: (0,0.2,0) (-0.3,0,0) (0,0,0.5)\nspace units: {f' {chr(34)}{unit}{chr(34)}' * 3}\n"
    )
    _, meta = load_itk(nrrd_file(tmp_path / "v.nrrd", f"space: LPS\n{directions}space origin: (0,0,3)\n"))
    np.testing.assert_allclose(meta["spacing"], np.array([0.2, 0.3, 0.5]) * millimetres)
    assert meta["affine"][2, 3] == pytest.approx(3 * millimetres)
    (line,) = meta["warnings"]
    assert line == f"the header counts in {unit.replace('µ', 'u')}, which was turned to millimetres"


@pytest.mark.parametrize("units", ['"mm" "mm" "mm"', '"" "" ""'])
def test_millimetres_are_no_warning(tmp_path: Path, units: str) -> None:
    _, meta = load_itk(nrrd_file(tmp_path / "v.nrrd", f"space: LPS\n{DIRECTIONS}space units: {units}\n"))
    np.testing.assert_allclose(meta["affine"], AFFINE, atol=1e-9)
    assert meta["warnings"] == []


@pytest.mark.parametrize("units", ['"inch" "inch" "inch"', '"mm" "mm" "s"', '"m" "mm" "mm"'])
def test_units_that_are_unknown_or_differ_are_refused(tmp_path: Path, units: str) -> None:
    path = nrrd_file(tmp_path / "v.nrrd", f"space: LPS\n{DIRECTIONS}space units: {units}\n")
    with pytest.raises(
        InputError, match=r"^v\.nrrd: its space units are not one of mm, cm, m, um; save it in"
    ):
        load_itk(path)


SIZE = "1 mm is assumed, sizes in mm are not right"
SIDES = "orientation unknown, left and right may be swapped"
PLACE = "positions in mm are not right"


@pytest.mark.parametrize(
    ("lines", "note"),
    [
        ("", f"no voxel spacing, orientation, origin in the header: {SIZE}; {SIDES}; {PLACE}"),
        ("spacings: 2 3 5\n", f"no orientation, origin in the header: {SIDES}; {PLACE}"),
        (
            "spacings: nan 3 5\n",
            f"no voxel spacing, orientation, origin in the header: {SIZE}; {SIDES}; {PLACE}",
        ),
        (f"space: scanner-xyz\n{DIRECTIONS}", f"no orientation in the header: {SIDES}"),
        (f"space dimension: 3\n{DIRECTIONS}", f"no orientation in the header: {SIDES}"),
        (f"space: LPS\n{DIRECTIONS.splitlines()[0]}\n", f"no origin in the header: {PLACE}"),
        (
            "space: LPS\nspace directions: none (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n",
            f"no voxel spacing, orientation in the header: {SIZE}; {SIDES}",
        ),
        (f"space: lps\nspace:=RAS\n{DIRECTIONS}", None),
    ],
)
def test_what_a_nrrd_file_does_not_state_is_told(tmp_path: Path, lines: str, note: str | None) -> None:
    assert load_itk(nrrd_file(tmp_path / "v.nrrd", lines))[1]["warnings"] == ([note] if note else [])


@pytest.mark.parametrize(
    ("lines", "note"),
    [
        ([], f"no voxel spacing, orientation, origin in the header: {SIZE}; {SIDES}; {PLACE}"),
        (["ElementSpacing = 2 3 5"], f"no orientation, origin in the header: {SIDES}; {PLACE}"),
        (["ElementSize = 2 3 5", "Position = 0 0 0"], f"no orientation in the header: {SIDES}"),
        (
            ["elementspacing = 2 3 5", "Origin = 0 0 0", "Rotation = 1 0 0 0 1 0 0 0 1"],
            f"no voxel spacing in the header: {SIZE}",
        ),
        (
            ["AnatomicalOrientation = LPI", "ElementSpacing = 2 3 5", "Offset = 0 0 0"],
            f"no orientation in the header: {SIDES}",
        ),
        (["Orientation = 1 0 0 0 1 0 0 0 1", "ElementSpacing = 2 3 5"], f"no origin in the header: {PLACE}"),
    ],
)
def test_what_a_metaimage_does_not_state_is_told(tmp_path: Path, lines: list[str], note: str) -> None:
    assert load_itk(mha_file(tmp_path / "v.mha", *lines))[1]["warnings"] == [note]


def test_the_units_of_a_metaimage_become_millimetres(tmp_path: Path) -> None:
    lines = ["TransformMatrix = 1 0 0 0 1 0 0 0 1", "Offset = 1 2 3", "ElementSpacing = 0.2 0.3 0.5"]
    _, meta = load_itk(mha_file(tmp_path / "v.mha", *lines, "DistanceUnits = cm"))
    np.testing.assert_allclose(meta["affine"] @ [0, 0, 0, 1], [-10, -20, 30, 1])
    np.testing.assert_allclose(meta["spacing"], [2, 3, 5])
    assert meta["warnings"] == ["the header counts in cm, which was turned to millimetres"]
    for stated in ("mm", "?"):
        assert (
            load_itk(mha_file(tmp_path / "v.mha", *lines, f"DistanceUnits = {stated}"))[1]["warnings"] == []
        )
    with pytest.raises(InputError, match=r"^v\.mha: its space units are not one of mm, cm, m, um"):
        load_itk(mha_file(tmp_path / "v.mha", *lines, "DistanceUnits = inch"))


def test_the_units_beside_spacings_are_used(tmp_path: Path) -> None:
    _, meta = load_itk(nrrd_file(tmp_path / "v.nrrd", 'spacings: 0.2 0.3 0.5\nunits: "cm" "cm" "cm"\n'))
    np.testing.assert_allclose(meta["spacing"], [2, 3, 5])


def test_axes_that_are_stated_by_their_ends_are_refused(tmp_path: Path) -> None:
    path = nrrd_file(tmp_path / "v.nrrd", "axis mins: 0 0 0\naxis maxs: 4 4 4\n")
    with pytest.raises(
        InputError, match=r"^v\.nrrd: axis mins and maxs are not read; state space directions"
    ):
        load_itk(path)


def test_an_axis_of_directions_that_is_not_perpendicular_is_kept(tmp_path: Path) -> None:
    lines = "space: LPS\nspace directions: (1,0,0) (0.5,1,0) (0,0,2)\nspace origin: (0,0,0)\n"
    _, meta = load_itk(nrrd_file(tmp_path / "v.nrrd", lines))
    np.testing.assert_allclose(meta["affine"][:3, :3], [[-1, -0.5, 0], [0, -1, 0], [0, 0, 2]], atol=1e-9)


def test_a_measurement_frame_turns_nothing(tmp_path: Path) -> None:
    frame = "measurement frame: (0,1,0) (1,0,0) (0,0,1)\n"
    _, meta = load_itk(nrrd_file(tmp_path / "v.nrrd", f"space: LPS\n{DIRECTIONS}{frame}"))
    np.testing.assert_allclose(meta["affine"], AFFINE, atol=1e-9)


def test_the_source_holds_the_geometry_as_itk_reads_it_and_the_lines_that_state_it(tmp_path: Path) -> None:
    units = 'space units: "mm" "mm" "mm"\n'
    _, meta = load_itk(
        nrrd_file(tmp_path / "v.nrrd", f"space: LPS\n{DIRECTIONS}{units}kinds: domain domain domain\n")
    )
    geometry = {"spacing": [2, 3, 5], "origin": [10, 20, 30], "direction": [0, -1, 0, 1, 0, 0, 0, 0, 1]}
    lines = ["space: LPS", *DIRECTIONS.splitlines(), units.strip()]
    assert json.loads(meta["source"]) == {**geometry, "lines": lines}
    stated = ["TransformMatrix = 0 1 0 -1 0 0 0 0 1", "Offset = 10 20 30", "ElementSpacing = 2 3 5"]
    _, meta = load_itk(mha_file(tmp_path / "v.mha", *stated))
    assert json.loads(meta["source"]) == {**geometry, "lines": []}
    _, meta = load_itk(mha_file(tmp_path / "u.mha", *stated, "DistanceUnits = mm"))
    assert json.loads(meta["source"]) == {**geometry, "lines": ["DistanceUnits = mm"]}


# voxels


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_voxels_in_a_file_beside_the_header_are_read(tmp_path: Path, encoding: str) -> None:
    path = nrrd_file(tmp_path / "v.nhdr.nrrd", f"space: LPS\n{DIRECTIONS}data file: v.bin\n")
    text, voxels = path.read_bytes().split(b"\n\n", 1)
    path.write_bytes(text.replace(b"encoding: raw", b"encoding: " + encoding.encode()) + b"\n\n")
    (tmp_path / "v.bin").write_bytes(gzip.compress(voxels) if encoding == "gzip" else voxels)
    planes, meta = load_itk(path)
    np.testing.assert_array_equal(planes, VOLUME[None])
    np.testing.assert_allclose(meta["affine"], AFFINE, atol=1e-9)


@pytest.mark.parametrize("suffix", ["mha", "nrrd"])
def test_the_name_may_be_in_capitals(tmp_path: Path, suffix: str) -> None:
    path = write_itk(tmp_path / f"v.{suffix}", VOLUME, AFFINE).rename(tmp_path / f"V.{suffix.upper()}")
    np.testing.assert_array_equal(load_itk(path)[0], VOLUME[None])


@pytest.mark.parametrize("name", ["s.mha", "s.nrrd"])
def test_two_dimensions_become_a_volume_of_one_slice(tmp_path: Path, name: str) -> None:
    planes, meta = load_itk(write_itk(tmp_path / name, VOLUME[:, :, 1], AFFINE))
    np.testing.assert_array_equal(planes, VOLUME[None, :, :, 1:2])
    expected = [[0, 3, 0, -10], [-2, 0, 0, -20], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(meta["affine"], expected, atol=1e-9)


@pytest.mark.parametrize("name", ["c.mha", "c.nrrd"])
def test_colour_of_8_bits_has_three_channels_and_a_geometry_of_three_axes(tmp_path: Path, name: str) -> None:
    array = np.arange(72, dtype=np.uint8).reshape(2, 3, 4, 3)
    planes, meta = load_itk(write_itk(tmp_path / name, array, AFFINE, colour=True))
    np.testing.assert_array_equal(planes, np.moveaxis(array, -1, 0))
    np.testing.assert_allclose(meta["affine"], AFFINE, atol=1e-9)
    assert meta["bits"] == 8
    directions = [line for line in json.loads(meta["source"])["lines"] if line.startswith("space directions")]
    assert [line.count("(") for line in directions] == ([3] if name == "c.nrrd" else [])


@pytest.mark.parametrize("name", ["c.mha", "c.nrrd"])
def test_vectors_that_are_no_colour_are_refused(tmp_path: Path, name: str) -> None:
    for count, dtype in ((3, np.float32), (3, np.int16), (2, np.uint8), (4, np.uint8)):
        array = np.zeros((2, 3, 4, count), dtype)
        with pytest.raises(InputError, match=rf"^{name}: {count} numbers a voxel; save each sequence"):
            load_itk(write_itk(tmp_path / name, array, AFFINE, colour=True))


@pytest.mark.parametrize("name", ["v.mha", "v.nrrd"])
def test_four_dimensions_are_refused(tmp_path: Path, name: str) -> None:
    array = np.zeros((2, 3, 4, 5), np.int16)
    path = tmp_path / name
    path = mha_file(path, array=array) if name == "v.mha" else nrrd_file(path, "", array)
    with pytest.raises(InputError, match=rf"^{name}: 4 dimensions; give files of two or three"):
        load_itk(path)


def test_the_limit_is_compared_before_the_voxels_are_read(tmp_path: Path) -> None:
    path = write_itk(tmp_path / "v.mha", VOLUME, AFFINE)
    path.write_bytes(path.read_bytes().replace(b"DimSize = 2 3 4", b"DimSize = 30000 30000 1"))
    with pytest.raises(
        InputError, match=r"^v\.mha: 30000 × 30000 × 1 is above the limit of 536870912 values"
    ):
        load_itk(path)
    path.write_bytes(path.read_bytes().replace(b"DimSize = 30000 30000 1", b"DimSize = 512 512 512"))
    with pytest.raises(InputError, match=r"^v\.mha: less data than its header announces"):
        load_itk(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"DimSize = 2 3 4", b"DimSize = 2 0 4", "no image in it"),
        (b"DimSize = 2 3 4", b"DimSize = 2 3 3", "more data than its header announces"),
        (b"NDims = 3", b"NDims = 99", "99 dimensions"),
        (b"NDims = 3", b"Dims = 3", "not a MetaImage or NRRD file"),
        (b"BinaryData = True", b"BinaryData = False", "voxels as text"),
        (b"ElementSpacing = 2", b"ElementSpacing = 90000", "is no patient"),
        (b"ElementDataFile = LOCAL", b"ElementDataFile = /etc/passwd", "not in one file beside it"),
        (b"ElementDataFile = LOCAL", b"ElementDataFile = ../other.raw", "not in one file beside it"),
        (b"ElementDataFile = LOCAL", b"ElementDataFile = gone.raw", "not in one file beside it"),
    ],
)
def test_a_header_that_cannot_be_right_is_refused(
    tmp_path: Path, old: bytes, new: bytes, message: str
) -> None:
    path = write_itk(tmp_path / "v.mha", VOLUME, AFFINE)
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(InputError, match=rf"^v\.mha: .*{message}"):
        load_itk(path)


@pytest.mark.parametrize("name", ["v.mha", "v.nrrd"])
def test_damage_in_compressed_voxels_is_seen(tmp_path: Path, name: str) -> None:
    path = write_itk(tmp_path / name, VOLUME, AFFINE, compressed=True)
    content = bytearray(path.read_bytes())
    content[-12] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^{name}: not a whole MetaImage or NRRD file"):
        load_itk(path)
