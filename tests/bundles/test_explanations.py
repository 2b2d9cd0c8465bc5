"""``--explain`` draws saliency, coarse mask and result of every method that has them, and other methods say so."""

import numpy as np
import pytest
from PIL import Image

from monai_ext.cli.main import main
from tests.bundles.runs import report, segment
from tests.bundles.small import picture, small_clip_sam, small_medclip_sam, volume


@pytest.fixture(scope="module")
def medclip_sam(tmp_path_factory):
    return small_medclip_sam(tmp_path_factory.mktemp("bundles"))


def test_an_explanation_has_a_row_for_each_prompt(medclip_sam, tmp_path, capsys):
    source = picture(tmp_path / "a.png")
    words = [
        "-o",
        str(tmp_path / "out"),
        "--bundle",
        str(medclip_sam),
        "-p",
        "lungs",
        "-p",
        "heart",
        "--explain",
    ]
    assert main(["segment", str(source), *words]) == 0
    (file,) = (tmp_path / "out").glob("*/explanation.png")
    assert f"explanation → {file}" in capsys.readouterr().out
    width, height = Image.open(file).size
    assert (width, height) == (4 * (320 + 8) + 8, 2 * (44 + 192 + 8))  # 40 columns and 24 rows as 320 and 192


def test_an_explanation_is_the_same_picture_again(medclip_sam, tmp_path):
    source = picture(tmp_path / "a.png")
    pictures = [
        np.asarray(
            Image.open(
                segment(source, tmp_path / name, medclip_sam, ["lungs"], "--explain") / "a/explanation.png"
            )
        )
        for name in ("1", "2")
    ]
    assert np.array_equal(*pictures)


def test_of_a_volume_one_slice_is_explained(medclip_sam, tmp_path):
    out = segment(volume(tmp_path / "a.nii.gz"), tmp_path / "out", medclip_sam, ["liver"], "--explain")
    assert Image.open(out / "a" / "explanation.png").size == (4 * (320 + 8) + 8, 2 * 22 + 256 + 8)  # 20 x 16


def test_a_bundle_that_makes_no_saliency_map_says_so(tmp_path, capsys):
    source = picture(tmp_path / "a.png")
    words = ["-o", str(tmp_path / "out"), "--bundle", "vlsm", "-p", "lungs", "--explain"]
    assert main(["segment", str(source), *words]) == 2
    assert "bundle vlsm makes no saliency map" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_second_pipeline_of_clip_sam_explains_and_records_its_methods(tmp_path):
    bundle, source = small_clip_sam(tmp_path), picture(tmp_path / "a.png")
    words = ["--variant", "gscorecam", "--explain"]
    out = segment(source, tmp_path / "out", bundle, ["lungs"], *words)
    assert (out / "a" / "explanation.png").is_file()
    settings = report(out)["settings"]
    assert settings["saliency"]["method"] == "GScoreCAM" and settings["coarse"]["method"] == "CRFMask"
    again = segment(source, tmp_path / "again", bundle, ["lungs"], *words, "--variant", "attention")
    assert report(again)["settings"]["saliency"]["method"] == "AttentionRollout"
