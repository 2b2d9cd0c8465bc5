"""Settings and weights of clip_sam: which contrast texts it takes, what is done again, what is refused."""

import shutil

import pytest
import torch
from monai.bundle import ConfigParser

from monai_ext.bundle.configs import read_configs
from monai_ext.cli.main import main
from monai_ext.errors import WeightsError
from monai_ext.prompts.library import PromptLibrary
from monai_ext.resources import resource_path
from monai_ext.weights import load_into
from tests.bundles.runs import report, segment
from tests.bundles.small import picture, small_clip_sam

BUNDLE = resource_path("clip_sam", "bundles")


def test_contrast_texts_of_masked_images_are_canonical_sentences_and_backgrounds_and_patch_tokens_need_none():
    content = read_configs(BUNDLE, ["inference"])
    assert content["compare"] == "patch_tokens"
    assert ConfigParser(content).get_parsed_content("contrast") == []
    parser = ConfigParser({**content, "compare": "masked_images"})
    contrast = parser.get_parsed_content("contrast")
    assert contrast[-4:] == parser["background"]
    library = PromptLibrary.load()
    sentences = {library.canonical("lungs", "xray"), library.canonical("polyp", "endoscopy")}
    assert sentences <= set(contrast) and len(set(contrast)) > 30


def test_a_case_is_done_again_when_a_setting_of_the_method_changes(tmp_path):
    bundle, source = small_clip_sam(tmp_path), picture(tmp_path / "a.png")
    config = bundle / "configs" / "inference.json"
    for text, skipped in (('"fill": "black"', 0), ('"fill": "black"', 1), ('"fill": "crop"', 0)):
        config.write_text(config.read_text().replace('"fill": "black"', text))
        assert text in config.read_text()
        assert report(segment(source, tmp_path / "out", bundle, ["lungs"]))["skipped"] == skipped


def test_weights_that_are_not_there_are_one_line(tmp_path, capsys):
    bundle, out = small_clip_sam(tmp_path), tmp_path / "out"
    shutil.rmtree(bundle / "models")  # as a bundle of the repository, which takes weights of the registry
    config = bundle / "configs" / "inference.json"
    config.write_text(config.read_text().replace('"encoder": "compact-clip"', '"encoder": "no-clip"'))
    words = ["-p", "lungs", "-o", str(out), "--bundle", str(bundle)]
    assert main(["segment", str(picture(tmp_path / "a.png")), *words]) == 3
    assert capsys.readouterr().err.startswith("error: no weights 'no-clip'; known are ")
    assert not out.exists()


def test_modules_that_are_not_those_of_the_network_are_refused():
    network = ConfigParser(read_configs(BUNDLE, ["inference"])).get_parsed_content("network_def")
    with pytest.raises(WeightsError, match="weights for encoder; ClipSAM has the modules decoder, encoder"):
        load_into(network, {"encoder": "compact-clip"})


@pytest.mark.parametrize("above", [[], ["decoder_medsam"], ["decoder_sam2_1"]])
def test_at_full_size_the_decoder_is_asked_by_32_points_a_side(above):
    parser = ConfigParser(read_configs(BUNDLE, ["inference", "full", *above]))
    with torch.device("meta"):
        network = parser.get_parsed_content("network_def")
    assert network.generator.points_per_side == 32
    assert sum(one.numel() for one in network.parameters()) > 1e8
