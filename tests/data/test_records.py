"""Records tell parts of a method by class and attributes, so that a result with another part is done again."""

from monai_ext.data.records import CaseRecords
from monai_ext.masks import OtsuMask, VisualPrompts


def test_parts_of_a_method_are_told_by_class_and_attributes(tmp_path):
    records = CaseRecords(tmp_path, {"coarse": OtsuMask(0.25), "visual": VisualPrompts("points", count=5)})
    assert records.settings == {
        "coarse": {"method": "OtsuMask", "confidence": 0.25},
        "visual": {"method": "VisualPrompts", "kind": "points", "boxes": "components", "count": 5, "seed": 0},
    }


def test_a_case_done_with_another_part_is_not_finished(tmp_path):
    item = {"case": "a", "input_sha256": "0"}
    (tmp_path / "a.png").touch()
    CaseRecords(tmp_path, {"coarse": OtsuMask(0.25)}).write("a", "0", [{"mask": "a.png"}])
    assert CaseRecords(tmp_path, {"coarse": OtsuMask(0.25)}).finished(item) == [{"mask": "a.png"}]
    assert CaseRecords(tmp_path, {"coarse": OtsuMask(0.5)}).finished(item) is None
