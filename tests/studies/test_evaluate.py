"""An evaluation leaves a record of all that its figures depend on."""

from __future__ import annotations

import json

import pytest

from monai_ext.errors import InputError
from monai_ext.studies.evaluate import EvaluationTask, run_evaluation
from tests.bundles.small import contents
from tests.studies.compared import breast_set, grey_bundle


def task(folder, **more):
    return EvaluationTask(
        grey_bundle(folder), breast_set(folder / "breast"), "validation", device="cpu", **more
    )


def test_the_record_holds_bundle_weights_data_versions_and_no_folder(tmp_path):
    asked = task(tmp_path, variants=("exact",), overlays="some")
    figures = run_evaluation(asked, tmp_path / "out")
    written = contents(tmp_path / "out")
    record = json.loads(written["setting.json"])
    assert record["facts"] == json.loads(json.dumps(asked.facts()))
    assert record["setting"] == {} and record["seconds"] > 0
    assert (record["facts"]["bundle"], record["facts"]["cases"]) == ("grey", 4)
    assert len(record["facts"]["weights"]["sha256"]) == len(record["facts"]["data_sha256"]) == 64
    assert figures == json.loads(written["metrics.json"]) and figures["pooled"]["dice"]["mean"] == 1.0
    assert str(tmp_path).encode() not in written["setting.json"]


@pytest.mark.parametrize(
    ("overlays", "folders"), [("some", {"overlays", "panels"}), ("panels", {"panels"}), (None, set())]
)
def test_pictures_are_drawn_as_asked(tmp_path, overlays, folders):
    run_evaluation(task(tmp_path, overlays=overlays), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == folders


def test_an_evaluation_that_fails_leaves_no_record(tmp_path):
    asked = task(tmp_path)
    (tmp_path / "breast/p1.png").write_bytes(b"no picture")
    with pytest.raises(InputError):
        run_evaluation(asked, tmp_path / "out")
    assert not (tmp_path / "out").exists()
