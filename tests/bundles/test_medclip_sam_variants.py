"""Variants of medclip_sam are the methods of the papers; its evaluation scores their stages."""

import csv
import json

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image

import monai_ext
from monai_ext.bundle.configs import read_configs
from monai_ext.cli.main import main
from monai_ext.resources import resource_path
from tests.bundles.films import write_films
from tests.bundles.runs import report, segment
from tests.bundles.small import picture, small_medclip_sam

BUNDLE = resource_path("medclip_sam", "bundles")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return small_medclip_sam(tmp_path_factory.mktemp("bundles"))


def test_variants_are_the_methods_of_the_papers():
    def methods(*names):
        content = read_configs(BUNDLE, ["inference", *names])
        kinds = [content[stage]["_target_"].rpartition(".")[2] for stage in ("saliency", "coarse")]
        return (*kinds, content["visual"]["kind"], content["runs"])

    assert methods() == ("M2IB", "OtsuMask", "boxes", 1)
    assert methods("v1") == ("GScoreCAM", "CRFMask", "boxes", 1)
    assert methods("kmeans", "points") == ("M2IB", "KMeansMask", "points", 1)
    assert methods("patch_text", "threshold", "boxes_and_points") == (
        "PatchText",
        "ThresholdMask",
        "boxes_and_points",
        1,
    )
    assert methods("attention", "crf", "points_ensemble") == ("AttentionRollout", "CRFMask", "points", 5)
    brain, breast = (
        read_configs(BUNDLE, ["inference", "full", name])["saliency"]
        for name in ("brain_mri", "breast_ultrasound")
    )
    assert (brain["layer"], brain["beta"], breast["layer"], breast["beta"]) == (9, 2.0, 9, 1.0)


def test_at_full_size_the_saliency_is_that_of_the_seventh_of_twelve_blocks():
    parser = ConfigParser(read_configs(BUNDLE, ["inference", "full"]))
    with torch.device("meta"):
        network = parser.get_parsed_content("network_def")
    assert len(network.encoder.tower.blocks) == 12 and network.saliency.layer == 7
    assert len(network.presence.contrast) > 30


def test_without_a_decoder_the_coarse_mask_is_the_result(bundle, tmp_path):
    segmenter = monai_ext.load(bundle, device="cpu")
    coarse = segmenter.network
    coarse.decoder = None
    found = segmenter.segment(np.array(Image.open(picture(tmp_path / "a.png"))), ["lungs"])[0]
    stages = coarse(torch.rand(1, 3, 24, 40), "lungs", full=True).stages["masks"]
    assert found.found and torch.equal(stages["coarse"], stages["refined"])
    assert read_configs(BUNDLE, ["inference", "coarse"])["decoder"] is None


def test_a_run_records_the_methods_of_its_stages(bundle, tmp_path):
    out = segment(picture(tmp_path / "a.png"), tmp_path / "out", bundle, ["lungs"], "--variant", "v1")
    settings = report(out)["settings"]
    methods = {stage: settings[stage]["method"] for stage in ("saliency", "coarse", "visual")}
    assert methods == {"saliency": "GScoreCAM", "coarse": "CRFMask", "visual": "VisualPrompts"}


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
