"""The report of an evaluation: what it begins with, what it depends on, and that it is made of what is written."""

from __future__ import annotations

import pytest

from monai_ext.reports.evaluate import write_report
from tests.reports.parsed import parsed
from tests.reports.written import rows, write_evaluation

FACTS = {
    "bundle": "vlsm",
    "version": "0.1.0",
    "weights": {"name": "vlsm", "sha256": "ab12"},
    "data_sha256": "cd34",
    "versions": {"torch": "2.14"},
    "sets": {"breast": 6},
    "secret": "/home/mary",
}


@pytest.fixture
def written(tmp_path):
    return tmp_path, write_evaluation(tmp_path, rows(), FACTS)


def test_settings_and_hashes_are_stated_and_nothing_else_of_the_record(written):
    folder, _ = written
    path = write_report(folder)
    texts = parsed(path).texts
    pairs = {name: texts[texts.index(name) + 1] for name in ("bundle", "weights", "versions", "cases by set")}
    assert pairs == {
        "bundle": "vlsm",
        "weights": "name vlsm, sha256 ab12",
        "versions": "torch 2.14",
        "cases by set": "breast 6",
    }
    assert "mary" not in path.read_text() and str(folder) not in path.read_text()


def test_it_is_made_again_from_what_is_written(written):
    folder, _ = written
    first = write_report(folder).read_bytes()
    (folder / "report.html").unlink()
    assert write_report(folder).read_bytes() == first


def test_hostile_names_of_targets_cases_and_prompts_stay_text(tmp_path):
    name = "<script>alert(1)</script>"
    made = [{**row, "case": name + row["case"], "group": name + row["group"]} for row in rows(target=name)]
    write_evaluation(tmp_path, made, {"bundle": name})
    page = parsed(write_report(tmp_path))
    assert f"Evaluation of {name}" in page.texts and f"{name} (breast)" in page.texts
    assert any(name in value for value in page.values("alt"))


def test_without_any_target_it_says_so(tmp_path):
    write_evaluation(tmp_path, rows()[6:])
    texts = parsed(write_report(tmp_path)).texts
    assert "No target in any image, over 2 cases of 2 patients." in texts
    assert "All figures" not in texts and "Dice by target" not in texts
    assert texts[texts.index("presence AUC") + 1] == "undefined"
