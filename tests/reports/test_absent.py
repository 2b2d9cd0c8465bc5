"""The section of absent targets in a report."""

from __future__ import annotations

import csv

import pytest

from monai_ext.data.absent_prompts import KINDS
from monai_ext.errors import InputError
from monai_ext.metrics.absent import absent_figures, cross_table
from monai_ext.reports import absent
from monai_ext.reports.evaluate import write_report
from tests.reports.parsed import parsed
from tests.reports.written import rows, write_evaluation


def asked(row, kind, target, modality="", voxels=0, **more):
    told = {"kind": kind, "asked_for": target, "asked_modality": modality, "regions": "breast", "refused": 0}
    return {**row, "prompt": target, "voxels": voxels, **told, **more}


@pytest.fixture
def written(tmp_path):
    """Six patients with a tumour, and what two of them and another set were asked for beside it."""
    *shown, first, second = rows()
    made = [
        *(asked(row, "present", "tumour", "us", voxels=1) for row in shown),
        asked(first, "other modality, other region", "liver", "ct", voxels=4),
        asked(second, "other modality, other region", "liver", "ct"),
        asked(second, "other region", "fetal head", "us", refused=1),
        asked(first, "nonsense", "a spoon", voxels=3, set="chest"),
        asked(second, "nonsense", "a fork", set="chest"),
    ]
    write_evaluation(tmp_path, made, more={"absent": absent_figures(made, KINDS, samples=20)})
    with (tmp_path / "absent.csv").open("w", newline="") as file:
        lines = cross_table(made)
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return tmp_path


def test_the_section_has_figures_kinds_and_the_cross_table(written):
    page = parsed(write_report(written))
    assert page.texts[page.texts.index("absent prompts answered") + 1] == "40.0 %"
    assert page.texts[page.texts.index("T-acc. (recall)") + 1] == "1.000"
    kinds, cross = (table for table in page.tables if table[0][0] in ("kind of absence", ""))
    assert [row[:4] for row in kinds[1:]] == [
        ["other region", "1", "0", "0.0 %"],
        ["other modality, other region", "2", "1", "50.0 %"],
        ["nonsense", "2", "1", "50.0 %"],
        ["all", "5", "2", "40.0 %"],
    ]
    assert cross == [
        ["", "own", "ultrasound", "CT", "words"],
        ["", "recall", "fetal head", "liver", "nonsense"],
        ["breast", "100", "0", "50", ""],
        ["chest", "", "", "", "50"],
    ]
    titles = page.values("title")
    assert "liver on breast: 1 of 2 answered" in titles and "recall on breast: 6 of 6 answered" in titles
    coloured = [value for _, name, value in page.attributes if name == "class" and value.startswith("heat")]
    assert coloured == ["heat", "heat0", "heat0", "heat3", "heat0", "heat0", "heat0", "heat0", "heat3"]


def test_the_worst_pairs_are_named(written):
    texts = parsed(write_report(written)).texts
    assert "“a spoon” on chest: 1 of 1 answered (nonsense)" in texts
    assert "liver (CT) on breast: 1 of 2 answered (other modality, other region)" in texts


def test_other_evaluations_have_no_such_section(tmp_path):
    write_evaluation(tmp_path, rows())
    assert "Absent targets" not in parsed(write_report(tmp_path)).texts


def test_a_cross_table_that_is_missing_is_told(written):
    (written / "absent.csv").unlink()
    with pytest.raises(InputError, match=r"/absent.csv: cannot be read; run the command again"):
        write_report(written)


def test_healthy_images_count_where_their_target_stands():
    line = {"set": "breast", "modality": "us", "target": "tumour", "target_modality": "us"}
    lines = [
        {**line, "kind": "present", "asked": "4", "answered": "3"},
        {**line, "kind": "healthy", "asked": "5", "answered": "1"},
    ]
    heat = absent.cross_table(lines)
    assert heat.columns == ["recall", "tumour"]
    assert [(cell.text, cell.value) for cell in heat.rows[0][1]] == [("75", None), ("20", 0.2)]
