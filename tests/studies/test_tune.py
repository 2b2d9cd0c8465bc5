"""The search over settings: the best is that worked out by hand, nothing runs twice, and the use of labels is stated."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image

from monai_ext.bundle import runner
from monai_ext.cli.main import main
from monai_ext.networks.segmenter import Segmentation, TextPromptedSegmenter
from monai_ext.resources import resource_path
from tests.bundles.small import contents

PROMPT = "tumour in a breast ultrasound"
# Of a label of 16 pixels, 8 are found at any threshold, 8 more below .45 and 20 outside of it below .4.
DICE = {0.3: 32 / 52, 0.42: 1.0, 0.5: 16 / 24, 1: 0.0}


class Grey(TextPromptedSegmenter):
    """A pixel's probability is its grey value; sure of one prompt, and of no other."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def encode(self, image):
        return {"image": image}

    def segment(self, features, prompts):
        sure = torch.tensor([0.9 if prompt.texts[0] == PROMPT else 0.1 for prompt in prompts])
        return Segmentation(features["image"][:, :1].logit(1e-6) * self.scale, sure.logit())


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    """A bundle with that network."""
    bundle = tmp_path_factory.mktemp("bundles") / "grey"
    shutil.copytree(resource_path("vlsm", "bundles"), bundle, ignore=shutil.ignore_patterns("models"))
    config = bundle / "configs" / "inference.json"
    content = json.loads(config.read_text())
    content["network_def"] = {"_target_": "tests.studies.test_tune.Grey"}
    config.write_text(json.dumps(content))
    (bundle / "models").mkdir()
    torch.save(Grey().state_dict(), bundle / "models" / "model.pt")
    return bundle


@pytest.fixture
def data(tmp_path):
    """Three patients to choose by, and two in a list "test" whose labels hold the pixels around too."""
    folder = tmp_path / "breast"
    folder.mkdir()
    image, inner, outer = (np.zeros((16, 16), np.uint8) for _ in range(3))
    image[3:9, 3:9], outer[3:9, 3:9] = round(0.4 * 255), 1
    image[4:8, 4:6], image[4:8, 6:8], inner[4:8, 4:8] = 255, round(0.45 * 255), 1
    lists = {"validation": ("p1", "p2", "p3"), "test": ("q1", "q2")}
    table = {"modality": {"0": "US"}, "labels": {"0": "background", "1": "breast tumour"}}
    for number, name in enumerate(name for names in lists.values() for name in names):
        split = "validation" if name in lists["validation"] else "test"
        image[0, 0] = number  # each is another image
        Image.fromarray(image).save(folder / f"{name}.png")
        Image.fromarray(inner if split == "validation" else outer).save(folder / f"{name}_mask.png")
        item = {"id": name, "group": name, "image": f"{name}.png", "label": f"{name}_mask.png"}
        table.setdefault(split, []).append(item)
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder


@pytest.fixture
def runs(monkeypatch):
    """Settings of the evaluations that were run, in turn."""
    done = []
    evaluate = runner.run_evaluate

    def record(*args, settings, **kwargs):
        done.append({key: value for key, value in settings.items() if key != "overlays"})
        return evaluate(*args, settings=settings, **kwargs)

    monkeypatch.setattr(runner, "run_evaluate", record)
    return done


def tune(
    bundle: Path, data: Path, out: Path, *more: str, values: str = "mask_threshold=0.3,0.42,0.5,1"
) -> int:
    words = ["--data", str(data), "--split", "validation", "-o", str(out), "--device", "cpu", "--trust"]
    return main(["tune", str(bundle), *words, "--set", values, *more])


def report_of(out: Path) -> dict:
    return json.loads((out / "tune.json").read_text())


def test_the_best_of_four_thresholds_is_that_worked_out_by_hand(grey, data, tmp_path, capsys, runs):
    assert tune(grey, data, tmp_path / "out") == 0
    report = report_of(tmp_path / "out")
    scores = {row["setting"]["mask_threshold"]: row["score"] for row in report["settings"]}
    assert scores == pytest.approx(DICE)
    assert list(scores) == [0.42, 0.5, 0.3, 1]  # best first
    assert report["best"]["setting"] == {"mask_threshold": 0.42}
    assert report["best"]["gain"] == pytest.approx(1 / 3)
    assert report["best"]["gain_ci95"] == pytest.approx([1 / 3, 1 / 3])
    assert report["default"]["setting"] == {"mask_threshold": 0.5} and report["default"]["gain"] == 0
    assert report["best"]["sets"]["breast"]["dice"] == 1
    assert (report["cases"], report["sets"], report["complete"]) == (3, {"breast": 3}, True)
    assert report["weights"]["source"] == "models/model.pt" and len(report["weights"]["sha256"]) == 64
    assert runs == [{}, {"mask_threshold": 0.3}, {"mask_threshold": 0.42}, {"mask_threshold": 1}]

    with (tmp_path / "out" / "tune.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["mask_threshold"], r["dice"], r["default"]) for r in rows] == [
        ("0.42", "1", "False"),
        ("0.5", "0.666667", "True"),
        ("0.3", "0.615385", "False"),
        ("1", "0", "False"),
    ]
    out, err = capsys.readouterr()
    assert err == ""
    assert "4 settings: 4 evaluations of 3 cases, by dice\n1/4  the bundle's own: dice 0.6667" in out
    assert (
        "best of 4: dice 1.000, the bundle's own 0.667; difference +0.333 (95 % interval over patients" in out
    )


def test_the_use_of_labels_is_stated_on_the_screen_in_the_report_and_in_the_overlay(
    grey, data, tmp_path, capsys
):
    assert tune(grey, data, tmp_path / "out") == 0
    report, sentence = report_of(tmp_path / "out"), "labels of the list 'validation' choose the setting, so"
    assert report["labels_used"] is True
    assert report["statement"] == f"{sentence} results with it are not zero-shot."
    assert capsys.readouterr().out.count(sentence) == 2  # before and after
    described = json.loads((tmp_path / "out" / "best.json").read_text())["_desc_"]
    assert sentence in described[0] and "not zero-shot" in described[0]
    assert any("--holdout NAME" in note for note in report["notes"])
    written = contents(tmp_path / "out").values()
    assert written and not any(str(tmp_path).encode() in content for content in written)


def test_the_overlay_gives_the_scores_of_the_best(grey, data, tmp_path):
    assert tune(grey, data, tmp_path / "out", "--set", "inferer#neighbour_share=0.4,1") == 0
    files = [str(grey / "configs/inference.json"), str(tmp_path / "out" / "best.json")]
    laid = ConfigParser.load_config_files(files)
    assert laid["mask_threshold"] == 0.42
    assert laid["inferer"]["neighbour_share"] == 0.4  # a default that inference.json does not write
    best = tmp_path / "best"
    shutil.copytree(grey, best)
    (best / "configs/inference.json").write_text(json.dumps(laid))
    assert runner.run_evaluate(best, data, "validation", tmp_path / "e")["pooled"]["dice"]["mean"] == 1


def test_nothing_is_run_twice_and_further_values_join_the_earlier_ones(grey, data, tmp_path, capsys, runs):
    assert tune(grey, data, tmp_path / "out", values="mask_threshold=0.3,0.5") == 0
    assert len(runs) == 2
    capsys.readouterr()
    assert tune(grey, data, tmp_path / "out", values="mask_threshold=0.3,0.42") == 0
    assert runs[2:] == [{"mask_threshold": 0.42}]
    out = capsys.readouterr().out
    assert "2 settings and the bundle's own: 3 evaluations of 3 cases, by dice; 2 of them done before" in out
    assert "2/3  mask_threshold=0.3: dice 0.6154 (done before)" in out
    assert tune(grey, data, tmp_path / "out", "--quiet", "--metric", "iou", values="mask_threshold=1") == 0
    assert runs[3:] == [{"mask_threshold": 1}]
    report = report_of(tmp_path / "out")
    assert [row["setting"]["mask_threshold"] for row in report["settings"]] == [0.42, 0.5, 0.3, 1]
    assert [round(row["score"], 4) for row in report["settings"]] == [1, 0.5, 0.4444, 0]
    assert capsys.readouterr() == ("", "")


def test_other_data_or_another_bundle_is_run_again(grey, data, tmp_path, runs):
    assert tune(grey, data, tmp_path / "out", values="mask_threshold=0.3") == 0
    Image.open(data / "p2_mask.png").point(lambda value: value and 0).save(data / "p1_mask.png")
    assert tune(grey, data, tmp_path / "out", values="mask_threshold=0.3") == 0
    assert len(runs) == 4
    assert len(report_of(tmp_path / "out")["settings"]) == 2  # the earlier two are of other labels


def test_what_is_finished_stays_when_the_search_is_stopped(grey, data, tmp_path, capsys, monkeypatch):
    evaluate, done = runner.run_evaluate, []

    def stopped(*args, **kwargs):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(evaluate(*args, **kwargs))
        return done[-1]

    with monkeypatch.context() as patch:
        patch.setattr(runner, "run_evaluate", stopped)
        assert tune(grey, data, tmp_path / "out") == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    report = report_of(tmp_path / "out")
    assert (report["complete"], report["done"], len(report["settings"])) == (False, "2 of 4", 2)
    assert tune(grey, data, tmp_path / "out") == 0
    assert "; 2 of them done before" in capsys.readouterr().out
    assert report_of(tmp_path / "out")["best"]["score"] == 1


def test_a_holdout_scores_the_best_and_the_bundles_own_once(grey, data, tmp_path, capsys, runs):
    assert tune(grey, data, tmp_path / "out", "--holdout", "test", "--limit", "1") == 0
    held = report_of(tmp_path / "out")["holdout"]
    # of labels of 36 pixels the best finds 16, the bundle's own 8
    assert (held["split"], held["cases"], held["sets"]) == ("test", 2, {"breast": 2})
    assert held["best"]["dice"] == pytest.approx(32 / 52)
    assert held["default"]["dice"] == pytest.approx(16 / 44)
    assert held["gain"] == pytest.approx(32 / 52 - 16 / 44)
    assert len(runs) == 4 + 2
    out = capsys.readouterr().out
    assert (
        "4 evaluations of 1 case drawn of 3 (seed 0), by dice; then the best and the bundle's own on 2" in out
    )
    assert (
        "on 2 cases of 'test', which had no say: dice 0.615, the bundle's own 0.364; difference +0.252" in out
    )
    assert "only 1 of 3 cases were scored" in out
    assert "--holdout NAME" not in out
    assert tune(grey, data, tmp_path / "out", "--holdout", "test", "--limit", "1", "--quiet") == 0
    assert len(runs) == 6


def test_where_nothing_is_better_the_bundles_own_is_the_best(grey, data, tmp_path, capsys, runs):
    assert tune(grey, data, tmp_path / "out", "--holdout", "test", values="mask_threshold=0.3,1") == 0
    report = report_of(tmp_path / "out")
    assert report["best"]["default"] and report["best"]["gain"] == report["holdout"]["gain"] == 0
    assert report["notes"] == ["no setting is better than the bundle's own"]
    out = capsys.readouterr().out
    assert "best of 3: dice 0.667, the bundle's own\n" in out
    assert "on 2 cases of 'test', which had no say: dice 0.364, the bundle's own\n" in out
    assert json.loads((tmp_path / "out" / "best.json").read_text())["mask_threshold"] == 0.5
    assert len(runs) == 3 + 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to try: give --set KEY=V1,V2,..."),
        (
            ["--set", "mask_treshold=0.3"],
            "--set mask_treshold: no such id in the bundle's inference.json; near are",
        ),
        (["--set", "mask_threshold=0.3,7"], "mask_threshold=7: mask_threshold is 7; it lies in [0, 1]."),
        (
            ["--set", "inferer#neighbour_share=2"],
            "inferer#neighbour_share=2: neighbour_share is 2; it lies in [0, 1].",
        ),
        (["--set", "mask_threshold=.3"], '--set mask_threshold: ".3" is a text, a number is needed, such as'),
        (
            ["--set", "mask_threshold=0.3", "--metric", "hd95"],
            "--metric hd95: it is undefined for empty masks",
        ),
        (
            ["--set", "mask_threshold=0.3", "--holdout", "validation"],
            "--holdout validation: that is the list the",
        ),
        (["--set", "mask_threshold=0.3", "--holdout", "nosuch"], "{data}: no list 'nosuch' in dataset.json"),
        (["--set", "mask_threshold=0.3", "--samples", "0"], "Invalid value for '--samples'"),
        (["--set", "mask_threshold=0.3", "--sets", ","], "--sets names no set"),
        (["--set", "mask_threshold=0.3", "--wording", "nonsense"], "wording is 'nonsense', which names no"),
        (["--set", "mask_threshold=0.3", "--wording", "free"], "wording is 'free'; choose from canonical"),
    ],
)
def test_what_cannot_be_searched_is_one_line_and_nothing_runs(
    grey, data, tmp_path, capsys, runs, words, message
):
    arguments = ["--data", str(data), "--split", "validation", "-o", str(tmp_path / "out"), "--trust"]
    assert main(["tune", str(grey), *arguments, *words]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: " + message.format(data=data)) and err.count("\n") == 1
    assert (out, runs, (tmp_path / "out").exists()) == ("", [], False)


def test_a_metric_that_there_is_not_names_those_there_are(grey, data, tmp_path, capsys):
    assert tune(grey, data, tmp_path / "out", "--quiet", "--metric", "dcie") == 2
    assert capsys.readouterr().err == "error: metric 'dcie': choose from dice, iou, nsd, auc.\n"


def test_a_setting_that_fails_while_it_runs_is_named_and_the_others_stay(
    grey, data, tmp_path, capsys, monkeypatch
):
    evaluate = runner.run_evaluate

    def failing(*args, settings, **kwargs):
        if settings.get("mask_threshold") == 0.42:
            raise RuntimeError("not enough memory")
        return evaluate(*args, settings=settings, **kwargs)

    monkeypatch.setattr(runner, "run_evaluate", failing)
    assert tune(grey, data, tmp_path / "out", "--quiet") == 2
    assert capsys.readouterr().err == (
        "error: mask_threshold=0.42: the bundle does not run with it (RuntimeError: not enough memory).\n"
    )
    assert report_of(tmp_path / "out")["done"] == "2 of 4"
    monkeypatch.setattr(
        runner, "run_evaluate", lambda *args, **kwargs: 1 / 0
    )  # the bundle's own is no setting
    assert tune(grey, data, tmp_path / "other", "--quiet") == 1
    assert not (tmp_path / "other").exists()


def test_weights_that_cannot_be_loaded_are_exit_code_3(grey, data, tmp_path, capsys):
    broken = Path(shutil.copytree(grey, tmp_path / "broken"))
    (broken / "models" / "model.pt").write_bytes(b"damaged")
    assert tune(broken, data, tmp_path / "out") == 3
    assert capsys.readouterr().err.startswith("error: model.pt: damaged")
    assert not (tmp_path / "out").exists()
