"""A DICOM folder through the MONAI Deploy application to a DICOM SEG; run by ``make test-deploy``.

The network is :class:`tests.fakes.DisplayProbe`, which marks what is bright on the side that the prompt
names. The masks expected are computed here from the DICOM pixels, so a mask that is mirrored, shifted by a
voxel, in another order of slices or made for another prompt fails.
"""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("monai.deploy.core", reason="needs the extra deploy; run make test-deploy")
hd = pytest.importorskip("highdicom", reason="needs the extra deploy; run make test-deploy")

import pydicom
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from monai_ext.apps import deploy
from monai_ext.bundle.runner import run_segment
from tests.bundles.small import SMALL_BUNDLES
from tests.io.dicom.test_colours import write_colour
from tests.served import ROOT, probe_bundle, retrained_bundle, small_bundle

BRIGHT = 40  # HU, the middle of the CT window


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    return probe_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def slab(shared_data):
    """Real CT slices, from feet to head: rows run to posterior, columns to the patient's left."""
    files = (shared_data / "dicom" / "ct_ircad01_slab").glob("*.dcm")
    return sorted((pydicom.dcmread(file) for file in files), key=lambda image: image.ImagePositionPatient[2])


@pytest.fixture
def run(bundle, tmp_path):
    """Runs the application on DICOM images; gives the SEG it wrote."""

    def run(images, *prompts, bundle=bundle):
        folder, out = tmp_path / "in", tmp_path / "out"
        folder.mkdir()
        for number, image in enumerate(images):
            # File names in another order than the slices.
            image.save_as(folder / f"{len(images) - number}.dcm", enforce_file_format=True)
        done = start(bundle, folder, out, *prompts)
        assert done.returncode == 0, done.stderr
        (file,) = out.glob("*.dcm")
        return hd.seg.segread(file)

    return run


def start(bundle: Path, folder: Path, out: Path, *prompts: str) -> subprocess.CompletedProcess:
    arguments = [arg for prompt in prompts for arg in ("-p", prompt)]
    command = [
        sys.executable,
        "-m",
        "monai_ext.apps.deploy",
        "-i",
        folder,
        "-o",
        out,
        "-m",
        bundle,
        *arguments,
    ]
    # Holoscan wants a larger stack than shells give.
    script = ["bash", "-c", 'ulimit -s 32768; exec "$@"', "run", *map(str, command)]
    return subprocess.run(script, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300)


def error_line(done: subprocess.CompletedProcess) -> str:
    """The application's own error, among the lines of the SDK."""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line


def masks_of(seg, images):
    """(slices, H, W, segments) of a SEG, in the order of the images it was made of."""
    return seg.get_pixels_by_source_instance(
        [image.SOPInstanceUID for image in images], ignore_spatial_locations=True
    )


def expected_sides(images, left_is_last=True):
    """(slices, H, W, 2): what is bright on the patient's left and on the patient's right."""
    bright = (
        np.stack([image.pixel_array * image.RescaleSlope + image.RescaleIntercept for image in images])
        > BRIGHT
    )
    last = np.arange(bright.shape[2]) >= bright.shape[2] // 2
    left, right = (bright & last), (bright & ~last)
    return np.stack([left, right] if left_is_last else [right, left], axis=-1)


def test_each_prompt_becomes_a_segment_where_its_structure_is(run, slab):
    seg = run(slab, "left", "right side of the body")

    assert [seg.get_segment_description(n).SegmentLabel for n in (1, 2)] == ["left", "right side of the body"]
    np.testing.assert_array_equal(masks_of(seg, slab), expected_sides(slab))


def test_the_seg_has_the_geometry_of_the_images(run, slab):
    seg = run(slab, "left")
    shared = seg.SharedFunctionalGroupsSequence[0]

    assert (seg.Modality, seg.Rows, seg.Columns, seg.NumberOfFrames) == ("SEG", 512, 512, len(slab))
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == slab[0].ImageOrientationPatient
    np.testing.assert_allclose(shared.PixelMeasuresSequence[0].PixelSpacing, slab[0].PixelSpacing)
    positions = [
        f.PlanePositionSequence[0].ImagePositionPatient for f in seg.PerFrameFunctionalGroupsSequence
    ]
    np.testing.assert_allclose(sorted(positions, key=lambda p: p[2]), [i.ImagePositionPatient for i in slab])
    assert seg.StudyInstanceUID == slab[0].StudyInstanceUID
    assert seg.SeriesInstanceUID != slab[0].SeriesInstanceUID


def test_images_stored_the_other_way_round_give_the_same_sides_of_the_patient(run, slab):
    turned = []
    for image in slab:
        image = copy.deepcopy(image)
        pixels = image.pixel_array
        image.PixelData = np.ascontiguousarray(pixels[:, ::-1]).tobytes()
        image.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
        x, y, z = image.ImagePositionPatient
        image.ImagePositionPatient = [x + (image.Columns - 1) * image.PixelSpacing[1], y, z]
        turned.append(image)

    seg = run(turned, "left", "right")

    np.testing.assert_array_equal(masks_of(seg, turned), expected_sides(turned, left_is_last=False))


def test_nothing_found_is_an_empty_seg(run, slab):
    air = [copy.deepcopy(image) for image in slab[:2]]
    for image in air:
        pixels = np.full((512, 512), -1000, np.int16)
        pixels[0, 0] = -999  # an image of one value would be refused
        image.PixelData = pixels.tobytes()

    seg = run(air, "left")

    assert masks_of(seg, air).sum() == 0


def test_a_single_radiograph_is_shown_as_stored(run):
    radiograph = _radiograph()
    seg = run([radiograph], "left", "top")

    bright = radiograph.pixel_array > 127
    left = bright & (np.arange(80) >= 40)
    top = bright & (np.arange(64) < 32)[:, None] & ~left  # on a tie the earlier prompt wins
    np.testing.assert_array_equal(masks_of(seg, [radiograph])[0], np.stack([left, top], axis=-1))


@pytest.mark.parametrize("name", SMALL_BUNDLES)
def test_the_network_of_every_bundle_runs(name, slab, tmp_path):
    images = tmp_path / "in"
    images.mkdir()
    for image in slab[:3]:
        image.save_as(images / f"{image.InstanceNumber}.dcm")

    done = start(small_bundle(name, tmp_path / "bundle"), images, tmp_path / "out", "liver")

    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "out").glob("*.dcm")
    assert masks_of(hd.seg.segread(file), slab[:3]).shape == (3, 512, 512, 1)


def test_a_retrained_bundle_gives_the_mask_of_the_command_line(run, tmp_path):
    radiograph = _radiograph()
    retrained = retrained_bundle(tmp_path / "run")

    seg = run([radiograph], "lungs", bundle=retrained)
    run_segment(retrained, tmp_path / "in", ["lungs"], tmp_path / "ours", device="cpu")
    (own,) = (tmp_path / "ours").rglob("*.dcm")

    found, expected = (masks_of(one, [radiograph]) for one in (seg, hd.seg.segread(own)))
    np.testing.assert_array_equal(found, expected)
    assert 0 < np.count_nonzero(found) < found.size


def test_several_series_are_an_error_of_one_line(bundle, slab, tmp_path):
    other = copy.deepcopy(slab[0])
    other.SeriesInstanceUID, other.SOPInstanceUID = generate_uid(), generate_uid()
    for image in (slab[0], other):
        image.save_as(tmp_path / f"{image.SOPInstanceUID}.dcm")

    done = start(bundle, tmp_path, tmp_path / "out", "left")

    assert done.returncode == 2
    assert error_line(done).startswith("error: the input folder holds 2 image series (CT of 1 images,")
    assert not list((tmp_path / "out").glob("*"))


def test_a_picture_in_colour_is_an_error_of_one_line(bundle, tmp_path):
    write_colour(tmp_path / "in" / "eye.dcm", StudyDate="20200101")
    done = start(bundle, tmp_path / "in", tmp_path / "out", "optic disc")
    assert done.returncode == 2
    assert error_line(done) == (
        "error: the images are in colour, which MONAI Deploy does not read; monai-ext segment does."
    )


def test_a_prompt_is_never_run_as_code(bundle, slab, tmp_path):
    slab[0].save_as(tmp_path / "1.dcm")

    done = start(bundle, tmp_path, tmp_path / "out", "$print('run')")

    assert done.returncode == 2
    assert "run\n" not in done.stdout
    assert "begins with '$'" in error_line(done)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-i", "{in}", "-m", "{bundle}"], "no prompt"),
        (["-i", "{in}", "-m", "{bundle}", "-p", " ; "], "no prompt"),
        (["-i", "{in}/missing", "-m", "{bundle}", "-p", "liver"], "input 'missing' is no folder"),
        (["-i", "{in}", "-m", "{in}", "-p", "liver"], "is no bundle"),
    ],
)
def test_usage_errors_are_one_line(arguments, reason, bundle, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MONAI_EXT_PROMPT", raising=False)
    folders = {"in": tmp_path, "bundle": bundle}

    assert deploy.main([argument.format(**folders) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and reason in error and error.count("\n") == 1


def test_a_bundle_without_its_weights_is_refused_in_one_line(bundle, tmp_path, capsys):
    without = shutil.copytree(bundle, tmp_path / "bundle", ignore=shutil.ignore_patterns("models"))

    assert deploy.main(["-i", str(tmp_path), "-m", str(without), "-p", "liver"]) == 3
    error = capsys.readouterr().err
    assert error.startswith("error: bundle 'bundle': its own weights") and error.count("\n") == 1


def test_long_prompts_are_kept_whole_beside_their_label():
    prompt = "the " + "very " * 20 + "large liver"
    segment = deploy.segment_description(prompt, "vlsm", "0.1.0").to_segment_description(1)

    assert segment.SegmentLabel == prompt[:64]
    assert segment.TrackingID == prompt


def test_prompts_that_name_a_structure_known_to_dicom_carry_its_code():
    coded = [
        deploy.segment_description(p, "vlsm", "0.1.0")
        .to_segment_description(1)
        .segmented_property_type.meaning
        for p in ("liver", "apex of lung", "polyp", "the patient's left lung")
    ]

    assert coded == ["Liver", "Apex of Lung", "Anatomical Structure", "Anatomical Structure"]


def _radiograph():
    """A computed radiograph of noise, 64 x 80, with the attributes that its kind must have and no position."""
    image = pydicom.Dataset()
    image.file_meta = pydicom.dataset.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = pydicom.uid.ComputedRadiographyImageStorage
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.Modality = "CR"
    image.PatientName = image.PatientID = image.PatientBirthDate = image.PatientSex = ""
    image.StudyDate = image.StudyTime = image.AccessionNumber = image.StudyID = ""
    image.ReferringPhysicianName = ""
    image.SeriesNumber = image.InstanceNumber = 1
    image.Rows, image.Columns = 64, 80
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation = 7, 0
    image.ImagerPixelSpacing = [0.2, 0.2]
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80), dtype=np.uint8)
    pixels[0, :2] = 0, 255  # the whole range, so that half of it is 127.5
    image.PixelData = pixels.tobytes()
    return image
