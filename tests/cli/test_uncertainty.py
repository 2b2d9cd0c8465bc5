"""monai-ext segment and evaluate with --uncertainty."""

from __future__ import annotations

import csv
import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

import monai_ext
from monai_ext.cli.main import main
from tests.bundles.small import contents, picture
from tests.cli.commands import segment


def record(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_a_picture_gets_maps_and_a_quality_and_the_masks_stay_as_they_are(tmp_path, bundle, capsys):
    source, plain, sure = picture(tmp_path / "a.png"), tmp_path / "plain", tmp_path / "sure"
    asked = {"prompts": ("lungs", "no lungs")}
    assert segment(source, plain, bundle, "--preview", **asked) == 0
    assert "quality" not in capsys.readouterr().out
    assert segment(source, sure, bundle, "--preview", "--statistics", "--uncertainty", **asked) == 0
    printed = capsys.readouterr().out
    before, after = contents(plain), contents(sure)
    for name in ("lungs.png", "no-lungs.png", "labels.png", "overlay.png"):
        assert before[f"a/{name}"] == after[f"a/{name}"]
    added = {"a/lungs.entropy.png", "a/no-lungs.entropy.png", "a/overlay.entropy.png"}
    assert set(after) - set(before) == {*added, "statistics.csv", "statistics.json"}
    found, refused = record(sure)["results"]
    quality = found["uncertainty"]["quality"]
    assert 0 < quality < 1 and found["uncertainty"]["members"] == 7
    assert f"quality {quality:.2f} → " in printed
    assert f"entropy → {sure}/a/*.entropy.*" in printed.splitlines()
    assert (refused["uncertainty"]["quality"], refused["uncertainty"]["members"]) == (None, 0)
    assert refused["uncertainty"]["reason"] == refused["warnings"][-1] != ""
    with (sure / "statistics.csv").open(newline="", encoding="utf-8") as file:
        assert [row["quality"] for row in csv.DictReader(file)] == [str(quality), ""]
    with Image.open(sure / "a/lungs.entropy.png") as entropy, Image.open(source) as image:
        assert entropy.size == image.size and np.asarray(entropy).max() > 0
    with Image.open(sure / "a/no-lungs.entropy.png") as entropy:
        assert not np.asarray(entropy).any()
    assert all("uncertainty" not in row for row in record(plain)["results"])


def test_a_volume_gets_maps_in_its_geometry_and_python_the_same_figures(tmp_path, bundle):
    values = np.random.default_rng(0).normal(100, 30, (20, 18, 3)).astype(np.float32)
    affine = np.diag([-1.0, 2, 5, 1])
    nib.save(nib.Nifti1Image(values, affine), tmp_path / "v.nii.gz")
    assert (
        segment(tmp_path / "v.nii.gz", tmp_path / "out", bundle, "--uncertainty", "--threshold", "0.4") == 0
    )
    [row] = record(tmp_path / "out")["results"]
    entropy = nib.load(tmp_path / "out" / row["uncertainty"]["entropy"])
    np.testing.assert_array_equal(entropy.affine, affine)
    assert entropy.shape == values.shape
    segmenter = monai_ext.load(bundle, device="cpu")
    [result] = segmenter.segment(tmp_path / "v.nii.gz", "lungs", threshold=0.4, uncertainty=True)
    assert result.quality == row["uncertainty"]["quality"]
    np.testing.assert_allclose(result.entropy.numpy(), entropy.get_fdata(), atol=1e-6)
    [other] = segmenter.segment(tmp_path / "v.nii.gz", "lungs", uncertainty=True)
    assert other.quality != result.quality  # of masks that are cut at .5
    [plain] = segmenter.segment(tmp_path / "v.nii.gz", "lungs", threshold=0.4)
    assert (plain.quality, plain.entropy) == (None, None)
    assert np.array_equal(plain.mask.numpy(), result.mask.numpy())


def test_cases_are_done_again_when_it_is_asked_for_and_then_no_more(tmp_path, bundle):
    source, out = picture(tmp_path / "a.png"), tmp_path / "out"
    assert segment(source, out, bundle, "--quiet") == 0
    assert segment(source, out, bundle, "--quiet", "--uncertainty") == 0
    first = record(out)
    assert (first["skipped"], first["settings"]["uncertainty"]) == (0, True)
    assert segment(source, out, bundle, "--quiet", "--uncertainty") == 0
    again = record(out)
    assert (again["skipped"], again["results"]) == (1, first["results"])
    (out / "a/lungs.entropy.png").unlink()
    assert segment(source, out, bundle, "--quiet", "--uncertainty") == 0
    assert record(out)["skipped"] == 0
    assert (out / "a/lungs.entropy.png").is_file()
    assert segment(source, out, bundle, "--quiet") == 0
    assert record(out)["skipped"] == 0


def test_monais_runner_writes_the_same_files(tmp_path, bundle):
    from tests.bundles.runs import opened

    source = picture(tmp_path / "scans.png").rename(tmp_path / "a.png")
    assert segment(source, tmp_path / "cli", bundle, "--uncertainty", "--preview") == 0
    flow = opened(
        bundle,
        ["inference"],
        source,
        tmp_path / "monai",
        case_names="file",
        uncertainty=True,
        preview=True,
        **{"displayable_configs#text_prompt": "lungs"},
    )
    flow.run()
    cli, monai = contents(tmp_path / "cli"), contents(tmp_path / "monai")
    assert {name: one for name, one in cli.items() if name != "report.json"} == {
        name: one for name, one in monai.items() if name != "report.json"
    }


@pytest.mark.parametrize("command", ["segment", "evaluate"])
def test_a_bundle_without_the_id_is_refused_in_one_line(tmp_path, bundle, capsys, command):
    old = tmp_path / "old"
    shutil.copytree(bundle, old)
    config = old / "configs" / "inference.json"
    content = json.loads(config.read_text())
    del content["uncertainty"]
    config.write_text(json.dumps(content))
    picture(tmp_path / "a.png")
    words = {
        "segment": ["segment", str(tmp_path / "a.png"), "-p", "lungs", "--bundle", str(old)],
        "evaluate": ["evaluate", str(old), "--data", str(tmp_path), "--split", "validation"],
    }[command]
    assert main([*words, "-o", str(tmp_path / "o"), "--uncertainty"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --uncertainty: the configuration of bundle old knows none")
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "o").exists()


def test_an_evaluation_scores_the_quality_only_where_it_is_asked_for(tmp_path, bundle, capsys):
    data = tmp_path / "set"
    data.mkdir()
    label, items = np.zeros((24, 40), np.uint8), []
    label[4:12, 4:20] = 1
    for n in range(4):
        picture(data / f"{n}.png", seed=n)
        Image.fromarray(label).save(data / f"{n}_mask.png")
        items.append({"image": f"{n}.png", "label": f"{n}_mask.png", "id": f"{n}"})
    table = {"labels": {"0": "background", "1": "breast tumour"}, "prompts": {"1": ["breast tumour"]}}
    content = {"name": "set", "modality": {"0": "ultrasound"}, **table, "validation": items}
    (data / "dataset.json").write_text(json.dumps(content))
    words = ["evaluate", str(bundle), "--data", str(data), "--split", "validation"]
    assert main([*words, "-o", str(tmp_path / "plain"), "--limit", "3"]) == 0
    assert "quality" not in json.loads((tmp_path / "plain/metrics.json").read_text())
    assert "quality" not in (tmp_path / "plain/cases.csv").read_text()
    capsys.readouterr()
    assert main([*words, "-o", str(tmp_path / "sure"), "--uncertainty"]) == 0
    figures = json.loads((tmp_path / "sure/metrics.json").read_text())
    quality = figures["quality"]
    assert quality["n"] == 4 and -1 <= quality["spearman"] <= 1
    assert quality == figures["sets"]["set"]["quality"]
    assert f"quality: rank correlation with Dice {quality['spearman']:.3f}" in capsys.readouterr().out
    with (tmp_path / "sure/cases.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(0 <= float(row["quality"]) <= 1 for row in rows if int(row["voxels"]))
    assert not list((tmp_path / "sure").rglob("*.entropy.*"))
    with (tmp_path / "plain/cases.csv").open(newline="", encoding="utf-8") as file:
        assert len({row["case"] for row in csv.DictReader(file)}) == 3
