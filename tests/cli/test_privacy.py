"""Nothing that names a patient leaves the input: not from tags, headers and texts, nor names of files and folders."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import zipfile
from io import BytesIO
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Extension
from PIL import Image, PngImagePlugin
from pydicom import DataElement, Dataset, dcmread

from monai_ext.cli.main import main
from tests.bundles.small import contents, noise, picture
from tests.cli.commands import segment
from tests.io.dicom.dicom_files import write_series
from tests.io.image_files import write_itk

WORD = "SENTINEL"
BIRTH, DIED = "19010203", "20010203"
TEXTS = (
    *("PatientName", "PatientID", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName"),
    *(
        "PatientAddress",
        "PatientTelephoneNumbers",
        "PatientComments",
        "AdditionalPatientHistory",
        "Occupation",
    ),
    *("EthnicGroup", "MilitaryRank", "BranchOfService", "MedicalRecordLocator", "PatientReligiousPreference"),
    *("ResponsiblePerson", "IssuerOfPatientID", "PatientInstitutionResidence"),
    *("AccessionNumber", "StudyID", "StudyDescription", "SeriesDescription", "ImageComments", "ProtocolName"),
    *("ReferringPhysicianName", "ReferringPhysicianAddress", "PerformingPhysicianName", "OperatorsName"),
    *(
        "NameOfPhysiciansReadingStudy",
        "PhysiciansOfRecord",
        "RequestingPhysician",
        "ScheduledPerformingPhysicianName",
    ),
    *(
        "InstitutionName",
        "InstitutionAddress",
        "InstitutionalDepartmentName",
        "StationName",
        "DeviceSerialNumber",
    ),
    *(
        "RequestedProcedureDescription",
        "RequestedProcedureID",
        "PerformedProcedureStepDescription",
        "AdmissionID",
    ),
    *(
        "ReasonForTheRequestedProcedure",
        "CurrentPatientLocation",
        "VisitComments",
        "FrameOfReferenceUID",
        "StudyInstanceUID",
    ),
    *(
        "Manufacturer",
        "ManufacturerModelName",
        "SoftwareVersions",
        "DerivationDescription",
        "ContrastBolusAgent",
    ),
    *("Allergies", "MedicalAlerts", "SpecialNeeds", "PatientState", "ConvolutionKernel", "BodyPartExamined"),
)
"""Attributes of text that name or describe a patient, those who looked after them, and where."""
DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")


def identified(ds: Dataset, number: int) -> None:
    """Fill every attribute that can tell who a slice is of."""
    for name in TEXTS:
        setattr(ds, name, f"1.2.{BIRTH}" if name.endswith("UID") else f"{WORD} {name}"[:16])
    for name in DATES:
        setattr(ds, name, BIRTH)
    ds.PatientDeathDateInAlternativeCalendar = DIED
    request = Dataset()
    request.RequestedProcedureDescription = WORD
    ds.RequestAttributesSequence = [request]
    block = ds.private_block(0x0011, WORD, create=True)
    block.add_new(0x01, "LO", f"{WORD} private")
    ds.file_meta.SourceApplicationEntityTitle = WORD


def dicom(folder: Path) -> Path:
    write_series(folder, np.arange(4 * 4 * 5).reshape(4, 4, 5) * 20, each=identified)
    for file in list(folder.iterdir()):
        file.rename(file.with_name(f"{WORD}-{file.name}"))
    return folder


def nifti(path: Path) -> Path:
    volume = nib.Nifti1Image(
        np.random.default_rng(0).normal(100, 30, (6, 5, 4)).astype(np.float32), np.eye(4)
    )
    for field in ("descrip", "db_name", "aux_file", "intent_name", "data_type"):
        volume.header[field] = f"{WORD}-{field}"[: volume.header[field].dtype.itemsize].encode()
    volume.header.extensions.append(Nifti1Extension("comment", f"{WORD} comment".encode()))
    nib.save(volume, path)
    return path


def pictures(folder: Path) -> list[Path]:
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", WORD)
    text.add_itxt("Comment", f"{WORD} itxt", zip=True)
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x9286] = WORD, WORD, f"{WORD} comment"
    paths = [folder / f"{WORD}{n}.{suffix}" for n, suffix in enumerate(("png", "jpg", "tif"))]
    for n, (path, more) in enumerate(
        zip(paths, ({"pnginfo": text}, {"comment": WORD.encode()}, {"description": WORD, "artist": WORD}))
    ):
        noise(n).save(path, **({} if path.suffix == ".tif" else {"exif": exif}), **more)
    return paths


def volumes(folder: Path) -> list[Path]:
    paths = []
    for suffix in ("mha", "nrrd"):
        array = np.random.default_rng(len(suffix)).integers(0, 99, (6, 5, 4), dtype=np.int16)
        paths.append(write_itk(folder / f"{WORD}.{suffix}", array))
        head, sign, rest = (
            paths[-1].read_bytes().partition(b"ElementDataFile" if suffix == "mha" else b"\n\n")
        )
        line = f"Comment = {WORD}\n" if suffix == "mha" else f"\n# {WORD}\nPatient:={WORD}"
        paths[-1].write_bytes(head + line.encode() + sign + rest)
    return paths


def everything(folder: Path) -> Path:
    """A folder of sound input in every format."""
    folder.mkdir()
    dicom(folder / f"{WORD} series")
    nifti(folder / f"{WORD}.nii.gz")
    pictures(folder)
    volumes(folder)
    return folder


def damaged(folder: Path) -> Path:
    """A folder of input with a fault each, and one picture that is sound."""
    folder.mkdir()
    picture(folder / f"{WORD}.png")
    for name in (
        "broken.png",
        "broken.jpg",
        "broken.nii",
        "broken.nii.gz",
        "broken.mha",
        "broken.nrrd",
        "broken.tif",
    ):
        (folder / f"{WORD} {name}").write_bytes(f"{WORD} hello".encode() * 9)
    sorted(dicom(folder / f"{WORD} gap").iterdir())[2].unlink()
    file = sorted(dicom(folder / f"{WORD} cut").iterdir())[1]
    file.write_bytes(file.read_bytes()[:-9])
    file = sorted(dicom(folder / f"{WORD} flipped").iterdir())[3]
    file.write_bytes(file.read_bytes().replace(b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00PN"))
    (
        dicom(folder / f"{WORD} two"),
        write_series(folder / f"{WORD} two", np.zeros((4, 4, 2)), number=2, each=identified),
    )
    shutil.copy(next((folder / f"{WORD} two").iterdir()), folder / f"{WORD} two" / f"{WORD} copy.dcm")
    (folder / f"{WORD}loop.png").symlink_to(folder / f"{WORD}loop.png")
    return folder


def without_patient(content: bytes) -> bytes:
    """A SEG without what it must carry to be filed with its images: patient, study, dates and their UIDs."""
    ds = dcmread(BytesIO(content))
    assert (ds.PatientName, ds.PatientBirthDate) == (f"{WORD} Patient", BIRTH)
    kept = {"PatientName", "PatientID", "PatientBirthDate", "StudyDate", "SeriesDate", "ContentDate"}
    kept |= {"StudyInstanceUID", "FrameOfReferenceUID"}

    def remove(inner: Dataset, element: DataElement) -> None:
        if element.keyword in kept:
            del inner[element.tag]

    ds.walk(remove)
    rest = BytesIO()
    ds.save_as(rest)
    return rest.getvalue()


def assert_silent(said: str, out: Path, words: tuple[str, ...] = (WORD, BIRTH, DIED)) -> None:
    """None of the words stands in what was said, in any byte that was written, packed or not, or in any name."""
    found = contents(out)
    assert found
    for name, content in found.items():
        if name.endswith(".dcm"):
            content = without_patient(content)
        plain = gzip.decompress(content) if name.endswith(".gz") else content
        said += name + plain.decode("latin-1") + content.decode("latin-1")
        if name.endswith(".png"):
            with Image.open(out / name) as picture:
                assert set(picture.info) <= {"transparency"} and not dict(picture.getexif())
    for word in words:
        assert word.lower() not in said.lower(), said[max(0, said.lower().index(word.lower()) - 200) :][:400]


@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["", "debug"])
def test_sound_input_of_every_format_names_nobody(tmp_path, bundle, capfd, caplog, debug):
    scans = everything(tmp_path / f"{WORD} study")
    capfd.readouterr(), caplog.clear()
    with caplog.at_level("DEBUG"):
        assert segment(scans, tmp_path / "out", bundle, "--preview", *debug, names=None) == 0
    out, err = capfd.readouterr()
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert len(report["results"]) == 7 and report["failed"] == []
    assert_silent(out + err + caplog.text, tmp_path / "out")


@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["", "debug"])
def test_damaged_input_names_nobody(tmp_path, bundle, capfd, caplog, debug):
    scans = damaged(tmp_path / f"{WORD} study")
    capfd.readouterr(), caplog.clear()
    with caplog.at_level("DEBUG"):
        assert segment(scans, tmp_path / "out", bundle, *debug, names=None) == 2
    out, err = capfd.readouterr()
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert len(report["results"]) == 1 and len(report["failed"]) == 12
    assert_silent(out + err + caplog.text, tmp_path / "out")
    assert (
        len([line for line in err.splitlines() if " left out: " in line and line.startswith("error: ")]) == 12
    )
    assert any(
        "missing between file 3 and file 2 (10.00 mm apart" in one["reason"] for one in report["failed"]
    )


@pytest.mark.parametrize("name", [f"{WORD}.zip", f"{WORD}.png"])
def test_one_damaged_file_names_nobody(tmp_path, bundle, capfd, name):
    sorted(dicom(tmp_path / "series").iterdir())[2].unlink()
    source = tmp_path / name
    if source.suffix == ".zip":
        with zipfile.ZipFile(source, "w") as archive:
            for file in (tmp_path / "series").iterdir():
                archive.write(file, f"{WORD}/{file.name}")
    else:
        source.write_bytes(b"no picture")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    capfd.readouterr()
    assert segment(source, tmp_path / "out", bundle, names=None) == 2
    out, err = capfd.readouterr()
    assert out == "" and err.startswith(f"error: case-{digest}: ") and WORD.lower() not in err.lower()
    assert segment(source, tmp_path / "out", bundle, "--debug", names=None) == 2
    out, err = capfd.readouterr()
    assert "Traceback" in err and WORD.lower() not in (out + err).lower()
    assert not (tmp_path / "out").exists()


def test_an_evaluation_names_cases_by_the_ids_of_the_data_set(tmp_path, bundle, capfd):
    data = tmp_path / WORD / "busi"  # the name of the set stands in its figures
    data.parent.mkdir()
    data.mkdir()
    image = pictures(data)[0]
    label = np.zeros((24, 40), np.uint8)
    label[4:12, 4:20] = 1
    Image.fromarray(label).save(data / f"{WORD}_mask.png")
    item = {"image": image.name, "label": f"{WORD}_mask.png", "id": "study-001", "group": "p1"}
    (data / "dataset.json").write_text(
        json.dumps(
            {
                "modality": {"0": "ultrasound"},
                "labels": {"0": "background", "1": "breast tumour"},
                "validation": [item],
            }
        )
    )
    capfd.readouterr()
    words = ["--data", str(data), "--split", "validation", "-o", str(tmp_path / "out")]
    assert main(["evaluate", str(bundle), *words]) == 0
    out, err = capfd.readouterr()
    assert "study-001" in (tmp_path / "out/cases.csv").read_text()
    assert_silent(out + err, tmp_path / "out")
