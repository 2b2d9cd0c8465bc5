"""Figures of absent targets, against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from monai_ext.metrics.absent import PRESENT, WORST, absent_figures, cross_table, worst_pairs

KINDS = ("healthy", "other region", "nonsense", "never asked")


def row(kind, voxels, patient="p1", asked_for="liver", modality="ct", presence=0.5, **more):
    present = kind == PRESENT
    return {
        "set": "one",
        "case": patient,
        "group": patient,
        "modality": "ct",
        "regions": "abdomen",
        "asked_for": asked_for,
        "asked_modality": modality,
        "kind": kind,
        "refused": 0,
        "present": present,
        "presence": presence,
        "voxels": voxels,
        "iou": 0.5 if present else math.nan,
        **more,
    }


ROWS = [
    row(PRESENT, 9, "p1", presence=0.9, iou=0.5),
    row(PRESENT, 0, "p2", presence=0.4, iou=0.0),
    row("healthy", 1, "p3", presence=0.8),
    row("other region", 0, "p1", "eye", "fundus", presence=0.3),
    row("other region", 7, "p2", "eye", "fundus", presence=0.6),
    row("other region", 0, "p2", "knee", "xray", presence=0.0, refused=1),
    row("nonsense", 0, "p3", "a spoon", "", presence=0.0, refused=1),
]
FIGURES = absent_figures(ROWS, KINDS, samples=200)


def test_each_kind_has_its_share_answered_in_the_order_given():
    assert list(FIGURES["kinds"]) == ["healthy", "other region", "nonsense"]
    region = FIGURES["kinds"]["other region"]
    counts = {key: region[key] for key in ("asked", "answered", "share", "refused", "share_of_judged")}
    third = pytest.approx(1 / 3)
    assert counts == {"asked": 3, "answered": 1, "share": third, "refused": 1, "share_of_judged": 0.5}
    assert region["ci95"] == [0.0, 0.5]  # p2 answered one of two, p1 none of one
    assert region["auc"] == 5 / 6  # of the six pairs only 0.4 against 0.6 is in the wrong order
    nonsense = FIGURES["kinds"]["nonsense"]
    assert (nonsense["share"], nonsense["share_of_judged"], nonsense["ci95"]) == (0.0, None, None)


def test_all_kinds_are_pooled():
    pooled = FIGURES["pooled"]
    assert (pooled["asked"], pooled["answered"], pooled["refused"]) == (5, 2, 2)
    assert (pooled["share"], pooled["share_of_judged"]) == (0.4, pytest.approx(2 / 3))
    assert pooled["auc"] == 8 / 10  # 0.4 is below 0.8 and 0.6
    assert pooled["auc_ci95"][0] < 0.8 <= pooled["auc_ci95"][1]


def test_accuracies_and_iou_are_those_of_generalised_referring_segmentation():
    assert FIGURES["t_acc"] == {"mean": 0.5, "ci95": [0.0, 1.0], "n": 2, "refused": 0}
    assert (FIGURES["n_acc"]["mean"], FIGURES["n_acc"]["n"]) == (3 / 5, 5)
    # IoU .5 and 0 of the two present, 1 of the three that are empty, 0 of the two that are not
    assert (FIGURES["giou"]["mean"], FIGURES["giou"]["n"]) == (3.5 / 7, 7)


def test_a_refused_target_of_the_image_is_counted_as_refused_and_missed():
    figures = absent_figures([row(PRESENT, 0, refused=1), row(PRESENT, 5, "p2")], KINDS, samples=10)
    assert (figures["t_acc"]["mean"], figures["t_acc"]["refused"]) == (0.5, 1)
    assert figures["kinds"] == {}
    assert (figures["pooled"]["share"], figures["n_acc"]["mean"], figures["worst"]) == (None, None, [])


def test_intervals_resample_patients_and_not_prompts():
    rows = [row("healthy", 1, "p1")] * 9 + [row("healthy", 0, "p2")]
    low, high = absent_figures(rows, KINDS, samples=200)["kinds"]["healthy"]["ci95"]
    assert (low, high) == (0.0, 1.0)


def test_sets_and_targets_count_what_is_absent():
    assert FIGURES["sets"] == {"one": {"asked": 5, "answered": 2, "share": 0.4, "refused": 2}}
    assert list(FIGURES["targets"]) == ["eye (fundus)", "knee (xray)", "liver (ct)"]
    assert FIGURES["targets"]["eye (fundus)"] == {"asked": 2, "answered": 1, "share": 0.5, "refused": 0}
    assert FIGURES["targets"]["liver (ct)"]["asked"] == 1  # the healthy one


def test_the_cross_table_has_a_line_for_each_set_target_and_kind():
    lines = cross_table([*ROWS, row("healthy", 0, set="two")])
    told = [(one["set"], one["target"], one["kind"], one["asked"], one["answered"]) for one in lines]
    assert told == [
        ("one", "a spoon", "nonsense", 1, 0),
        ("one", "eye", "other region", 2, 1),
        ("one", "knee", "other region", 1, 0),
        ("one", "liver", "healthy", 1, 1),
        ("one", "liver", PRESENT, 2, 1),
        ("two", "liver", "healthy", 1, 0),
    ]
    assert lines[2] == {
        "set": "one",
        "modality": "ct",
        "regions": "abdomen",
        "target": "knee",
        "target_modality": "xray",
        "kind": "other region",
        "asked": 1,
        "answered": 0,
        "refused": 1,
    }


def test_the_worst_pairs_are_answered_most_often_and_of_most_images():
    def line(target, asked, answered, kind="other region"):
        return {"set": "one", "target": target, "kind": kind, "asked": asked, "answered": answered}

    table = [
        line("never", 9, 0),
        line("often", 10, 9),
        line("always", 2, 2),
        line("always, of many", 8, 8),
        line("shown", 9, 9, PRESENT),
        *(line(f"seldom {n}", 10, 1) for n in range(WORST)),
    ]
    worst = worst_pairs(table)
    assert [one["target"] for one in worst] == ["always, of many", "always", "often", "seldom 0", "seldom 1"]
    assert [one["share"] for one in worst] == [1.0, 1.0, 0.9, 0.1, 0.1]
    assert [one["target"] for one in FIGURES["worst"]] == ["liver", "eye"]
