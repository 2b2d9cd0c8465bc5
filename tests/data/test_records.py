"""Records state what a result depends on, modules of a method by class and attributes, and other ones are done again."""

import pytest

from monai_ext.data.records import CaseRecords
from monai_ext.masks import OtsuMask, VisualPrompts


def test_modules_of_a_method_are_recorded_by_class_and_attributes(tmp_path):
    records = CaseRecords(tmp_path, {"coarse": OtsuMask(0.25), "visual": VisualPrompts("points", count=5)})
    assert records.settings == {
        "coarse": {"method": "OtsuMask", "confidence": 0.25},
        "visual": {"method": "VisualPrompts", "kind": "points", "boxes": "components", "count": 5, "seed": 0},
    }


def test_a_case_done_with_another_module_is_not_finished(tmp_path):
    item = {"case": "a", "input_sha256": "0"}
    (tmp_path / "a.png").touch()
    CaseRecords(tmp_path, {"coarse": OtsuMask(0.25)}).write("a", "0", [{"mask": "a.png"}])
    assert CaseRecords(tmp_path, {"coarse": OtsuMask(0.25)}).finished(item) == [{"mask": "a.png"}]
    assert CaseRecords(tmp_path, {"coarse": OtsuMask(0.5)}).finished(item) is None


def records(folder, **more):
    known = {
        "bundle": ("vlsm", "0.1.0"),
        "weights": {"name": "vlsm", "sha256": "ab"},
        "prompt": "lungs; heart",
    }
    return CaseRecords(folder, {"mask_threshold": 0.5}, **{**known, **more})


def test_bundle_weights_and_prompts_are_settings(tmp_path):
    assert records(tmp_path).settings == {
        "bundle": "vlsm",
        "version": "0.1.0",
        "weights": "ab",
        "prompt": [["lungs"], ["heart"]],
        "mask_threshold": 0.5,
    }


@pytest.mark.parametrize(
    ("more", "finished"),
    [
        ({}, True),
        ({"prompt": ["lungs", "heart"]}, True),
        ({"weights": {"name": "renamed", "sha256": "ab"}}, True),
        ({"prompt": "lungs"}, False),
        ({"weights": {"name": "vlsm", "sha256": "cd"}}, False),
        ({"bundle": ("vlsm", "0.2.0")}, False),
        ({"bundle": ("clip_sam", "0.1.0")}, False),
        ({"resume": False}, False),
    ],
)
def test_a_case_is_finished_by_the_same_bundle_weights_and_prompts(tmp_path, more, finished):
    (tmp_path / "a.png").touch()
    records(tmp_path).write("a", "0", [{"mask": "a.png"}])
    found = records(tmp_path, **more).finished({"case": "a", "input_sha256": "0"})
    assert (found == [{"mask": "a.png"}]) is finished
