"""The report of a search: notes that fit its figures, means by set, texts that stay texts."""

from __future__ import annotations

import json

import pytest

from monai_ext.errors import InputError
from monai_ext.studies.tune_report import Entry, Search, compare, make_report, ranked, score_of
from monai_ext.studies.tune_report import overlay as overlay_of

FACTS = {"bundle": "b", "version": "1", "split": "validation", "cases": 2, "cases_of_the_list": 2}


@pytest.fixture
def search(tmp_path):
    return Search(tmp_path, FACTS, "dice", {"t": [0.1, 0.5, 0.9]}, {"t": 0.5, "f": "x"}, None, 0, 3, done=3)


def entry(search: Search, setting: dict, scores: tuple[float, float], false_positives: float = 0.1) -> Entry:
    """An evaluation of two patients with these scores."""
    folder = search.output / "runs" / (json.dumps(setting).encode().hex() or "own")
    folder.mkdir(parents=True)
    rows = [f"s,p{n},p{n},tumour,a,{score}" for n, score in enumerate(scores)]
    (folder / "cases.csv").write_text("\n".join(["set,case,group,target,prompt,dice", *rows, "s,p1,p1,,b,"]))
    presence = {"auc": 0.9, "false_positive_rate": false_positives, "miss_rate": 0.0}
    figures = {"pooled": {"dice": {"mean": sum(scores) / 2}}, "presence": presence}
    return Entry(folder, setting, {**figures, "sets": {"s": figures}}, 1.0)


def test_a_note_says_that_the_best_is_at_the_end_of_a_range(search):
    order = [
        entry(search, {}, (0.5, 0.5)),
        entry(search, {"t": 0.1}, (0.4, 0.4)),
        entry(search, {"t": 0.9}, (0.7, 0.6)),
    ]
    edge = "the best t, 0.9, is the highest of those tried; a wider range may be better"
    assert edge in make_report(search, order)["notes"]
    order.append(entry(search, {"t": 1.5}, (0.6, 0.6)))  # of an earlier command
    assert edge not in make_report(search, order)["notes"]


def test_a_note_says_that_a_gain_may_be_chance(search):
    best, own = entry(search, {"t": 0.9}, (0.9, 0.4)), entry(search, {}, (0.5, 0.5))
    report = make_report(search, [own, best])
    assert report["best"]["gain_ci95"] == pytest.approx([-0.1, 0.4])
    assert "the gain may be chance: its 95 % interval over patients holds 0" in report["notes"]
    sure = make_report(search, [own, entry(search, {"t": 0.1}, (0.9, 0.7))])
    assert not any("chance" in note for note in sure["notes"])


def test_a_note_says_that_the_best_gives_more_masks_for_absent_things(search):
    own = entry(search, {}, (0.5, 0.5))
    more = make_report(search, [own, entry(search, {"t": 0.1}, (0.9, 0.7), false_positives=0.35)])
    note = "masks for absent things rise from 10.0 % to 35.0 %, which dice does not count"
    assert note in more["notes"]
    same = make_report(search, [own, entry(search, {"t": 0.9}, (0.9, 0.7))])
    assert not any("absent" in line for line in same["notes"])


def test_a_note_names_a_value_that_changes_nothing_which_loses_to_fewer_changes(search):
    scores = {(): 0.5, ("f",): 0.5, ("t",): 0.6, ("f", "t"): 0.6}
    values = {"f": "y", "t": 0.9}
    order = [entry(search, {key: values[key] for key in keys}, (s, s)) for keys, s in scores.items()]
    report = make_report(search, order)
    assert report["best"]["setting"] == {"t": 0.9, "f": "x"}
    assert "f changed no score" in report["notes"] and "t changed no score" not in report["notes"]


def test_one_metric_decides_and_an_undefined_one_is_refused(search):
    figures = entry(search, {}, (0.5, 0.7)).figures
    assert score_of(figures, "dice") == 0.6 and score_of(figures, "auc") == 0.9
    with pytest.raises(InputError, match="metric 'miss_rate': choose from dice, auc."):
        score_of(figures, "miss_rate")
    with pytest.raises(InputError, match="undefined on these cases"):
        score_of({**figures, "pooled": {"dice": {"mean": None}}}, "dice")


def test_a_metric_of_presence_has_no_interval(search):
    best, own = entry(search, {"t": 0.9}, (0.9, 0.4)), entry(search, {}, (0.5, 0.5))
    assert compare(best, own, "auc")["gain_ci95"] is None
    assert [one.setting for one in ranked([best, own], "auc")] == [{}, {"t": 0.9}]


def test_texts_in_the_overlay_are_no_code(search):
    search.facts = {**FACTS, "split": "@evaluator%"}
    found = make_report(search, [entry(search, {}, (0.1, 0.1)), entry(search, {"f": "$1 + 1"}, (0.9, 0.9))])
    overlay = overlay_of(found, search.values)
    assert not any(sign in line for line in overlay["_desc_"] for sign in "@%$#")
    assert overlay["t"] == 0.5

    from monai.bundle import ConfigParser

    assert ConfigParser({"f": overlay["f"]}).get_parsed_content("f") == "$1 + 1"
    plain = make_report(search, [entry(search, {"t": 0.1}, (0, 0)), *_two(search)])
    assert overlay_of(plain, search.values)["f"] == "blur"


def _two(search: Search) -> list[Entry]:
    own = Entry(search.output / "runs" / b"{}".hex(), {}, entry(search, {"t": 7}, (0.1, 0.1)).figures, 1.0)
    return [own, entry(search, {"f": "blur"}, (0.9, 0.9))]
