"""Pictures in colour are read as red, green and blue, whatever the way they are stored; slides and films are refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import convert_color_space
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    OphthalmicPhotography8BitImageStorage,
    SecondaryCaptureImageStorage,
    VLPhotographicImageStorage,
    VLWholeSlideMicroscopyImageStorage,
    generate_uid,
)

from monai_ext.errors import InputError
from monai_ext.io.dicom.read import load_dicom
from monai_ext.io.dicom.series import case_folders
from monai_ext.io.dicom.write_seg import write_seg
from monai_ext.transforms.display import DisplayRange
from monai_ext.transforms.load import MedicalLoadImage

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
"""Four rows, six columns."""


def write_colour(file: Path, pixels: np.ndarray = PIXELS, **tags) -> Path:
    """A picture (rows, columns, 3) of ophthalmic photography, without a position; `tags` overwrite its own."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = Dataset()
    ds.file_meta = meta
    ds.SOPClassUID, ds.SOPInstanceUID = OphthalmicPhotography8BitImageStorage, generate_uid()
    ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.SeriesNumber = generate_uid(), generate_uid(), 1
    ds.Modality, ds.PatientName, ds.PatientID = "OP", "Doe^Jane", "secret-42"
    ds.Rows, ds.Columns, ds.SamplesPerPixel = *pixels.shape[:2], 3
    ds.PhotometricInterpretation, ds.PlanarConfiguration = "RGB", 0
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    ds.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(ds, name, value)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    file.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(file, enforce_file_format=True)
    return file


@pytest.mark.parametrize(
    ("modality", "kind"),
    [
        ("OP", OphthalmicPhotography8BitImageStorage),
        ("XC", VLPhotographicImageStorage),
        ("ES", SecondaryCaptureImageStorage),
        ("SM", VLWholeSlideMicroscopyImageStorage),
        ("GM", SecondaryCaptureImageStorage),
        ("DMS", SecondaryCaptureImageStorage),
        ("US", "1.2.840.10008.5.1.4.1.1.6.1"),
    ],
)
def test_colours_are_red_green_and_blue_at_their_places(tmp_path, modality, kind):
    array, meta = load_dicom(write_colour(tmp_path / "a.dcm", Modality=modality, SOPClassUID=kind))
    assert array.shape == (3, 6, 4, 1) and array.dtype == np.float32
    assert np.array_equal(array[..., 0].T, PIXELS)
    assert (meta["kind"], meta["bits"], meta["modality"]) == ("dicom", 8, modality)
    assert meta["warnings"] == [
        "no pixel spacing in the DICOM file: 1 mm is assumed, sizes in mm are not right"
    ]


def test_colours_in_planes_and_as_brightness_and_chroma_are_the_same(tmp_path):
    planes = write_colour(
        tmp_path / "p.dcm", PlanarConfiguration=1, PixelData=PIXELS.transpose(2, 0, 1).tobytes()
    )
    assert np.array_equal(load_dicom(planes)[0][..., 0].T, PIXELS)
    ybr = convert_color_space(PIXELS, "RGB", "YBR_FULL")
    stored = write_colour(tmp_path / "y.dcm", PhotometricInterpretation="YBR_FULL", PixelData=ybr.tobytes())
    assert np.abs(load_dicom(stored)[0][..., 0].T - PIXELS).max() <= 2


def test_jpeg_is_decoded(tmp_path):
    smooth = np.asarray(Image.fromarray(PIXELS).resize((48, 32), Image.Resampling.BICUBIC))
    content = io.BytesIO()
    Image.fromarray(smooth).save(content, "JPEG", quality=98, subsampling=0)
    file = write_colour(tmp_path / "j.dcm", smooth, PhotometricInterpretation="YBR_FULL")
    ds = dcmread(file)
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.PixelData = encapsulate([content.getvalue()])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    ds.save_as(file, enforce_file_format=True)
    assert np.abs(load_dicom(file)[0][..., 0].T - smooth).max() <= 8
    ds.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    ds.save_as(file, enforce_file_format=True)
    with pytest.raises(
        InputError, match=r"j\.dcm: compressed as JPEG Lossless.*not decoded in colour; convert"
    ):
        load_dicom(file)


def test_it_is_displayed_from_0_to_255_as_a_png_of_it_would_be(tmp_path):
    dim = (PIXELS // 2).astype(np.uint8)
    Image.fromarray(dim).save(tmp_path / "a.png")
    file = write_colour(tmp_path / "a.dcm", dim)
    load, display = MedicalLoadImage(), DisplayRange()
    shown = display(load(file))
    assert np.array_equal(shown.numpy()[..., 0].transpose(0, 2, 1), display(load(tmp_path / "a.png")).numpy())
    assert shown.meta["recognised_as"] == ""


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        (
            {"Modality": "SM", "NumberOfFrames": 9, "SOPClassUID": VLWholeSlideMicroscopyImageStorage},
            "a.dcm: a whole slide in 9 tiles is not read; export the field to be segmented as one picture.",
        ),
        (
            {
                "Modality": "ES",
                "NumberOfFrames": 9,
                "SOPClassUID": MultiFrameTrueColorSecondaryCaptureImageStorage,
            },
            r"a.dcm: multi-frame DICOM \(9 frames\) without a position per frame, a film",
        ),
        ({"Modality": "CT"}, "a.dcm: only MONOCHROME2 DICOM is read .*this is RGB with 3 samples per pixel"),
        ({"PhotometricInterpretation": "PALETTE COLOR", "SamplesPerPixel": 1}, "a.dcm: only MONOCHROME2"),
        ({"BitsAllocated": 16}, "a.dcm: colour of 16 bits; convert it to 8 bits."),
        ({"PixelData": PIXELS.tobytes()[:-6]}, "a.dcm: the DICOM pixels cannot be decoded"),
    ],
)
def test_what_is_no_single_picture_of_8_bits_is_refused_in_a_line(tmp_path, tags, reason):
    with pytest.raises(InputError, match=reason):
        load_dicom(write_colour(tmp_path / "a.dcm", **tags))


def test_several_in_a_folder_are_a_case_each_and_no_volume(tmp_path):
    series = generate_uid()
    files = [write_colour(tmp_path / "eyes" / f"{n}.dcm", SeriesInstanceUID=series) for n in range(2)]
    assert case_folders(tmp_path / "eyes") == files
    with pytest.raises(
        InputError, match=r"^eyes: 2 pictures in colour are no volume; give them one by one\.$"
    ):
        load_dicom(tmp_path / "eyes")


@pytest.mark.parametrize(
    ("modality", "kind"),
    [
        ("OP", OphthalmicPhotography8BitImageStorage),
        ("XC", VLPhotographicImageStorage),
        ("ES", "1.2.840.10008.5.1.4.1.1.77.1.1"),
        ("GM", "1.2.840.10008.5.1.4.1.1.77.1.2"),
        ("US", "1.2.840.10008.5.1.4.1.1.6.1"),
        ("US", "1.2.840.10008.5.1.4.1.1.3.1"),
        ("XC", SecondaryCaptureImageStorage),
    ],
)
def test_a_mask_of_it_is_written_as_a_seg(tmp_path, modality, kind):
    file = write_colour(tmp_path / "a.dcm", Modality=modality, SOPClassUID=kind)
    masks = np.zeros((1, 6, 4, 1), np.uint8)
    masks[0, 2:4, 1] = 1
    write_seg(tmp_path / "seg.dcm", masks, ["optic disc"], file, "", ("vlsm", "1"))
    seg = dcmread(tmp_path / "seg.dcm")
    assert np.array_equal(seg.pixel_array.reshape(4, 6), masks[0, ..., 0].T)
    (source,) = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert (source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID) == (
        kind,
        dcmread(file).SOPInstanceUID,
    )


def test_no_seg_is_written_of_a_slide(tmp_path):
    file = write_colour(tmp_path / "a.dcm", Modality="SM", SOPClassUID=VLWholeSlideMicroscopyImageStorage)
    with pytest.raises(
        InputError, match=r"a\.dcm: no DICOM SEG is written in the coordinates of a slide; write NIfTI"
    ):
        write_seg(tmp_path / "seg.dcm", np.ones((1, 6, 4, 1), np.uint8), ["nucleus"], file, "", ("vlsm", "1"))
    assert not (tmp_path / "seg.dcm").exists()


def test_the_limit_counts_three_values_a_pixel(tmp_path):
    file = write_colour(tmp_path / "a.dcm")
    assert load_dicom(file, max_voxels=72)[0].size == 72
    with pytest.raises(InputError, match="6 × 4 × 1 is above the limit"):
        load_dicom(file, max_voxels=71)
