"""The clip_sam bundle from the command line, with small random parts; its presets and its evaluation."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from PIL import Image

import monai_ext
from monai_ext.bundle.export import export
from monai_ext.cli.main import main
from monai_ext.errors import WeightsError
from monai_ext.masks import MaskedImages
from monai_ext.networks.clip_sam import ClipSAM
from monai_ext.prompts.library import PromptLibrary
from monai_ext.weights import read_registry
from tests.bundles.small import contents, opened, picture, small_clip_sam
from tests.networks.test_clip_sam import ColourDecoder, ColourEncoder, by_colour

CONFIGS = Path(__file__).resolve().parents[2] / "bundles" / "clip_sam" / "configs"
PRESETS = sorted(path.name for path in CONFIGS.glob("full_*.json"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return small_clip_sam(tmp_path_factory.mktemp("bundles"))


def segment(source, out, bundle, *more):
    return main(["segment", str(source), "-o", str(out), "--bundle", str(bundle), "--quiet", *more])


def test_a_picture_gets_a_mask_of_every_prompt_and_the_same_bytes_again(bundle, tmp_path):
    source = picture(tmp_path / "a.png")
    for name in ("1", "2"):
        assert segment(source, tmp_path / name, bundle, "-p", "lungs; heart", "--preview") == 0
    report = json.loads((tmp_path / "1" / "report.json").read_text())
    assert report["bundle"] == "clip_sam"
    assert report["weights"]["name"] == "compact-clip + compact-sam"
    assert [row["prompt"] for row in report["results"]] == ["lungs", "heart"]
    assert all(0 < row["voxels"] < 24 * 40 and row["presence"] > 0.5 for row in report["results"])
    first, second = contents(tmp_path / "1"), contents(tmp_path / "2")
    del first["report.json"], second["report.json"]
    assert len(first) == 5 and first == second


def test_a_folder_goes_on_where_it_stopped_unless_a_setting_differs(bundle, tmp_path):
    source = picture(tmp_path / "a.png")
    for expected in (0, 1):
        assert segment(source, tmp_path / "out", bundle, "-p", "lungs") == 0
        assert json.loads((tmp_path / "out" / "report.json").read_text())["skipped"] == expected
    config = bundle / "configs" / "inference.json"
    before = config.read_text()
    config.write_text(before.replace('"fill": "black"', '"fill": "crop"'))
    try:
        assert segment(source, tmp_path / "out", bundle, "-p", "lungs") == 0
    finally:
        config.write_text(before)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["skipped"] == 0


def test_from_python_and_exported_it_gives_the_same_masks(bundle, tmp_path):
    exported = export(bundle, tmp_path / "exported")
    assert {p.name for p in (exported / "configs").iterdir()} == {
        p.name for p in (bundle / "configs").iterdir()
    }
    assert {"LICENSE", "docs", "large_files.yml", "models"} <= {p.name for p in exported.iterdir()}
    origin = json.loads((exported / "models" / "weights.json").read_text())
    assert origin["name"] == "compact-clip + compact-sam"
    image = np.array(Image.open(picture(tmp_path / "a.png")))
    one, other = (
        monai_ext.load(folder, device="cpu").segment(image, ["lungs"])[0] for folder in (bundle, exported)
    )
    assert one.found and one.presence == other.presence
    assert np.array_equal(one.mask, other.mask)


def test_metadata_and_properties_are_whole(bundle, tmp_path):
    flow = opened(bundle, tmp_path)
    assert flow.check_properties() == []
    network = flow.parser.get_parsed_content("network_def")
    assert network(torch.rand(1, 3, 24, 20)).shape == (1, 1, 24, 20)  # as MONAI's verify_net_in_out asks


def test_contrast_texts_of_views_are_the_canonical_sentences_and_backgrounds_and_places_need_none():
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "inference.json"))
    assert parser["compare"] == "places" and parser.get_parsed_content("contrast") == []
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "inference.json"))
    parser["compare"] = "views"
    contrast = parser.get_parsed_content("contrast")
    assert contrast[-4:] == parser["background"]
    assert PromptLibrary.load().canonical("lungs", "xray") in contrast and len(set(contrast)) > 30
    library = PromptLibrary.load()
    assert library.canonical("polyp", "endoscopy") in contrast


def test_weights_that_are_not_there_are_one_line(bundle, tmp_path, capsys):
    (without := tmp_path / "bundle").mkdir()
    (without / "configs").mkdir()
    for name in ("inference.json", "metadata.json"):
        text = (bundle / "configs" / name).read_text()
        (without / "configs" / name).write_text(
            text.replace('"encoder": "compact-clip"', '"encoder": "no-clip"')
        )
    assert segment(picture(tmp_path / "a.png"), tmp_path / "out", without, "-p", "lungs") == 3
    assert capsys.readouterr().err.startswith("error: no weights 'no-clip'; known are ")
    assert not (tmp_path / "out").exists()


def test_the_embedded_parts_segment_the_sample():
    sample = CONFIGS.parents[2] / "data" / "samples" / "breast_ultrasound.png"
    segmenter = monai_ext.load("clip_sam", device="cpu")
    assert segmenter.weights["name"] == "compact-clip + compact-sam"
    (found,) = segmenter.segment(sample, ["tumour in a breast ultrasound"])
    assert found.mask.shape == found.probability.shape and 0 <= found.presence <= 1


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_names_registered_weights_for_each_of_its_parts(name):
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / "inference.json"), str(CONFIGS / name)])
    with torch.device("meta"):
        network = parser.get_parsed_content("network_def")
    weights = parser.get_parsed_content("weights")
    assert {key.split(".")[0] for key in network.state_dict()} == weights.keys()
    assert weights.keys() == {"encoder", "decoder"} and read_registry().keys() >= set(weights.values())
    assert network.generator.points_per_side == 32
    assert sum(one.numel() for one in network.parameters()) > 1e8


def test_there_are_presets():
    assert PRESETS == ["full_medsam_biomedclip.json", "full_sam2_1.json", "full_sam_vit_b.json"]


class Wordy(ColourEncoder):
    """Every text is red, but for those of things that are not there: they are blue."""

    def encode_text(self, prompts):
        vectors = [[1.0, 0, 0] if "breast" in prompt.texts[0] else [0, 0, 1.0] for prompt in prompts]
        return torch.tensor(vectors)


def square(channels, column):
    """16 x 16, 4 rows and 4 columns bright in some channels, from a column each."""
    image = np.zeros((16, 16, 3), np.uint8)
    for channel, start in zip(channels, column):
        image[4:8, start : start + 4, channel] = 255
    return image


@pytest.fixture
def breast(tmp_path):
    """p1: the red square lies one pixel beside the label; p2: the green one is the label, and red is asked for."""
    folder = tmp_path / "breast"
    folder.mkdir()
    for name, image in {"p1": square([0], [5]), "p2": square([0, 1], [10, 4])}.items():
        Image.fromarray(image).save(folder / f"{name}.png")
        label = (square([0], [4])[..., 0] > 0).astype(np.uint8)
        Image.fromarray(label).save(folder / f"{name}_mask.png")
    entries = [
        {"id": n, "group": n, "image": f"{n}.png", "label": f"{n}_mask.png", "difficulty": level}
        for n, level in (("p1", "medium"), ("p2", "easy"))
    ]
    table = {
        "modality": {"0": "US"},
        "labels": {"0": "background", "1": "breast tumour"},
        "validation": entries,
    }
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder


def evaluate(folder, output, **overrides):
    flow = ConfigWorkflow(
        [str(CONFIGS / "inference.json"), str(CONFIGS / "evaluate.json")],
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        workflow_type="evaluation",
        bundle_root=str(CONFIGS.parent),
        dataset_dir=str(folder),
        output_dir=str(output),
        device="cpu",
        network_def=ClipSAM(Wordy(), ColourDecoder(), by_colour, MaskedImages()),
        initialize=[],
        absent=1,
        **overrides,
    )
    flow.initialize()
    assert flow.check_properties() == []
    flow.run()
    return json.loads((output / "metrics.json").read_text())


def means(figures):
    return {name: round(figures[name]["mean"], 6) for name in ("iou", "oracle_iou")}


def test_the_best_candidate_and_levels_of_difficulty_stand_beside_the_iou(breast, tmp_path):
    metrics = evaluate(breast, tmp_path / "out", overlay_cases="all")
    assert means(metrics["pooled"]) == {"iou": 0.3, "oracle_iou": 0.8}
    assert means(metrics["targets"]["breast tumour"]) == {"iou": 0.3, "oracle_iou": 0.8}
    assert {level: means(one) for level, one in metrics["difficulty"].items()} == {
        "easy": {"iou": 0.0, "oracle_iou": 1.0},
        "medium": {"iou": 0.6, "oracle_iou": 0.6},
    }
    assert list(metrics["difficulty"]) == ["easy", "medium"]
    with (tmp_path / "out" / "cases.csv").open(newline="") as file:
        rows = [(r["case"], r["target"], r["difficulty"], r["oracle_iou"]) for r in csv.DictReader(file)]
    assert rows == [
        ("p1", "", "medium", ""),
        ("p1", "breast tumour", "medium", "0.6"),
        ("p2", "", "easy", ""),
        ("p2", "breast tumour", "easy", "1"),
    ]
    assert sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir()) == [
        "breast-breast-tumour-0001-p2.png",
        "breast-breast-tumour-0002-p1.png",
    ]


def test_the_command_line_shows_the_best_candidate(bundle, breast, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    words = ["evaluate", str(bundle), "--data", str(breast), "--split", "validation"]
    assert main([*words, "-o", str(tmp_path / "out"), "--overlays", "all"]) == 0
    out = capsys.readouterr().out
    assert "IoU of best candidate" in out and "medium" in out
    assert len(list((tmp_path / "out" / "overlays").iterdir())) == 2


def test_parts_that_are_none_of_the_network_are_refused(bundle, tmp_path):
    from monai_ext.weights import load_into

    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    network = parser.get_parsed_content("network_def")
    with pytest.raises(WeightsError, match="weights for encoder; ClipSAM has the parts decoder, encoder"):
        load_into(network, {"encoder": "compact-clip"})
