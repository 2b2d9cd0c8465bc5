"""A comparison: figures worked out by hand, nothing evaluated twice, all kinds of methods in one table."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from monai_ext.bundle import runner
from monai_ext.errors import InputError
from monai_ext.studies import compare
from monai_ext.studies.compare_methods import Question
from monai_ext.studies.peak_memory import measure_peak, peak_bytes
from tests.bundles.small import contents
from tests.studies.compared import DICE, breast_set, grey_bundle


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    return grey_bundle(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def data(tmp_path):
    return breast_set(tmp_path / "breast")


@pytest.fixture
def runs(monkeypatch):
    """Variants and wordings of the evaluations that were run, in turn."""
    done = []
    evaluate = runner.run_evaluate

    def record(*args, variants, wording, **kwargs):
        done.append((*variants, wording))
        return evaluate(*args, variants=variants, wording=wording, **kwargs)

    monkeypatch.setattr(runner, "run_evaluate", record)
    return done


def run(methods, data, out, **more):
    return compare.run_compare(methods, Question(data, "validation", device="cpu"), out, trust=True, **more)


def test_the_table_is_that_worked_out_by_hand(grey, data, tmp_path, runs):
    lines: list[str] = []
    methods = [f"{grey}:low", str(grey), f"{grey}:exact"]
    report = run(methods, data, tmp_path / "out", by=["site"], say=lines.append)
    rows = {row["name"]: row for row in report["methods"]}
    assert {name: row["score"] for name, row in rows.items()} == pytest.approx(DICE)
    assert [row["name"] for row in report["methods"]][:3] == ["grey:exact", "grey", "grey:low"]
    best, second = report["methods"][:2]
    assert (best["p"], best["difference"], best["first_rank"], best["mean_rank"]) == (None, None, 1.0, 1.0)
    assert second["difference"] == pytest.approx(-1 / 3)
    assert (second["p"], second["p_holm"], second["patients"]) == (0.25, 1.0, 3)  # 2 of 2^3 signs, times 4
    assert rows["Otsu"]["mean_rank"] == rows["mean mask"]["mean_rank"] == 4.0  # three share 3, 4 and 5
    assert best["words"] == {"dice": 0.0, "spread": 1.0, "n": 3}  # the network is sure of one sentence only
    assert rows["Otsu"]["words"] is rows["Otsu"]["auc"] is rows["Otsu"]["seconds"] is None
    assert best["false_masks"] == {"mean": 1.0, "n": 1} and rows["Otsu"]["false_masks"]["n"] == 1
    assert best["seconds"] > 0
    assert report["subgroups"]["site"]["north"]["grey"] == {
        "mean": pytest.approx(2 / 3),
        "ci95": None,
        "n": 1,
        "p": 1.0,
    }
    assert report["subgroups"]["site"]["south"]["grey:exact"]["n"] == 2
    assert report["statement"] == (
        "take grey:exact: Dice 1.000, 0.333 more than grey, which 3 patients cannot tell from noise (p = 1)"
    )
    assert (report["cases"], report["patients"], report["sets"]) == (4, 3, {"breast": 4})
    assert "3 patients cannot show any difference: the test needs six for p below 0.05" in report["notes"]
    assert lines[0] == "5 methods, 8 evaluations of 4 cases"
    assert lines[1] == "1/5  grey:low: Dice 0.6154"
    words = [("low", "canonical"), ("low", "heldout"), ("canonical",), ("heldout",)]
    assert runs[:4] == words and len(runs) == 6


def test_what_is_written_is_whole_and_names_no_folder(grey, data, tmp_path):
    report = run([str(grey), f"{grey}:exact"], data, tmp_path / "out", paraphrases=False)
    assert json.loads((tmp_path / "out" / "compare.json").read_text()) == report
    with (tmp_path / "out" / "compare.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["method"] for row in table] == [row["name"] for row in report["methods"]]
    assert (table[1]["dice"], table[1]["difference"], table[0]["difference"]) == ("0.666667", "-0.333333", "")
    for row in report["methods"]:
        assert {"metrics.json", "cases.csv"} <= set(contents(tmp_path / "out" / row["folder"]))
    assert not any(str(tmp_path).encode() in content for content in contents(tmp_path / "out").values())


def test_nothing_is_evaluated_twice_and_methods_can_be_added(grey, data, tmp_path, runs):
    run([str(grey)], data, tmp_path / "out")
    assert len(runs) == 2
    lines: list[str] = []
    run([str(grey), f"{grey}:low"], data, tmp_path / "out", say=lines.append)
    assert runs[2:] == [("low", "canonical"), ("low", "heldout")]
    assert lines[0].endswith("6 evaluations of 4 cases; 4 of them done before")


def test_masks_from_elsewhere_join_and_missing_ones_are_told(grey, data, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for name in ("p1", "p3"):
        shutil.copy(data / f"{name}_mask.png", masks / f"{name}.png")
    report = run([str(grey), f"rater={masks}"], data, tmp_path / "out", floors=False, paraphrases=False)
    best = report["methods"][0]
    assert (best["name"], best["kind"], best["score"], best["dice"]["n"]) == ("rater", "masks", 1.0, 2)
    assert report["methods"][1]["patients"] == 2
    assert report["notes"][0] == (
        "rater: 2 masks of 4 missing and not scored (breast/p2/breast tumour, breast/healthy/breast tumour); methods are"
        " put in order by the others"
    )
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(masks / "p2.png")  # other masks are another evaluation
    again = run([str(grey), f"rater={masks}"], data, tmp_path / "out", floors=False, paraphrases=False)
    assert {row["name"]: row["score"] for row in again["methods"]} == pytest.approx(
        {"grey": 2 / 3, "rater": 2 / 3}
    )


def test_without_a_training_list_there_are_no_floors_and_a_note(grey, data, tmp_path):
    table = json.loads((data / "dataset.json").read_text())
    del table["training"]
    (data / "dataset.json").write_text(json.dumps(table))
    report = run([str(grey), f"{grey}:low"], data, tmp_path / "out", paraphrases=False)
    assert [row["kind"] for row in report["methods"]] == ["bundle", "bundle"]
    assert "there are no floors: the data have no list 'training' to learn them from" in report["notes"]
    with pytest.raises(InputError, match="one method; give two or more"):
        run([str(grey)], data, tmp_path / "one", paraphrases=False)
    assert not (tmp_path / "one").exists()


def test_a_folder_of_another_comparison_is_refused(grey, data, tmp_path, runs):
    run([str(grey)], data, tmp_path / "out", paraphrases=False)
    shutil.copy(data / "p2_mask.png", data / "healthy_mask.png")
    for damage in (False, True):
        if damage:
            (tmp_path / "out" / "compare.json").write_text("{")
        with pytest.raises(InputError, match="^out: it holds a comparison on other cases; choose another"):
            run([str(grey)], data, tmp_path / "out", paraphrases=False)
    assert len(runs) == 1


def test_one_configuration_under_two_names_is_refused(grey, data, tmp_path, runs):
    (tmp_path / "other").mkdir()
    shutil.copy(grey / "configs" / "low.json", tmp_path / "other" / "low.json")
    methods = [f"{grey}:low", f"{grey}:{tmp_path / 'other' / 'low.json'}"]
    with pytest.raises(InputError, match="grey:low stands twice; a comparison is of different methods"):
        run(methods, data, tmp_path / "out")
    masks = [f"a={data / 'masks'}", f"b={data / 'masks'}"]
    (data / "masks").mkdir()
    shutil.copy(data / "p1_mask.png", data / "masks" / "p1.png")
    with pytest.raises(InputError, match="b is the same as a; a comparison is of different methods"):
        run(masks, data, tmp_path / "out")
    assert runs == [] and not (tmp_path / "out").exists()


def test_memory_is_measured_once(grey, data, tmp_path, monkeypatch):
    measured = []
    monkeypatch.setattr(compare, "measure_peak", lambda task: measured.append(task) or 5 * 10**8)
    for _ in range(2):
        report = run([str(grey)], data, tmp_path / "out", paraphrases=False, memory=True)
    peaks = {row["name"]: row["peak_bytes"] for row in report["methods"]}
    assert peaks == {"grey": 5 * 10**8, "mean mask": None, "Otsu": None} and len(measured) == 1


def test_memory_is_that_of_a_process_of_its_own(grey, data):
    task = Question(data, "validation", device="cpu").task(grey, ())
    assert 5e7 < measure_peak(task) < 3e9
    before = peak_bytes()
    filled = np.ones(before // 8 + 10**7)  # more than all that was used so far
    assert peak_bytes() > before and filled.all()


def test_lesions_are_counted_where_a_target_has_several_parts(grey, data, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for name in ("p1", "p3"):
        shutil.copy(data / f"{name}_mask.png", masks / f"{name}.png")
    label = np.asarray(Image.open(data / "p1_mask.png")).copy()
    label[12:14, 12:14] = 1  # a second tumour, which neither finds
    Image.fromarray(label).save(data / "p1_mask.png")
    report = run([str(grey), f"rater={masks}"], data, tmp_path / "out", floors=False, paraphrases=False)
    lesions = {row["name"]: row["lesions"] for row in report["methods"]}
    counts = {name: [one[key] for key in ("tp", "fp", "fn", "n")] for name, one in lesions.items()}
    assert counts == {
        "grey": [3, 1, 1, 4],
        "rater": [2, 0, 1, 2],
    }  # grey finds one in the healthy breast, too
    assert lesions["grey"]["mean"] == pytest.approx(0.75) and lesions["rater"]["mean"] == pytest.approx(0.8)
    assert lesions["grey"]["targets"] == ["breast tumour"]
    with (tmp_path / "out" / "compare.csv").open(newline="") as file:
        assert {row["method"]: row["lesions"] for row in csv.DictReader(file)} == {
            "grey": "0.75",
            "rater": "0.8",
        }


def test_evaluations_of_before_that_hold_other_scores_are_run_again(grey, data, tmp_path, runs, monkeypatch):
    (data / "masks").mkdir()
    shutil.copy(data / "p1_mask.png", data / "masks" / "p1.png")
    methods = [str(grey), f"rater={data / 'masks'}"]
    for number in (1, 2):
        monkeypatch.setattr("monai_ext.studies.evaluate.SCORES", number)
        monkeypatch.setattr("monai_ext.studies.scored_masks.SCORES", number)
        run(methods, data, tmp_path / "out", floors=False, paraphrases=False)
        assert len(runs) == number
        assert len(list((tmp_path / "out" / "runs").iterdir())) == 2 * number
