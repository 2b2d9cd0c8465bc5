"""The report of a search says what tune.json says, and shows the cases of the best setting."""

from __future__ import annotations

import json

import pytest

from monai_ext.reports.tune import SHOWN, write_report
from monai_ext.studies.evaluate import EvaluationTask
from monai_ext.studies.tune import run_tune
from tests.reports.parsed import parsed
from tests.studies.compared import breast_set, grey_bundle


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The folder of a search over two thresholds and the bundle's own, with Dice 2/3, 1 and 8/13."""
    folder = tmp_path_factory.mktemp("tuned")
    task = EvaluationTask(grey_bundle(folder), breast_set(folder / "breast"), "validation", device="cpu")
    run_tune(task, {"mask_threshold": [0.3, 0.42]}, folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def page(tuned):
    return parsed(write_report(tuned))


@pytest.fixture(scope="module")
def found(tuned):
    return json.loads((tuned / "tune.json").read_text())


def test_headline_figures_are_those_of_the_json(page, found):
    texts = page.texts
    assert "Best of 3 settings: mask_threshold=0.42" in texts
    at = texts.index("Dice, best setting")
    assert texts[at : at + 8] == [
        *("Dice, best setting", "1.000", "mask_threshold=0.42"),
        *("Dice, the bundle's own", "0.667"),
        *("gain", "+0.333", "95 %: 0.333 to 0.333"),
    ]
    assert {found["statement"], *found["notes"]} <= set(texts)


def test_settings_stand_in_a_table_the_best_first(page, found):
    titles, *lines = page.tables[0]
    assert titles[:3] == ["mask_threshold", "score", "gain"]
    assert [line[:3] for line in lines] == [
        ["0.42", "1.000", "+0.333"],
        ["0.5", "0.667", "+0.000"],
        ["0.3", "0.615", "-0.051"],
    ]
    assert [line[-1] for line in lines] == ["", "the bundle's own", ""]


def test_settings_stand_on_one_axis_that_holds_them_and_their_intervals(page):
    means = [mark["x1"] for mark in page.marks("mean")]
    assert means == ["100", "16.67", "3.85"]  # of .6 to 1


def test_each_value_of_an_id_has_the_scores_of_its_settings(page):
    ticks = [mark["x1"] for mark in page.marks("tick")][:3]
    assert ticks == ["3.85", "100", "16.67"]  # .3, .42, .5
    assert "best 0.615, n\u00a0=\u00a01" in page.texts


def test_the_cases_are_those_of_the_best_setting(page):
    assert ["Dice 1.000, presence" in text for text in page.values("alt")] == [True] * 3
    assert all(text.endswith("asked for “tumour in a breast ultrasound”") for text in page.values("alt"))


def test_what_the_figures_depend_on_is_stated_without_folders(tuned, page, found):
    texts = page.texts
    assert texts[texts.index("values to try") + 1] == "mask_threshold 0.3, 0.42"
    assert found["data_sha256"] in texts and found["configuration_sha256"] in texts
    assert str(tuned.parent) not in (tuned / "report.html").read_text()


def test_gain_on_another_list_is_a_headline_figure(tuned, tmp_path, found):
    held = {"cases": 4, "split": "test", "gain": 0.25, "gain_ci95": [0.1, 0.4]}
    page = parsed(write_report(altered(tuned, tmp_path, {**found, "holdout": held})))
    at = page.texts.index("gain elsewhere")
    assert page.texts[at + 1 : at + 3] == [
        "+0.250",
        "on 4 cases of 'test', which had no say; 95 %: 0.100 to 0.400",
    ]


def test_by_presence_the_interval_is_that_of_presence(tuned, tmp_path, found):
    settings = [{**row, "score": row["metrics"]["auc"]} for row in found["settings"]]
    best = {**settings[0], "gain_ci95": None}
    folder = altered(tuned, tmp_path, {**found, "metric": "auc", "settings": settings, "best": best})
    figures = json.loads((folder / settings[0]["folder"] / "metrics.json").read_text())
    low, high = figures["presence"]["ci95"]
    texts = parsed(write_report(folder)).texts
    assert f"{figures['presence']['auc']:.3f} ({low:.2f} to {high:.2f})" in texts
    assert "presence AUC, best setting" in texts


def test_values_are_in_the_order_of_their_size_and_texts_follow(tuned, tmp_path, found):
    row = found["settings"][0]
    values = [10, "low", 9.5, None]
    settings = [{**row, "setting": {"mask_threshold": value}} for value in values]
    page = parsed(write_report(altered(tuned, tmp_path, {**found, "settings": settings})))
    shown = [
        text
        for text in page.texts[page.texts.index("Values one by one") :]
        if text in ("10", "low", "9.5", "null")
    ]
    assert shown == ["9.5", "10", "null", "low"]


def test_of_many_settings_the_best_are_shown(tuned, tmp_path, found):
    many = [found["settings"][0]] * (SHOWN + 1)
    page = parsed(write_report(altered(tuned, tmp_path, {**found, "settings": many})))
    assert f"The {SHOWN} best of {SHOWN + 1}; all are in tune.csv." in page.texts
    assert len(page.tables[0]) == 1 + SHOWN


def altered(tuned, tmp_path, report):
    """A copy of the search with another tune.json."""
    import shutil

    shutil.copytree(tuned, tmp_path / "out")
    (tmp_path / "out/tune.json").write_text(json.dumps(report))
    return tmp_path / "out"
