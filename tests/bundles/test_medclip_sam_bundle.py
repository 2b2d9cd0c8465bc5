"""The medclip_sam bundle from the command line, with small random parts; its variants, pictures and evaluation."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image

import monai_ext
from monai_ext.bundle.configs import bundle_variants, read_configs
from monai_ext.bundle.export import export
from monai_ext.cli.main import main
from monai_ext.weights import read_registry
from tests.bundles.films import write_films
from tests.bundles.small import contents, opened, picture, small_clip_sam, small_medclip_sam

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
CONFIGS = BUNDLES / "medclip_sam" / "configs"
VARIANTS = bundle_variants(BUNDLES / "medclip_sam")
FULL = [name for name in VARIANTS if name.startswith("full_")]
PUBLISHED = ["breast_ultrasound", "brain_mri"]  # laid over a full-size encoder of twelve blocks


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return small_medclip_sam(tmp_path_factory.mktemp("bundles"))


def segment(source, out, bundle, *more):
    return main(["segment", str(source), "-o", str(out), "--bundle", str(bundle), "--quiet", *more])


def report(out):
    return json.loads((out / "report.json").read_text())


def test_a_picture_gets_a_mask_of_every_prompt_and_the_same_bytes_again(bundle, tmp_path):
    source = picture(tmp_path / "a.png")
    for name in ("1", "2"):
        assert segment(source, tmp_path / name, bundle, "-p", "lungs; heart", "--preview", "--explain") == 0
    told = report(tmp_path / "1")
    assert told["bundle"] == "medclip_sam" and told["weights"]["name"] == "compact-clip + compact-sam"
    assert [row["prompt"] for row in told["results"]] == ["lungs", "heart"]
    assert all(row["voxels"] > 0 and row["presence"] > 0.5 for row in told["results"])
    first, second = contents(tmp_path / "1"), contents(tmp_path / "2")
    del first["report.json"], second["report.json"]
    assert len(first) == 6 and first == second  # two masks, label map, record and two pictures


def test_an_explanation_has_a_row_for_each_prompt(bundle, tmp_path, capsys):
    source = picture(tmp_path / "a.png")
    words = ["-o", str(tmp_path / "out"), "--bundle", str(bundle), "-p", "lungs", "-p", "heart", "--explain"]
    assert main(["segment", str(source), *words]) == 0
    (file,) = (tmp_path / "out").glob("*/explanation.png")
    assert f"explanation → {file}" in capsys.readouterr().out
    width, height = Image.open(file).size
    assert (width, height) == (4 * (320 + 8) + 8, 2 * (44 + 192 + 8))  # 40 columns and 24 rows as 320 and 192


def test_of_a_volume_one_slice_is_explained(bundle, tmp_path):
    voxels = np.random.default_rng(0).integers(-300, 300, (20, 16, 5), dtype=np.int16)
    nib.save(nib.Nifti1Image(voxels, np.diag([1.0, 1.0, 4.0, 1.0])), tmp_path / "a.nii.gz")
    assert segment(tmp_path / "a.nii.gz", tmp_path / "out", bundle, "-p", "liver", "--explain") == 0
    (file,) = (tmp_path / "out").glob("*/explanation.png")
    assert Image.open(file).size == (4 * (320 + 8) + 8, 2 * 22 + 256 + 8)  # 20 columns and 16 rows


def test_a_bundle_that_makes_no_saliency_map_says_so(tmp_path, capsys):
    source = picture(tmp_path / "a.png")
    assert segment(source, tmp_path / "out", "vlsm", "-p", "lungs", "--explain") == 2
    assert "bundle vlsm makes no saliency map" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name not in (*FULL, *PUBLISHED, "coarse")])
def test_every_variant_runs_and_is_recorded(bundle, tmp_path, variant):
    source = picture(tmp_path / "a.png")
    assert segment(source, tmp_path, bundle, "-p", "lungs", "--variant", variant) == 0
    settings = report(tmp_path)["settings"]
    assert [one.split()[0] for one in settings["variants"]] == [variant]
    assert "method" in settings["saliency"] and "method" in settings["coarse"]


def test_variants_are_the_methods_of_the_papers():
    def laid(*names):
        content = read_configs(BUNDLES / "medclip_sam", ["inference", *names])
        kinds = [content[part]["_target_"].rpartition(".")[2] for part in ("saliency", "coarse")]
        return (*kinds, content["visual"]["kind"], content["runs"])

    assert laid() == ("M2IB", "OtsuMask", "boxes", 1)
    assert laid("v1") == ("GScoreCAM", "CRFMask", "boxes", 1)
    assert laid("kmeans", "points") == ("M2IB", "KMeansMask", "points", 1)
    assert laid("patch_text", "threshold", "boxes_and_points") == (
        "PatchText",
        "ThresholdMask",
        "boxes_and_points",
        1,
    )
    assert laid("attention", "crf", "points_ensemble") == ("AttentionRollout", "CRFMask", "points", 5)
    brain, breast = (
        read_configs(BUNDLES / "medclip_sam", ["inference", "full_sam_vit_b", name])["saliency"]
        for name in ("brain_mri", "breast_ultrasound")
    )
    assert (brain["layer"], brain["beta"], breast["layer"], breast["beta"]) == (9, 2.0, 9, 1.0)


@pytest.mark.parametrize("variant", FULL)
def test_full_size_presets_name_weights_of_the_registry_and_their_networks(variant):
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / "inference.json"), str(CONFIGS / f"{variant}.json")])
    registry = read_registry()
    assert set(parser["weights"].values()) <= set(registry)
    with torch.device("meta"):
        network = parser.get_parsed_content("network_def", instantiate=True)
    assert len(network.encoder.tower.blocks) == 12 and network.saliency.layer == 7
    assert len(network.presence.contrast) > 30


def test_without_a_decoder_the_coarse_mask_is_the_result(bundle, tmp_path):
    segmenter = monai_ext.load(bundle, device="cpu")
    coarse = segmenter.network
    coarse.decoder = None
    found = segmenter.segment(np.array(Image.open(picture(tmp_path / "a.png"))), ["lungs"])[0]
    stages = coarse(torch.rand(1, 3, 24, 40), "lungs", full=True).stages["masks"]
    assert found.found and torch.equal(stages["coarse"], stages["refined"])
    assert json.loads((CONFIGS / "coarse.json").read_text())["decoder"] is None


def test_from_python_and_exported_it_gives_the_same_masks(bundle, tmp_path):
    exported = export(bundle, tmp_path / "exported")
    image = np.array(Image.open(picture(tmp_path / "a.png")))
    one, other = (
        monai_ext.load(folder, device="cpu").segment(image, ["lungs"])[0] for folder in (bundle, exported)
    )
    assert one.presence == other.presence and np.array_equal(one.mask, other.mask)


def test_metadata_and_properties_are_whole(bundle, tmp_path):
    flow = opened(bundle, tmp_path)
    assert flow.check_properties() == []
    network = flow.parser.get_parsed_content("network_def")
    assert network(torch.rand(1, 3, 24, 20)).shape == (1, 1, 24, 20)


def test_an_evaluation_scores_the_stages(bundle, tmp_path):
    write_films(tmp_path / "data")
    words = [
        "--data",
        str(tmp_path / "data"),
        "--split",
        "validation",
        "-o",
        str(tmp_path / "out"),
        "--quiet",
    ]
    assert main(["evaluate", str(bundle), *words]) == 0
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())
    with (tmp_path / "out" / "cases.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["present"] == "True"]
    for stage in ("saliency_dice", "coarse_dice", "refined_dice"):
        mean = sum(float(row[stage]) for row in rows) / len(rows)
        assert figures["pooled"][stage]["mean"] == pytest.approx(mean, abs=1e-5)


def test_the_second_pipeline_of_clip_sam_runs_and_explains(tmp_path):
    folder = small_clip_sam(tmp_path)
    source = picture(tmp_path / "a.png")
    out = tmp_path / "out"
    assert segment(source, out, folder, "-p", "lungs", "--variant", "gscorecam", "--explain") == 0
    settings = report(out)["settings"]
    assert settings["saliency"]["method"] == "GScoreCAM" and settings["coarse"]["method"] == "CRFMask"
    assert list(out.glob("*/explanation.png"))
    again = tmp_path / "again"
    assert (
        segment(source, again, folder, "-p", "lungs", "--variant", "gscorecam", "--variant", "attention") == 0
    )
    assert report(again)["settings"]["saliency"]["method"] == "AttentionRollout"
