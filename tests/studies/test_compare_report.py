"""The figures of a comparison, by hand: order, tests, missing pairs, subgroups, the sentence."""

from __future__ import annotations

import pytest

from monai_ext.errors import InputError
from monai_ext.studies.compare_report import (
    Result,
    group_notes,
    make_rows,
    paraphrase_spread,
    result_notes,
    statement,
    subgroups,
)


def result(name: str, scores: list[float | None], kind: str = "bundle") -> Result:
    """One image a patient, numbered; None is a missing mask."""
    found = {("s", f"c{n}", "liver"): score for n, score in enumerate(scores) if score is not None}
    presence = {"auc": 0.9, "ci95": None, "n": 3, "false_positive_rate": 0.1}
    return Result(name, kind, {"pooled": {}, "presence": presence}, found, {p: p[:2] for p in found})


BETTER = [0.61, 0.72, 0.83, 0.74, 0.65, 0.96]  # by .01, .02, .03, .04, .05 and .06
WORSE = [0.60, 0.70, 0.80, 0.70, 0.60, 0.90]


def test_a_lead_over_six_patients_is_more_than_noise():
    rows = make_rows([result("b", WORSE), result("a", BETTER)])
    assert [row["name"] for row in rows] == ["a", "b"]
    assert rows[1]["p"] == rows[1]["p_holm"] == 2 / 64
    assert rows[1]["difference"] == pytest.approx(-0.035)
    assert rows[1]["difference_ci95"][1] < 0
    assert (rows[0]["mean_rank"], rows[1]["mean_rank"]) == (1, 2)
    assert (rows[0]["first_rank"], rows[1]["first_rank"]) == (1, 0)
    assert statement(rows) == (
        "take a: Dice 0.752, 0.035 more than b, which is more than noise over 6 patients (p = 0.031)"
    )


def test_each_further_method_makes_the_tests_stricter():
    rows = make_rows([result("b", WORSE), result("a", BETTER), result("c", [s / 2 for s in WORSE])])
    assert [row["p"] for row in rows[1:]] == [2 / 64, 2 / 64]
    assert [row["p_holm"] for row in rows[1:]] == [4 / 64, 4 / 64]
    assert statement(rows).endswith("which 6 patients cannot tell from noise (p = 0.062)")


def test_the_runner_up_is_no_floor_unless_there_is_nothing_else():
    floor = result("mean mask", WORSE, "floor")
    rows = make_rows([floor, result("a", BETTER), result("c", [0.1] * 6)])
    assert " more than c, which " in statement(rows)
    assert "more than mean mask, which is" in statement(make_rows([floor, result("a", BETTER)]))


def test_where_a_floor_is_best_none_is_taken():
    rows = make_rows([result("mean mask", BETTER, "floor"), result("b", WORSE)])
    assert statement(rows).startswith(
        "take none: the floor 'mean mask' is best, Dice 0.752, 0.035 more than b"
    )
    even = make_rows([result("mean mask", WORSE, "floor"), result("b", WORSE)])
    assert [row["name"] for row in even] == ["b", "mean mask"] and even[1]["p"] == 1
    assert statement(even) == (
        "take b: Dice 0.717, as much as mean mask, which 6 patients cannot tell from noise (p = 1)"
    )
    notes = result_notes([result("mean mask", WORSE, "floor"), result("b", WORSE)], even, [])
    assert notes == ["b cannot be told from the floor mean mask"]


def test_methods_are_put_in_order_by_what_all_of_them_scored():
    easy = result("easy", [0.9, None, None, None])  # its one mask is of an easy image
    rows = make_rows([easy, result("all", [0.95, 0.2, 0.2, 0.2])])
    assert [(row["name"], row["score"]) for row in rows] == [("all", 0.95), ("easy", 0.9)]
    assert rows[1]["patients"] == 1 and rows[1]["first_rank"] is None
    pairs = [("s", f"c{n}", "liver") for n in range(4)]
    notes = result_notes([easy], rows, pairs)
    assert notes[0].startswith(
        "easy: 3 masks of 4 missing and not scored (s/c1/liver, s/c2/liver, s/c3/liver)"
    )
    assert notes[1].startswith("1 patient cannot show any difference")
    with pytest.raises(InputError, match="no target of any image was scored by all methods"):
        make_rows([easy, result("b", [None, 0.5])])


def test_presence_is_of_bundles_only():
    bundle, masks = make_rows([result("a", BETTER), result("m", WORSE, "masks")])
    assert bundle["auc"]["mean"] == 0.9 and bundle["false_positive_rate"] == 0.1
    assert masks["auc"] is masks["false_positive_rate"] is None


def test_the_spread_over_wordings_is_the_mean_absolute_difference():
    scores = {("s", "a", "t"): 0.8, ("s", "b", "t"): 0.5, ("s", "c", "t"): 0.9}
    words = {("s", "a", "t"): [0.7, 1.0], ("s", "b", "t"): [0.1]}
    # of a (.1 + .2) / 2, of b .4; the means of both are .85 and .1
    assert paraphrase_spread(scores, words) == {"dice": 0.475, "spread": pytest.approx(0.275), "n": 2}
    assert paraphrase_spread(scores, {}) is None


def test_subgroups_hold_the_means_of_their_cases():
    groups = {"site": {("s", "c0"): "north", ("s", "c1"): "south", ("s", "c2"): "south"}}
    found = subgroups([result("a", [0.2, 0.4, 0.8]), result("b", [None, 0.5, 0.6])], groups)["site"]
    assert list(found) == ["north", "south"]
    assert found["north"] == {
        "a": {"mean": 0.2, "ci95": None, "n": 1, "p": None},
        "b": {"mean": None, "ci95": None, "n": 0, "p": None},
    }
    assert found["south"]["a"]["mean"] == pytest.approx(0.6) and found["south"]["a"]["ci95"] == [0.4, 0.8]
    assert (
        found["south"]["b"]["p"] == 1
    )  # differences .1 and -.2: half of all signs have a rank sum of 1 or less


def test_a_note_names_the_groups_in_which_the_lead_may_be_noise():
    methods = [result("a", [*BETTER, 0.5, 0.5]), result("b", [*WORSE, 0.4, 0.4])]
    site = {("s", f"c{n}"): "north" if n < 6 else "south" for n in range(8)}
    note = "by site: a cannot be told from b in south (p = 0.5) alone"
    assert group_notes(make_rows(methods), subgroups(methods, {"site": site})) == [note]
    few = [result("a", [0.5, 0.5]), result("b", [0.4, 0.4])]  # the sentence says so already
    assert group_notes(make_rows(few), subgroups(few, {"site": site})) == []
