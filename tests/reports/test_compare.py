"""The report of a comparison says what compare.json says, and shows the cases of the best."""

from __future__ import annotations

import json
import shutil

import pytest

from monai_ext.reports.compare import write_report
from monai_ext.studies.compare import run_compare
from monai_ext.studies.compare_methods import Question
from monai_ext.studies.compare_table import method_cells
from tests.reports.parsed import parsed
from tests.studies.compared import DICE, breast_set, grey_bundle


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The folder of a comparison of two methods and two floors on three patients and one image without a tumour."""
    folder = tmp_path_factory.mktemp("compared")
    grey = grey_bundle(folder)
    question = Question(breast_set(folder / "breast"), "validation", device="cpu")
    texts = [str(grey), f"{grey}:exact"]
    run_compare(texts, question, folder / "out", by=["site"], paraphrases=False, trust=True)
    return folder / "out"


@pytest.fixture(scope="module")
def page(compared):
    return parsed(write_report(compared))


@pytest.fixture(scope="module")
def found(compared):
    return json.loads((compared / "compare.json").read_text())


def test_it_begins_with_the_sentence_that_says_which_to_take(page, found):
    assert found["statement"].startswith("take grey:exact")
    assert "T" + found["statement"][1:] + "." in page.texts


def test_the_table_is_that_of_the_terminal_without_empty_columns(page, found):
    titles, *lines = page.tables[0]
    assert "memory" not in titles and "other words" not in titles
    for row, line in zip(found["methods"], lines, strict=True):
        cells = method_cells(row)
        assert line == [cells[title] for title in titles]
    assert [line[0] for line in lines] == [row["name"] for row in found["methods"]]


def test_means_of_all_methods_stand_on_one_axis(page, found):
    shown = [mark["x1"] for mark in page.marks("mean")[:4]]
    assert shown == [f"{round(100 * DICE[row['name']], 2):g}" for row in found["methods"]]


def test_differences_are_from_the_best(page, found):
    at = page.texts.index("Difference from the best")
    names = [row["name"] for row in found["methods"]]
    assert names[0] not in page.texts[at + 1 : at + 7]
    (text,) = [
        page.texts[n + 1] for n in range(at, len(page.texts)) if page.texts[n] == "grey" and n < at + 7
    ]
    assert text == "-0.333 (-0.33 to -0.33)"


def test_each_target_has_a_row_of_ticks_for_each_method(page):
    ticks = [mark["x1"] for mark in page.marks("tick")]
    assert len(ticks) == 4 * 3
    assert ticks[:3] == ["100"] * 3


def test_subgroups_presence_and_settings_are_stated(page, found):
    groups = page.tables[1]
    assert groups[0] == ["site", *(row["name"] for row in found["methods"]), "images and targets"]
    assert [(line[0], line[-1]) for line in groups[1:]] == [("north", "1"), ("south", "2")]
    confusion = {line[0]: line[1:] for line in page.tables[2][1:]}
    assert confusion["mean mask"] == ["3", "0", "1", "0"]
    assert sum(map(int, confusion["grey"])) == 3 + 4 * 2 + 1
    assert found["data_sha256"] in page.texts and "grey:exact" in page.texts


def test_cases_of_the_best_are_shown_side_by_side(page):
    assert [text.split(":")[0] for text in page.values("alt")] == [
        "worst case, p1",
        "median case, p2",
        "best case, p3",
    ]
    assert all(picture.width > 2.9 * picture.height for picture in page.pictures())


def test_notes_are_shown_and_no_folder_of_the_machine(compared, page, found):
    assert found["notes"] and set(found["notes"]) <= set(page.texts)
    assert str(compared.parent) not in (compared / "report.html").read_text()


def test_names_of_methods_and_groups_are_escaped(compared, tmp_path, found):
    out = tmp_path / "out"
    shutil.copytree(compared, out)
    text = json.dumps(found).replace("grey:exact", "<script>x</script>").replace("north", "<b>north</b>")
    (out / "compare.json").write_text(text)
    assert {"<script>x</script>", "<b>north</b>"} <= set(parsed(write_report(out)).texts)


def test_six_images_have_a_table_by_thirds(compared, tmp_path, found):
    from tests.reports.written import rows, write_evaluation

    for row in found["methods"]:
        write_evaluation(tmp_path / row["folder"], rows())
    (tmp_path / "compare.json").write_text(json.dumps(found))
    table = parsed(write_report(tmp_path)).tables[1]
    assert table[0] == ["method", "smallest third", "middle third", "largest third"]
    assert len(table) == 5
    assert [cell[:5] for cell in table[1][1:]] == ["0.700", "0.400", "0.550"]
