"""What every reader of images must do; a subclass says how a file of its format is written."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from monai_ext.errors import InputError
from monai_ext.io.case_names import without_names
from monai_ext.io.read_image import load_image
from tests.io.image_files import PATIENT
from tests.orientations import ALL_48, IDS, affine_of, rotation, stored_as

META = {"affine", "kind", "modality", "bits", "spacing", "slice_normal", "nifti_header", "source", "warnings"}
SPACING = (0.75, 0.875, 3.0)


class ReaderContract:
    """One format.

    Attributes:
        names: what its files are called, one for each way to store them.
        kind: what ``meta`` says of it.
        dtypes: the types of number that it can store.
        shape: of the stored array, (X, Y, Z) or (H, W).
        colour: whether colour of 8 bits is read; else it is refused.
    """

    names: ClassVar[tuple[str, ...]]
    kind: ClassVar[str]
    dtypes: ClassVar[tuple[type, ...]]
    shape: ClassVar[tuple[int, ...]] = (7, 6, 5)
    colour: ClassVar[bool] = True

    def write(self, path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
        """Write a file, with :data:`PATIENT` in its header; the array has a last axis of three where it is in colour."""
        raise NotImplementedError

    def files(self, path: Path) -> list[Path]:
        """The files that hold the voxels."""
        return [path]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        for fixture, values in (("name", self.names), ("dtype", self.dtypes)):
            if fixture in metafunc.fixturenames:
                metafunc.parametrize(fixture, values)

    def numbers(self, *more: int, dtype: type = np.uint8) -> np.ndarray:
        """An array whose numbers all lie within a type of number, its ends among them."""
        random = np.random.default_rng(0)
        if np.issubdtype(dtype, np.floating):
            return (random.standard_normal((*self.shape, *more)) * 1000).astype(dtype)
        ends = np.iinfo(dtype)
        array = random.integers(ends.min, ends.max, (*self.shape, *more), dtype, endpoint=True)
        array.flat[:2] = ends.min, ends.max
        return array

    def sound(self, path: Path, affine: np.ndarray | None = None) -> Path:
        return self.write(
            path, self.numbers(dtype=self.dtypes[0]), affine_of(SPACING) if affine is None else affine
        )

    def test_every_type_of_number_keeps_its_values_and_their_order(
        self, tmp_path: Path, name: str, dtype: type
    ) -> None:
        array = self.numbers(dtype=dtype)
        planes, _ = load_image([self.write(tmp_path / name, array, np.eye(4))])
        assert planes.dtype == np.float32
        np.testing.assert_array_equal(planes, array[None].astype(np.float32))

    def test_the_meta_is_that_of_every_reader(self, tmp_path: Path, name: str) -> None:
        _, meta = load_image([self.sound(tmp_path / name)])
        assert set(meta) == META
        assert (meta["kind"], meta["warnings"]) == (self.kind, [])
        assert meta["affine"].shape == (4, 4) and meta["affine"].dtype == np.float64

    def test_whole_numbers_are_a_label_map(self, tmp_path: Path, name: str) -> None:
        labels = self.numbers(dtype=self.dtypes[0]) // 50
        planes, _ = load_image([self.write(tmp_path / name, labels, np.eye(4))], label=True)
        np.testing.assert_array_equal(planes, labels[None])

    def test_colour_has_three_channels_and_is_no_label_map(self, tmp_path: Path, name: str) -> None:
        array = self.numbers(3)
        path = self.write(tmp_path / name, array, np.eye(4))
        if self.colour:
            planes, meta = load_image([path])
            np.testing.assert_array_equal(planes, np.moveaxis(array, -1, 0))
            assert meta["bits"] == 8
        for label in (True,) if self.colour else (True, False):
            with pytest.raises(InputError) as caught:
                load_image([path], label=label)
            self.check_line(str(caught.value), path)

    def test_files_of_one_position_become_channels_and_others_are_refused(
        self, tmp_path: Path, name: str
    ) -> None:
        for folder in ("a", "b", "c"):
            (tmp_path / folder).mkdir()
        first, second = (self.sound(tmp_path / folder / name) for folder in ("a", "b"))
        planes, _ = load_image([first, second])
        np.testing.assert_array_equal(planes, [self.numbers(dtype=self.dtypes[0])] * 2)
        shorter = self.numbers(dtype=self.dtypes[0])[:-1]
        third = self.write(tmp_path / "c" / name, shorter, affine_of(SPACING))
        with pytest.raises(InputError, match=rf"^{name}: not of the shape and position of “{name}”"):
            load_image([first, third])

    def test_nothing_that_is_kept_names_the_patient(self, tmp_path: Path, name: str) -> None:
        path = self.sound(tmp_path / name)
        stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
        assert PATIENT.encode() in (gzip.decompress(stored) if name.endswith(".gz") else stored)
        _, meta = load_image([path])
        for value in meta.values():
            kept = value.tobytes() if isinstance(value, np.ndarray) else str(value).encode()
            assert b"Doe" not in kept and tmp_path.name.encode() not in kept

    def test_reading_changes_no_file(self, tmp_path: Path, name: str) -> None:
        path = self.sound(tmp_path / name)
        before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        load_image([path])
        assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before

    @pytest.mark.parametrize("limit", ["max_voxels", "max_side"])
    def test_a_limit_is_compared_before_the_voxels_are_read(
        self, tmp_path: Path, name: str, limit: str
    ) -> None:
        path = self.sound(tmp_path / name)
        size = int(np.prod(self.shape)) if limit == "max_voxels" else max(self.shape)
        assert load_image([path], **{limit: size})[0].size == np.prod(self.shape)
        self.cut(path, 0.9)
        with pytest.raises(InputError, match="limit") as caught:
            load_image([path], **{limit: size - 1})
        self.check_line(str(caught.value), path)
        with pytest.raises(InputError, match="^(?!.*limit)"):  # without it, the cut is what is wrong
            load_image([path])

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.97])
    def test_a_cut_file_is_refused_in_one_line_that_names_it(
        self, tmp_path: Path, name: str, share: float
    ) -> None:
        path = self.sound(tmp_path / name)
        self.cut(path, share)
        with pytest.raises(InputError) as caught:
            load_image([path])
        self.check_line(str(caught.value), path)

    def cut(self, path: Path, share: float) -> None:
        """Leave the first share of the first file that holds voxels."""
        file = self.files(path)[0]
        content = file.read_bytes()
        file.write_bytes(content[: int(share * len(content))])

    def check_line(self, line: str, path: Path) -> None:
        assert line.split(": ")[0] in {path.name, *(file.name for file in self.files(path))}
        assert "\n" not in line and str(path.parent) not in line and "Doe" not in line
        hidden = without_names(line, path, "the case")
        assert hidden.startswith("the case: ")
        names = "|".join(re.escape(file.name) for file in (path, *self.files(path)))
        assert re.search(rf"(?<!\w)({names})(?!\w)", hidden) is None


class VolumeReaderContract(ReaderContract):
    """A format that says where in the patient its voxels lie."""

    def as_read(self, stored: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The order in which a stored array is read."""
        return stored, affine

    def check_place(self, path: Path, stored: np.ndarray, affine: np.ndarray) -> dict[str, Any]:
        """Write, read, compare voxels and affine; returns the ``meta``."""
        planes, meta = load_image([self.write(path, stored, affine)])
        expected, placed = self.as_read(stored, affine)
        np.testing.assert_array_equal(planes, expected[None])
        np.testing.assert_allclose(meta["affine"][:3, :3], placed[:3, :3], atol=2e-6)
        np.testing.assert_allclose(meta["affine"][:3, 3], placed[:3, 3], atol=1e-5)
        return meta

    @pytest.mark.parametrize("orientation", ALL_48, ids=IDS)
    def test_every_orientation_keeps_voxels_and_affine(self, tmp_path: Path, orientation: np.ndarray) -> None:
        image = stored_as(self.numbers(dtype=self.dtypes[0]), affine_of(SPACING), orientation)
        stored = image[0, 0].numpy().astype(self.dtypes[0])
        self.check_place(tmp_path / self.names[0], stored, image.affine.numpy())

    @pytest.mark.parametrize("turn", [(25, -20, 35), (-7, 3, 111), (0, 0, 45)], ids=str)
    def test_an_oblique_volume_keeps_its_affine(
        self, tmp_path: Path, name: str, turn: tuple[float, ...]
    ) -> None:
        affine = affine_of(SPACING, rotation(*turn))
        self.check_place(tmp_path / name, self.numbers(dtype=self.dtypes[0]), affine)

    def test_the_spacing_is_that_of_the_axes_in_millimetres(self, tmp_path: Path, name: str) -> None:
        affine = affine_of((0.5, 2.0, 7.25), rotation(10, 20, 30))
        meta = self.check_place(tmp_path / name, self.numbers(dtype=self.dtypes[0]), affine)
        np.testing.assert_allclose(meta["spacing"], [0.5, 2.0, 7.25], rtol=1e-6)

    def test_a_single_slice_is_a_volume_of_one_plane(self, tmp_path: Path, name: str) -> None:
        stored = self.numbers(dtype=self.dtypes[0])[:, :, 2:3]
        planes, meta = load_image([self.write(tmp_path / name, stored, affine_of(SPACING))])
        np.testing.assert_array_equal(planes, stored[None])
        np.testing.assert_allclose(np.abs(np.diag(meta["affine"])), [*SPACING, 1], atol=1e-6)

    @pytest.mark.parametrize("spacing", [(5e3, 1.0, 1.0), (1.0, 1.0, 2e3)], ids=str)
    def test_a_spacing_of_metres_is_refused(
        self, tmp_path: Path, name: str, spacing: tuple[float, float, float]
    ) -> None:
        path = self.write(tmp_path / name, self.numbers(dtype=self.dtypes[0]), affine_of(spacing))
        with pytest.raises(InputError, match="is no patient") as caught:
            load_image([path])
        self.check_line(str(caught.value), path)
