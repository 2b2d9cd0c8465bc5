from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from monai_ext.io.dicom.acquisition import FACTS, MARKS, difference, marks_of, owners_of
from monai_ext.io.dicom.headers import read_planes
from tests.io.dicom.dicom_files import write_enhanced, write_series


def dataset(**tags: Any) -> Dataset:
    ds = Dataset()
    for name, value in tags.items():
        setattr(ds, name, value)
    return ds


# marks


def test_marks_are_the_tags_that_are_filled_in_also_with_zero() -> None:
    header = dataset(EchoTime="4.6", DiffusionBValue=0.0, AcquisitionTime="", ConvolutionKernel=None)
    assert marks_of(header, []) == (("DiffusionBValue", "0.0"), ("EchoTime", "4.6"))


def test_a_functional_group_goes_before_the_top_level_and_the_frames_own_before_the_shared_one() -> None:
    def group(b: float) -> Dataset:
        return dataset(MRDiffusionSequence=Sequence([dataset(DiffusionBValue=b)]))

    header = dataset(DiffusionBValue=5.0, TriggerTime="3")
    assert marks_of(header, [group(0.0), group(800.0)]) == (("DiffusionBValue", "0.0"), ("TriggerTime", "3"))


@pytest.mark.parametrize(
    ("group", "creator", "element", "vr", "value", "b"),
    [
        (0x0019, "SIEMENS MR HEADER", 0x100C, "IS", "800", "800"),
        (0x0019, "SIEMENS MR HEADER", 0x100C, "UN", b"50 ", "50"),
        (0x0043, "GEMS_PARM_01", 0x1039, "IS", ["1000000800", "8", "0", "0"], "800"),
        (0x0043, "GEMS_PARM_01", 0x1039, "UN", b"1000000050\\8\\0\\0", "50"),
        (0x2001, "Philips Imaging DD 001", 0x1003, "FL", 1000.0, "1000"),
        (0x0019, "GEMS_ACQU_01", 0x100C, "IS", "800", ""),
        (0x2001, "Philips Imaging DD 001", 0x1003, "UN", b"\0\0\x7a\x44", "1000"),
    ],
)
def test_a_b_value_is_found_where_its_manufacturer_keeps_it(
    tmp_path: Path, group: int, creator: str, element: int, vr: str, value: Any, b: str
) -> None:
    def private(ds: Dataset, _: int) -> None:
        ds.add_new((group, 0x10), "LO", creator)
        ds.add_new((group, element), vr, value)

    write_series(tmp_path, np.zeros((2, 2, 1)), each=private)
    [plane] = read_planes(tmp_path / "1-001.dcm")
    assert dict(plane.marks).get("DiffusionBValue", "") == b


def test_a_stated_b_value_goes_before_a_private_one() -> None:
    header = dataset(DiffusionBValue=50.0)
    header.add_new((0x0019, 0x10), "LO", "SIEMENS MR HEADER")
    header.add_new((0x0019, 0x100C), "IS", "800")
    assert marks_of(header, []) == (("DiffusionBValue", "50.0"),)


def test_a_mark_that_is_damaged_does_not_refuse_the_image(tmp_path: Path) -> None:
    write_series(tmp_path, np.zeros((2, 2, 1)), EchoTime="4.6", DiffusionBValue=800.0)
    file = tmp_path / "1-001.dcm"
    content = file.read_bytes()
    assert content.count(b"FD\x08\0") == 1
    file.write_bytes(re.sub(rb"FD\x08\0(.{6})..", b"FD\x06\0\\1", content, flags=re.DOTALL))
    [plane] = read_planes(file)
    assert plane.marks == (("EchoTime", "4.6"),)


def test_the_difference_names_what_differs_and_quotes_only_figures() -> None:
    one = (("AcquisitionTime", "121314"), ("EchoTime", "14"), ("ImageType", "M"), ("KVP", "80"))
    other = (("AcquisitionTime", "121315"), ("EchoTime", "9.2"), ("ImageType", "M"))
    assert difference([one, other]) == "AcquisitionTime, EchoTime (9.2, 14), KVP (80, none)"
    assert difference([one, one]) == ""
    assert difference([(("TriggerTime", str(10 * n)),) for n in range(8)]) == (
        "TriggerTime (0, 10, 20, 30, 40, 50, …)"
    )


def test_what_is_no_figure_is_not_quoted() -> None:
    assert difference([(("EchoTime", "Doe"),), (("EchoTime", "4.6"),)]) == "EchoTime"
    assert difference([(("EchoTime", "1e-3"),), (("EchoTime", "4.6"),)]) == "EchoTime (1e-3, 4.6)"


def test_times_of_day_and_free_text_are_no_facts() -> None:
    assert set(MARKS) > FACTS
    assert not FACTS & {"AcquisitionTime", "ConvolutionKernel", "ImageType", "StackID"}


# owners


def test_owners_are_hashes_of_what_is_filled_in() -> None:
    owners = owners_of(dataset(PatientID="secret-42", PatientName="", StudyInstanceUID="1.2"))
    assert [tag for tag, _ in owners] == ["StudyInstanceUID", "PatientID"]
    assert "secret" not in str(owners)
    assert owners != owners_of(dataset(PatientID="secret-43", PatientName="", StudyInstanceUID="1.2"))


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        ("DOE^JANE", True),
        ("Doe^Jane^^^", True),
        (" Doe^Jane ", True),
        ("Doe^Jan", False),
        ("Roe^Jane", False),
    ],
)
def test_a_name_is_the_same_in_capitals_and_without_empty_parts(other: str, equal: bool) -> None:
    one, two = (owners_of(dataset(PatientName=name)) for name in ("Doe^Jane", other))
    assert (one == two) is equal


def test_an_owner_that_is_damaged_is_none() -> None:
    class Damaged(Dataset):
        def get(self, *_: Any) -> Any:
            raise ValueError

    assert owners_of(Damaged()) == ()


def test_frames_share_the_owners_of_their_file(tmp_path: Path) -> None:
    write_enhanced(tmp_path / "e.dcm", np.zeros((2, 2, 2)), [(0, 0, 0), (0, 0, 1)], StudyInstanceUID="1.2.3")
    first, second = read_planes(tmp_path / "e.dcm")
    assert first.owners == second.owners
    assert [tag for tag, _ in first.owners] == ["StudyInstanceUID", "PatientID", "PatientName"]
