"""Variants of a bundle: which there are, how they are named, and that a run uses and records them."""

from __future__ import annotations

import hashlib
import json

import pytest

import monai_ext
from monai_ext.bundle.catalog import find_bundle
from monai_ext.bundle.configs import (
    bundle_variants,
    config_files,
    literal,
    read_configs,
    variant_fingerprints,
)
from monai_ext.cli.main import main
from monai_ext.errors import InputError
from monai_ext.studies.tune_settings import read_values
from tests.bundles.small import picture
from tests.cli.commands import segment
from tests.cli.test_resume import report


@pytest.fixture
def variant(tmp_path):
    file = tmp_path / "strict.json"
    file.write_text(json.dumps({"mask_threshold": 0.75, "presence_threshold": 0.0}))
    return file


def test_variants_are_the_configurations_that_neither_run_train_nor_score_by_themselves():
    assert bundle_variants(find_bundle("vlsm")) == []
    names = bundle_variants(find_bundle("clip_sam"))
    assert {"full", "decoder_sam2_1", "encoder_biomedclip"} <= set(names)
    assert not {"inference", "evaluate", "metadata", "train_decoder", "evaluate_decoder"} & set(names)


def test_a_variant_is_named_with_or_without_json_or_is_a_file_of_the_users(variant):
    folder = find_bundle("clip_sam")
    names = ["full", "full.json", str(variant)]
    own = folder / "configs" / "full.json"
    assert config_files(folder, names) == [own, own, variant]
    digest = hashlib.sha256(variant.read_bytes()).hexdigest()[:12]
    assert variant_fingerprints(folder, [str(variant)]) == [f"strict {digest}"]
    laid = read_configs(folder, ["inference", "full", str(variant)])
    assert (laid["weights"]["decoder"], laid["mask_threshold"]) == ("sam-vit-b", 0.75)


def test_an_unknown_variant_is_one_line_that_lists_the_known_ones(tmp_path, capsys):
    picture(tmp_path / "a.png")
    words = ["segment", str(tmp_path / "a.png"), "-p", "lungs", "-o", str(tmp_path / "out")]
    assert main([*words, "--bundle", "clip_sam", "--variant", "full_sam"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no configuration 'full_sam'" in line and "encoder_biomedclip, full, gscorecam" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("text", "said"), [("{", "can be read"), ("[1]", "a JSON object")])
def test_a_variant_that_is_no_configuration_is_refused(tmp_path, text, said):
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(InputError, match=rf"mine\.json: .*{said}"):
        config_files(find_bundle("vlsm"), [str(tmp_path / "mine.json")])


def test_a_run_uses_its_variant_records_it_and_does_not_take_masks_of_another(tmp_path, bundle, variant):
    picture(tmp_path / "a.png")
    out = tmp_path / "out"
    assert segment(tmp_path / "a.png", out, bundle) == 0
    assert "variants" not in report(out)["settings"]
    assert segment(tmp_path / "a.png", out, bundle, "--variant", str(variant)) == 0
    written = report(out)
    assert written["skipped"] == 0 and written["results"][0]["threshold"] == 0.75
    assert written["settings"]["variants"] == variant_fingerprints(bundle, [str(variant)])
    assert segment(tmp_path / "a.png", out, bundle, "--variant", str(variant)) == 0
    assert report(out)["skipped"] == 1


def test_what_is_tuned_is_tuned_from_the_variant_on(bundle, variant):
    assert read_values(bundle)["mask_threshold"] == 0.5
    assert read_values(bundle, [str(variant)])["mask_threshold"] == 0.75


def test_python_takes_variants_too(bundle, variant):
    segmenter = monai_ext.load(bundle, device="cpu", variants=[str(variant)])
    assert (segmenter.threshold, segmenter.presence_threshold) == (0.75, 0.0)


@pytest.mark.parametrize(
    "text", ["lungs", "it's 50 %#a @b::c $d", 'a\\n"b"', "größe ; 肺", "__import__('os')"]
)
def test_a_text_reaches_the_configuration_as_it_is(text):
    from monai.bundle import ConfigParser

    parser = ConfigParser({"a": literal(text), "b": {"c": "@a"}})
    assert parser.get_parsed_content("b") == {"c": text}
