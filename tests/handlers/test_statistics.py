"""The table of a run: JSON and CSV with the same rows."""

from __future__ import annotations

import csv
import json

from monai_ext.handlers.statistics import write_statistics

FIGURES = {"components": 2, "centroid": [1.5, -2.0, 3.0], "flatness": None, "mean": 0.25}
FOUND = {
    "case": "a",
    "prompt": 'liver; "x", é',
    "mask": "a/liver.nii.gz",
    "presence": 0.9,
    "voxels": 12,
    "volume_ml": 0.5,
    "warnings": ["the file names no modality"],
    "statistics": FIGURES,
}
EMPTY = {
    **FOUND,
    "case": "b",
    "voxels": 0,
    "volume_ml": 0.0,
    "warnings": ["doubtful", "judged absent"],
    "statistics": {"components": 0, **dict.fromkeys(["centroid", "flatness", "mean"])},
}


def test_json_and_csv_hold_the_same_rows(tmp_path):
    write_statistics(tmp_path / "statistics.json", [EMPTY, FOUND])
    empty, found = json.loads((tmp_path / "statistics.json").read_text(encoding="utf-8"))
    assert found == {
        **dict.fromkeys(["segment", "roi", "area_mm2", "area_px"]),
        **{key: FOUND[key] for key in ("case", "prompt", "mask", "presence", "voxels", "volume_ml")},
        **FIGURES,
        "reason": "",
    }
    assert (empty["centroid"], empty["reason"]) == (None, "judged absent")
    with (tmp_path / "statistics.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert (first["voxels"], first["centroid_x"], first["mean"], first["reason"]) == (
        "0",
        "",
        "",
        "judged absent",
    )
    assert [second[f"centroid_{axis}"] for axis in "xyz"] == ["1.5", "-2.0", "3.0"]
    assert (second["prompt"], second["flatness"]) == (FOUND["prompt"], "")


def test_the_coordinates_of_a_picture_leave_the_third_column_empty(tmp_path):
    write_statistics(tmp_path / "s.json", [{**FOUND, "statistics": {"centroid": [1.0, 2.0]}}])
    with (tmp_path / "s.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert [row[f"centroid_{axis}"] for axis in "xyz"] == ["1.0", "2.0", ""]


def test_results_without_figures_write_nothing(tmp_path):
    write_statistics(tmp_path / "s.json", [{key: FOUND[key] for key in FOUND if key != "statistics"}])
    assert list(tmp_path.iterdir()) == []
