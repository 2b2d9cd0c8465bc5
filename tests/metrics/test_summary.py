"""Means, intervals and presence of scored prompts, against numbers worked out by hand."""

import math

import numpy as np
import pytest

from monai_ext.metrics import summary
from monai_ext.metrics.summary import bootstrap_interval, summarise

NAN = math.nan


def row(group, target="", dice=NAN, presence=0.5, voxels=1, present=None, **more):
    return {
        "set": "one",
        "case": group,
        "group": group,
        "target": target,
        "present": bool(target) if present is None else present,
        "presence": presence,
        "voxels": voxels,
        "unit": "px",
        "dice": dice,
        "hd95": 4 * (1 - dice) if dice else NAN,
        **more,
    }


def test_means_are_over_pairs_of_image_and_target():
    figures = summarise([row("a", "liver", 0.5), row("b", "liver", 1.0), row("a", "spleen", 0.9)])
    liver = figures["targets"]["liver"]["dice"]
    assert liver == {"mean": 0.75, "std": pytest.approx(0.5 / 2**0.5), "ci95": [0.5, 1.0], "n": 2}
    assert figures["targets"]["spleen"]["dice"] == {"mean": 0.9, "std": None, "ci95": None, "n": 1}
    assert figures["pooled"]["dice"]["mean"] == pytest.approx(0.8)
    assert figures["pooled"]["dice"]["n"] == 3
    assert figures["sets"]["one"]["pooled"] == figures["pooled"]


def test_absent_targets_count_in_presence_and_not_in_dice():
    figures = summarise(
        [
            row("a", "liver", 0.8, presence=0.9),
            row("b", "liver", presence=0.2, voxels=0, present=False),
            row("c", presence=0.9, voxels=3),
            row("d", "liver", 0.0, presence=0.4, voxels=0),
        ]
    )
    assert figures["targets"]["liver"]["dice"]["n"] == 2
    presence = figures["presence"]
    # of the four pairs of a present and an absent prompt: .9 > .2, .9 = .9 (half), .4 > .2, .4 < .9
    assert presence["auc"] == 2.5 / 4
    assert (presence["n"], presence["present"], presence["absent"]) == (4, 2, 2)
    assert presence["false_positive_rate"] == 0.5
    assert presence["miss_rate"] == 0.5


def test_rates_are_shares_of_absent_and_of_present_targets():
    absent = [row(name, voxels=voxels) for name, voxels in (("a", 0), ("b", 1), ("c", 0), ("d", 0))]
    present = [row(name, "liver", 0.5, voxels=voxels) for name, voxels in (("a", 0), ("b", 0), ("c", 1))]
    presence = summarise(absent + present)["presence"]
    assert (presence["n"], presence["present"], presence["absent"]) == (7, 3, 4)
    assert presence["false_positive_rate"] == 1 / 4
    assert presence["miss_rate"] == pytest.approx(2 / 3)


def test_one_pixel_is_a_mask():
    presence = summarise([row("a", voxels=1), row("a", "liver", 0.5, voxels=1)])["presence"]
    assert (presence["false_positive_rate"], presence["miss_rate"]) == (1.0, 0.0)


def test_missed_masks_have_no_distance_and_are_counted():
    figures = summarise([row("a", "liver", 0.5), row("b", "liver", 0.0, voxels=0)])
    assert figures["targets"]["liver"]["dice"]["mean"] == 0.25
    distance = figures["targets"]["liver"]["hd95"]
    assert distance == {"mean": 2.0, "std": None, "ci95": None, "n": 1, "undefined": 1, "unit": "px"}


def test_pixels_and_millimetres_are_not_passed_off_as_one():
    figures = summarise([row("a", "liver", 0.5), row("b", "liver", 0.5, unit="mm", set="two")])
    assert figures["pooled"]["hd95"]["unit"] == "mm and px"
    assert figures["sets"]["two"]["pooled"]["hd95"]["unit"] == "mm"


def test_one_class_has_no_auc():
    presence = summarise([row("a", presence=0.1, voxels=0), row("b", presence=0.2, voxels=0)])["presence"]
    assert (presence["auc"], presence["ci95"], presence["miss_rate"]) == (None, None, None)
    assert presence["false_positive_rate"] == 0.0


def test_intervals_resample_patients_and_not_images():
    # two patients: whatever is drawn, the mean is 0, 0.5 or 1, though there are twenty images
    values = np.array([0.0] * 10 + [1.0] * 10)
    assert bootstrap_interval(values, ["a"] * 10 + ["b"] * 10) == [0.0, 1.0]
    low, high = bootstrap_interval(values, list(range(20)))
    assert 0.2 <= low < 0.5 < high <= 0.8


def test_an_interval_leaves_out_a_fortieth_at_each_end():
    # three patients: a mean of 0 or of 1 comes in 1 of 27 draws, above 2.5 % and below 5 %
    assert bootstrap_interval(np.array([0.0, 0.0, 1.0]), "abc", 27000)[1] == 1.0
    assert bootstrap_interval(np.array([1.0, 1.0, 0.0]), "abc", 27000)[0] == 0.0
    # four: in 1 of 256, below 2.5 %; three of the one patient and one of others in 12 of 256, above it
    assert bootstrap_interval(np.array([0.0, 0.0, 0.0, 1.0]), "abcd", 25600)[1] == 0.75
    assert bootstrap_interval(np.array([1.0, 1.0, 1.0, 0.0]), "abcd", 25600)[0] == 0.25


def test_patients_of_two_sets_are_two_patients():
    rows = [row("1", "liver", 0.2), row("1", "liver", 0.6, set="two")]
    assert summarise(rows)["pooled"]["dice"]["ci95"] == pytest.approx([0.2, 0.6])


def test_the_seed_decides_the_interval():
    values, groups = np.linspace(0, 1, 30) ** 3, list(range(30))
    assert bootstrap_interval(values, groups, seed=3) == bootstrap_interval(values, groups, seed=3)
    assert bootstrap_interval(values, groups, seed=3) != bootstrap_interval(values, groups, seed=4)


def test_the_interval_of_the_auc_is_that_of_drawn_patients():
    # .9 for what is there; for what is not, .1 in a and .95 in b: AUC 1 of a, 0 of b, .5 of both
    rows = [
        row("a", "liver", 1.0, 0.9),
        row("a", presence=0.1),
        row("b", "liver", 1.0, 0.9),
        row("b", presence=0.95),
    ]
    assert summarise(rows)["presence"]["ci95"] == [0.0, 1.0]
    ties = [row(name, target, 1.0, 0.5) for name in "ab" for target in ("liver", "")]
    assert summarise(ties)["presence"]["ci95"] == [0.5, 0.5]


def test_a_single_patient_has_no_interval():
    assert bootstrap_interval(np.array([0.1, 0.9]), ["a", "a"]) is None


def test_lesions_are_counted_over_targets_of_several_parts_present_or_not():
    counts = [("a", "cyst", 1, 0, 1), ("b", "cyst", 1, 2, 0), ("c", "cyst", 0, 1, 0), ("a", "liver", 1, 5, 0)]
    rows = [
        {**row(case, target, 0.5), "group": case, "present": case != "c"}
        | {"lesion_tp": tp, "lesion_fp": fp, "lesion_fn": fn}
        for case, target, tp, fp, fn in counts
    ]
    lesions = summarise(rows)["lesions"]
    interval = lesions.pop("ci95")
    assert lesions == {"mean": 4 / 8, "tp": 2, "fp": 3, "fn": 1, "n": 3, "targets": ["cyst"]}
    assert interval[0] == 0.0 and interval[1] == pytest.approx(2 / 3)  # c alone; a alone
    assert "lesions" not in summarise(rows[1:])


def rated(group, dice, quality, **more):
    return row(group, "liver", dice, quality=quality, **more)


def test_quality_is_ranked_against_dice_where_there_is_a_mask():
    rows = [rated(*one) for one in (("a", 0.5, 0.1), ("b", 0.9, 0.8), ("c", 0.7, 0.9), ("d", 0.95, 0.95))]
    rows += [rated("e", 0.0, NAN, voxels=0), row("a", "", quality=0.99, present=False)]
    figures = summarise(rows)["quality"]
    assert figures["spearman"] == pytest.approx(1 - 6 * 2 / (4 * 15))  # two neighbours of four are exchanged
    assert (figures["n"], figures["without_mask"]) == (4, 1)
    assert figures["mean"] == pytest.approx((0.1 + 0.8 + 0.9 + 0.95) / 4)
    low, high = figures["ci95"]
    assert low < figures["spearman"] <= high <= 1


def test_the_interval_of_a_rank_correlation_draws_patients():
    values = [(0.5, 0.1), (0.6, 0.5), (0.9, 0.8), (0.7, 0.9), (0.2, 0.3), (0.8, 0.7)]
    apart = summarise([rated(str(n), *one) for n, one in enumerate(values)])["quality"]
    pairs = summarise([rated(str(n // 2), *one) for n, one in enumerate(values)])["quality"]
    alone = summarise([rated("a", *one) for one in values])["quality"]
    assert apart["ci95"] != pairs["ci95"] and alone["ci95"] is None
    assert apart["spearman"] == pairs["spearman"] == alone["spearman"]


@pytest.mark.parametrize(
    "rows",
    [
        [rated("a", 0.5, 0.1)],
        [rated("a", 0.5, 0.1), rated("b", 0.5, 0.2)],
        [rated("a", 0.5, 0.1), rated("b", 0.6, 0.1)],
        [rated("a", 0.0, NAN), rated("b", 0.0, NAN)],
    ],
    ids=["one", "one Dice", "one quality", "no mask"],
)
def test_what_has_no_order_has_no_rank_correlation(rows):
    figures = summarise(rows)["quality"]
    assert (figures["spearman"], figures["ci95"]) == (None, None)
    assert figures["n"] + figures["without_mask"] == len(rows)


def test_rows_without_quality_get_no_such_figures():
    assert "quality" not in summarise([row("a", "liver", 0.5)])


def test_a_bootstrap_of_many_prompts_is_drawn_in_blocks_of_the_same_draws(monkeypatch):
    rows = [row(f"p{n % 7}", "liver" if n % 3 else "", 0.5, presence=(n * 5 % 11) / 11) for n in range(40)]
    whole = summarise(rows)["presence"]
    monkeypatch.setattr(summary, "_BLOCK", 700)  # 17 or 18 draws of 40 rows
    assert summarise(rows)["presence"] == whole
    assert whole["ci95"][0] < whole["auc"] < whole["ci95"][1]
