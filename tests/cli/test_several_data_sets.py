"""Where a command takes a folder of data it takes several, and sets without the list that is asked for are passed over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_ext.cli.main import main
from tests.studies.compared import breast_set, grey_bundle


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    return grey_bundle(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def data(tmp_path) -> list[str]:
    """Options for a parent of one set, a set beside it, and a parent whose only set has no validation list."""
    for parent, name in (("first", "breast"), ("third", "breast_more")):
        (tmp_path / parent).mkdir()
        breast_set(tmp_path / parent / name)
    breast_set(tmp_path / "second")
    file = tmp_path / "third" / "breast_more" / "dataset.json"
    table = json.loads(file.read_text())
    del table["validation"]
    file.write_text(json.dumps(table))
    return [word for name in ("first", "second", "third") for word in ("--data", str(tmp_path / name))]


def words(data: list[str], out: Path) -> list[str]:
    return [*data, "--split", "validation", "-o", str(out), "--device", "cpu", "--trust", "--quiet"]


def test_evaluate_pools_them(grey, data, tmp_path):
    assert main(["evaluate", str(grey), *words(data, tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / "setting.json").read_text())
    assert record["facts"]["sets"] == {"breast": 4, "second": 4}
    assert main(["evaluate", str(grey), *words(data, tmp_path / "one"), "--sets", "second"]) == 0
    record = json.loads((tmp_path / "one" / "setting.json").read_text())
    assert record["facts"]["sets"] == {"second": 4}


def test_tune_chooses_on_all_of_them(grey, data, tmp_path):
    asked = ["--set", "mask_threshold=0.42,0.3"]
    assert main(["tune", str(grey), *words(data, tmp_path / "out"), *asked]) == 0
    report = json.loads((tmp_path / "out" / "tune.json").read_text())
    assert (report["sets"], report["best"]["setting"]) == (
        {"breast": 4, "second": 4},
        {"mask_threshold": 0.42},
    )


def test_compare_compares_on_all_of_them_and_its_floors_learn_from_all_training_lists(grey, data, tmp_path):
    command = ["compare", str(grey), *words(data, tmp_path / "out"), "--no-paraphrases"]
    assert main(command) == 0
    report = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert report["sets"] == {"breast": 4, "second": 4}
    assert {row["name"] for row in report["methods"]} == {"grey", "mean mask", "Otsu"}
    assert list(report["subgroups"]["set"]) == ["breast", "second"]


@pytest.mark.parametrize("command", ["evaluate", "tune", "compare"])
def test_one_that_is_not_there_and_one_given_twice_are_refused_in_a_line(
    grey, data, tmp_path, capsys, command
):
    more = ["--set", "mask_threshold=0.3"] if command == "tune" else []
    for extra, reason in (
        ("nowhere", "nowhere: no such file or folder."),
        ("second", "named second is also in"),
    ):
        out = tmp_path / "out"
        call = [command, str(grey), *words(data, out), "--data", str(tmp_path / extra), *more]
        assert main(call) == 2
        err = capsys.readouterr().err
        assert reason in err and len(err.splitlines()) == 1
        assert not out.exists()
