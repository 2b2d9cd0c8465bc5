"""monai-ext segment: the same masks as by MONAI's runner, a sentence a result, nothing left behind on failure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

import monai_ext
from tests.bundles.small import contents, picture
from tests.cli.commands import segment
from tests.io.dicom.dicom_files import write_series

ROOT = Path(__file__).resolve().parents[2]


def test_a_result_is_reported_in_a_sentence_and_recorded(tmp_path, bundle, capsys):
    source = picture(tmp_path / "chest.png")
    assert segment(source, tmp_path / "out", bundle, "--preview", prompts=("left lung", "lungs; heart")) == 0
    out, err = capsys.readouterr()
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert err == ""
    assert [row["prompt"] for row in report["results"]] == ["left lung", "lungs", "heart"]
    row = report["results"][0]
    assert 0 < row["voxels"] < 24 * 40
    assert out.splitlines()[0] == (
        f'chest  "left lung": found, {row["voxels"] / 9.6:.1f} % of the image ({row["voxels"]} pixels), '
        f"presence {row['presence']:.2f} → {tmp_path}/out/chest/left-lung.png"
    )
    assert out.splitlines()[-1] == (
        "weights vlsm: the bundle's own, not from the registry; licence: see the bundle's LICENSE"
    )
    with Image.open(tmp_path / "out" / row["mask"]) as mask:
        assert np.count_nonzero(np.asarray(mask)) == row["voxels"]
    assert set(contents(tmp_path / "out")) == {
        "report.json",
        "chest/record.json",
        *(f"chest/{name}.png" for name in ("left-lung", "lungs", "heart", "labels", "overlay")),
    }


def test_volumes_are_reported_in_millilitres_and_absent_things_with_the_reason(tmp_path, bundle, capsys):
    volume = np.random.default_rng(0).normal(100, 30, (20, 18, 3)).astype(np.float32)
    nib.save(nib.Nifti1Image(volume, np.diag([1.0, 1, 5, 1])), tmp_path / "v.nii.gz")
    assert (
        segment(tmp_path / "v.nii.gz", tmp_path / "out", bundle, "--modality", "ct", "--batch-size", "2") == 0
    )
    row = json.loads((tmp_path / "out/report.json").read_text())["results"][0]
    sentence = f"found, {row['volume_ml']:.1f} ml ({row['voxels']} voxels), presence {row['presence']:.2f} →"
    assert 0 < row["voxels"] < 1000
    assert sentence in capsys.readouterr().out
    assert row["volume_ml"] == pytest.approx(row["voxels"] * 5 / 1000)
    assert segment(tmp_path / "v.nii.gz", tmp_path / "none", bundle, "--threshold", "1") == 0
    reason = f"judged present ({row['presence']:.2f}), but no pixel is above 1.00"
    assert f'"lungs": not found; {reason} →' in capsys.readouterr().out


def test_an_rt_structure_set_of_anything_but_dicom_is_refused_before_the_first_case(tmp_path, bundle, capsys):
    scans = tmp_path / "scans"
    write_series(scans / "ct", np.arange(1024, 1056, dtype=np.int16).reshape(2, 4, 4))
    picture(scans / "chest.png")
    assert segment(scans, tmp_path / "out", bundle, "--format", "rtstruct") == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(
        "error: format rtstruct: 1 of 2 inputs are no DICOM, whose slices an RT Structure Set"
    )
    assert not (tmp_path / "out").exists()


def test_a_dicom_folder_is_one_case(tmp_path, bundle, capsys):
    write_series(tmp_path / "ct", np.arange(1024, 1056, dtype=np.int16).reshape(2, 4, 4))
    assert segment(tmp_path / "ct", tmp_path / "out", bundle) == 0
    assert set(contents(tmp_path / "out")) == {"report.json", "ct/record.json", "ct/segmentation.dcm"}
    assert f"→ {tmp_path / 'out/ct/segmentation.dcm'}, segment 1\n" in capsys.readouterr().out
    algorithm = dcmread(tmp_path / "out/ct/segmentation.dcm").SegmentSequence[0]
    algorithm = algorithm.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("monai_ext vlsm", monai_ext.__version__)
    # the same again: nothing to do; all again: the same bytes
    before = contents(tmp_path / "out/ct")
    for more, skipped in (((), 1), (("--no-resume",), 0)):
        assert segment(tmp_path / "ct", tmp_path / "out", bundle, "--quiet", *more) == 0
        assert json.loads((tmp_path / "out/report.json").read_text())["skipped"] == skipped
        assert contents(tmp_path / "out/ct") == before
    capsys.readouterr()
    assert segment(tmp_path / "ct", tmp_path / "rt", bundle, "--format", "rtstruct") == 0
    assert set(contents(tmp_path / "rt")) == {"report.json", "ct/record.json", "ct/structures.dcm"}
    assert f"→ {tmp_path / 'rt/ct/structures.dcm'}, ROI 1\n" in capsys.readouterr().out
    made = dcmread(tmp_path / "rt/ct/structures.dcm")
    assert (made.StructureSetROISequence[0].ROIName, made.ManufacturerModelName) == (
        "lungs",
        f"vlsm {monai_ext.__version__}",
    )
    assert segment(tmp_path / "ct", tmp_path / "nifti", bundle, "--quiet", "--format", "nifti") == 0
    assert set(contents(tmp_path / "nifti")) == {
        *("report.json", "ct/record.json", "ct/lungs.nii.gz", "ct/labels.nii.gz")
    }


def test_quiet_prints_nothing_and_the_report_goes_to_a_second_path(tmp_path, bundle, capsys):
    source = picture(tmp_path / "a.png")
    assert segment(source, tmp_path / "out", bundle, "--quiet", "--report", str(tmp_path / "run/r.json")) == 0
    assert capsys.readouterr() == ("", "")
    text = (tmp_path / "run/r.json").read_text()
    assert text == (tmp_path / "out/report.json").read_text()
    assert str(tmp_path) not in text


def test_the_same_command_writes_the_same_bytes_as_monais_own(tmp_path, bundle):
    data = tmp_path / "in"
    data.mkdir()
    picture(data / "a.png")
    picture(data / "b.png", seed=1)
    assert segment(data, tmp_path / "ours", bundle, "--device", "cpu", prompts=("lungs", "left kidney")) == 0
    run = [sys.executable, "-m", "monai.bundle", "run", "--config_file", "configs/inference.json"]
    settings = ["--dataset_dir", str(data), "--output_dir", str(tmp_path / "theirs"), "--device", "cpu"]
    prompt = ["--displayable_configs#text_prompt", "lungs;left kidney", "--case_names", "file"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*run, *settings, *prompt], cwd=bundle, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    ours, theirs = contents(tmp_path / "ours"), contents(tmp_path / "theirs")
    reports = [json.loads(files.pop("report.json")) for files in (ours, theirs)]
    assert len(ours) == 8
    assert ours == theirs
    assert reports[0]["results"] == reports[1]["results"]


def test_the_same_command_on_a_volume_writes_the_same_bytes(tmp_path, bundle):
    values = np.random.default_rng(0).integers(-1000, 1000, (20, 18, 11)).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.diag([-2.0, -2.0, 3.0, 1.0])), tmp_path / "ct.nii.gz")
    first, second = tmp_path / "1", tmp_path / "2"
    for output in (first, second):
        prompts = ("left lung", "lungs", "heart")
        assert segment(tmp_path / "ct.nii.gz", output, bundle, "--modality", "CT", prompts=prompts) == 0
    written = {name: data for name, data in contents(first).items() if name.endswith(".nii.gz")}
    assert sorted(written) == [f"ct/{name}.nii.gz" for name in ("heart", "labels", "left-lung", "lungs")]
    assert written == {name: contents(second)[name] for name in written}
    for data in written.values():
        flags, seconds = data[3], data[4:8]
        assert (flags, seconds) == (0, bytes(4))  # gzip's header holds no file name and no time
    assert np.asarray(nib.load(first / "ct/labels.nii.gz").dataobj).any()


def test_cases_that_cannot_be_read_are_listed_and_the_others_done(tmp_path, bundle, capsys):
    data = tmp_path / "in"
    data.mkdir()
    (data / "a.png").write_bytes(b"no picture")
    picture(data / "b.png")
    (data / "c.nii").write_bytes(b"no volume")
    assert segment(data, tmp_path / "out", bundle, "--quiet") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line[:28] for line in err.splitlines()] == [
        "error: a left out: a.png: no",
        "error: c left out: c.nii: no",
    ]
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert [one["case"] for one in report["failed"]] == ["a", "c"]
    assert [row["case"] for row in report["results"]] == ["b"]


def test_when_no_case_can_be_read_nothing_is_written(tmp_path, bundle, capsys):
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert segment(tmp_path / "a.png", tmp_path / "deep/out", bundle) == 2
    assert capsys.readouterr().err.startswith("error: a.png: not a whole PNG")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_an_input_that_is_not_there_and_an_output_that_is_a_file_are_named(tmp_path, bundle, capsys):
    assert segment(tmp_path / "no.png", tmp_path / "out", bundle) == 2
    assert capsys.readouterr().err.endswith("no.png: no such file or folder.\n")
    source = picture(tmp_path / "a.png")
    assert segment(source, source, bundle) == 2
    assert capsys.readouterr().err.startswith("error: a.png: the output is a folder, but this is a file")


def test_weights_that_do_not_fit_are_exit_code_3(tmp_path, bundle, capsys):
    broken = Path(shutil.copytree(bundle, tmp_path / "broken"))
    (broken / "models" / "model.pt").write_bytes(b"damaged")
    source = picture(tmp_path / "a.png")
    assert segment(source, tmp_path / "out", broken) == 3
    assert capsys.readouterr().err.startswith("error: model.pt: damaged")
    assert not (tmp_path / "out").exists()


def test_folders_with_odd_names_are_only_names(tmp_path, bundle):
    odd = tmp_path / "$x @b::#c"
    odd.mkdir()
    source = picture(odd / "%a.png")
    assert segment(source, odd / "out'", bundle, "--quiet") == 0
    assert (odd / "out'" / "%a" / "lungs.png").is_file()
