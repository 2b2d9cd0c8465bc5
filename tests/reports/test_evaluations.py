"""The sections of an evaluation say what metrics.json and cases.csv say."""

from __future__ import annotations

import json

import pytest

from monai_ext.errors import InputError
from monai_ext.reports import evaluations
from monai_ext.reports.evaluate import write_report
from monai_ext.reports.evaluations import PICTURED, chosen_cases, read_evaluation, thirds
from monai_ext.reports.page import Notes, Pictures
from tests.reports.parsed import parsed
from tests.reports.written import DICE, rows, write_evaluation


@pytest.fixture
def written(tmp_path):
    return tmp_path, write_evaluation(tmp_path, rows())


def test_headline_figures_are_those_of_the_json(written):
    folder, figures = written
    page = parsed(write_report(folder))
    dice = figures["pooled"]["dice"]
    assert dice["mean"] == pytest.approx(0.55)
    low, high = dice["ci95"]
    texts = page.texts
    assert texts[texts.index("Dice") + 1 : texts.index("Dice") + 3] == [
        "0.550",
        f"95 %: {low:.3f} to {high:.3f}",
    ]
    assert f"Dice 0.550 ({low:.2f} to {high:.2f}), over 6 cases of 6 patients." in texts
    at = texts.index("presence AUC")
    assert texts[at : at + 9] == [
        *("presence AUC", "1.000", "95 %: 1.000 to 1.000"),
        *("masks of absent things", "50.0 %", "of 2"),
        *("targets without a mask", "0.0 %", "of 6"),
    ]
    assert texts[texts.index("HD95") + 1].endswith(" px")


def test_lesions_and_quality_have_figures_where_they_were_scored(written):
    folder, figures = written
    assert not {"F1 by lesion", "rank correlation of quality and Dice"} & {
        *parsed(write_report(folder)).texts
    }
    figures["lesions"] = {"mean": 0.75, "ci95": [0.5, 0.9]}
    figures["quality"] = {"spearman": None, "ci95": None}
    (folder / "metrics.json").write_text(json.dumps(figures))
    texts = parsed(write_report(folder)).texts
    at = texts.index("F1 by lesion")
    assert texts[at + 1 : at + 3] == ["0.750", "95 %: 0.500 to 0.900"]
    assert texts[texts.index("rank correlation of quality and Dice") + 1] == "undefined"


def test_every_image_of_a_target_is_a_tick(written):
    folder, _ = written
    page = parsed(write_report(folder))
    ticks = [mark["x1"] for mark in page.marks("tick")]
    assert ticks[:6] == [f"{100 * value:g}" for value in sorted(DICE)]
    assert len(ticks) == 6 + 6 + 6 + 2  # by target, by thirds, and the presence of both kinds of prompt
    assert ticks[-2:] == ["25", "25"]


def test_thirds_are_by_the_share_of_the_image(written):
    folder, _ = written
    found = thirds(read_evaluation(folder).present)
    assert [[float(row["dice"]) for row in part] for _, part in found] == [[0.9, 0.5], [0.7, 0.1], [0.3, 0.8]]
    texts = parsed(write_report(folder)).texts
    at = texts.index("smallest third, 1 to 2 % of the image")
    assert texts[at + 1].startswith("0.700 (") and texts[at + 1].endswith("n\u00a0=\u00a02")
    assert "largest third, 5 to 6 % of the image" in texts


def test_fewer_images_than_six_have_no_thirds(tmp_path):
    write_evaluation(tmp_path, rows(dice=DICE[:5]))
    assert "Dice by difficulty" not in parsed(write_report(tmp_path)).texts


def test_a_difficulty_that_the_data_state_has_its_chart(tmp_path):
    made = rows()
    for row, level in zip(made, ("hard", "easy", "easy", "hard", "hard", "easy")):
        row["difficulty"] = level
    write_evaluation(tmp_path, made)
    texts = parsed(write_report(tmp_path)).texts
    at = texts.index("By the difficulty that the data set states")
    assert [texts[at + 1], texts[at + 2][:5], texts[at + 3], texts[at + 4][:5]] == [
        "easy",
        "0.667",
        "hard",
        "0.433",
    ]


def test_the_worst_the_median_and_the_best_case_are_shown(written):
    folder, _ = written
    page = parsed(write_report(folder))
    assert page.values("alt") == [
        "worst case, c3: Dice 0.100, presence 0.75, asked for “a tumour”",
        "median case, c1: Dice 0.500, presence 0.75, asked for “a tumour”",
        "best case, c0: Dice 0.900, presence 0.75, asked for “a tumour”",
    ]
    assert [picture.getpixel((5, 5)) for picture in page.pictures()] == [(n, n, n) for n in (0, 80, 160)]


def test_of_all_cases_three_are_shown(written):
    folder, figures = written
    one = figures["overlays"][0]
    figures["overlays"] = [{**one, "case": f"c{n}", "dice": n / 10, "which": f"000{n}"} for n in range(6)]
    (folder / "metrics.json").write_text(json.dumps(figures))
    (found,) = chosen_cases(read_evaluation(folder))
    assert [picture.caption.split(":")[0] for picture in found.items] == [
        "worst case, c0",
        "median case, c2",
        "best case, c5",
    ]


def test_an_evaluation_of_an_earlier_version_has_no_cases_and_no_thirds(written):
    folder, figures = written
    for picture in figures["overlays"]:
        picture["file"] = picture.pop("panels")
    (folder / "metrics.json").write_text(json.dumps(figures))
    table = (folder / "cases.csv").read_text().replace("image_voxels", "other")
    (folder / "cases.csv").write_text(table)
    (folder / "setting.json").unlink()
    texts = parsed(write_report(folder)).texts
    assert "Dice by target" in texts and not {"Cases", "Dice by difficulty"} & set(texts)
    assert "Evaluation" in texts and "What the figures depend on" not in texts


def test_of_two_cases_neither_is_the_median_and_too_many_pictures_are_not_embedded(written):
    folder, figures = written
    one = figures["overlays"][0]
    figures["overlays"] = [{**one, "target": f"t{n // 2}"} for n in range(2 * (PICTURED // 2 + 1))]
    (folder / "metrics.json").write_text(json.dumps(figures))
    *shown, last = chosen_cases(read_evaluation(folder))
    assert len(shown) == PICTURED // 2 and all(isinstance(part, Pictures) for part in shown)
    assert [picture.caption.split(" ")[0] for picture in shown[0].items] == ["worst", "best"]
    assert isinstance(last, Notes) and "further targets" in last.items[0]


def test_the_confusion_of_presence_counts_prompts(written):
    folder, _ = written
    made = rows()
    made[3]["voxels"] = 0
    figures = write_evaluation(folder / "other", made)
    assert figures["presence"]["miss_rate"] == pytest.approx(1 / 6)
    assert parsed(write_report(folder / "other")).tables[0] == [
        ["what the prompt names is", "mask given", "no mask", "prompts"],
        ["in the image", "5 (83 %)", "1 (17 %)", "6"],
        ["not in the image", "1 (50 %)", "1 (50 %)", "2"],
    ]


def test_all_figures_stand_in_a_table(written):
    folder, figures = written
    table = parsed(write_report(folder)).tables[1]
    assert table[0] == ["target", "Dice", "IoU", "NSD", "HD95", "images"]
    assert [line[0] for line in table[1:]] == ["tumour", "all"]
    low, high = figures["pooled"]["iou"]["ci95"]
    assert table[2][2] == f"0.550 ({low:.2f} to {high:.2f})" and table[2][5] == "6"


@pytest.mark.parametrize("name", ["metrics.json", "cases.csv", "setting.json"])
def test_what_cannot_be_read_is_named(written, name):
    folder, _ = written
    (folder / name).write_bytes(b"\xff\xfe{")
    with pytest.raises(InputError, match=rf"^{folder.name}/{name}: cannot be read"):
        write_report(folder)


def test_of_many_prompts_a_thousand_quantiles_of_their_presence_are_drawn(tmp_path):
    made = rows()
    write_evaluation(
        tmp_path, [*made, *({**made[-1], "case": f"x{n}", "presence": n / 1200} for n in range(1200))]
    )
    *_, absent = evaluations.presence(evaluations.read_evaluation(tmp_path))[1].rows
    assert absent.marks.count('class="tick"') == evaluations.TICKS == 1000
    assert absent.figure.endswith("n\u00a0=\u00a01202")
