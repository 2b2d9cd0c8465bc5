"""Marks of charts stand where their values are."""

from __future__ import annotations

import pytest

from monai_ext.reports.charts import axis_of, curve, distribution, limits_of, means
from tests.reports.parsed import Parsed

GRID = "".join(
    f'<line class="grid" x1="{x}" x2="{x}" y1="0" y2="24"/>' for x in ("0", "25", "50", "75", "100")
)


def test_a_distribution_has_a_tick_a_value_a_box_of_quartiles_its_median_and_the_interval():
    found = distribution([0.4, 0.0, 1.0, 0.2, 0.8], [0.25, 0.7], "lungs: 0.48")
    assert found == (
        '<svg viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label="lungs: 0.48">'
        + GRID
        + "".join(f'<line class="tick" x1="{x}" x2="{x}" y1="2" y2="9"/>' for x in (0, 20, 40, 80, 100))
        + '<rect class="quartiles" x="20" y="11" width="60" height="7"/>'
        '<line class="median" x1="40" x2="40" y1="10" y2="19"/>'
        '<line class="interval" x1="25" x2="70" y1="21.5" y2="21.5"/></svg>'
    )


def test_without_an_interval_there_is_no_bar():
    assert "interval" not in distribution([0.5], None, "")


def test_an_axis_of_other_limits_shifts_the_marks_and_keeps_them_within():
    page = Parsed(distribution([0.6, 0.7, 0.95], None, "", (0.5, 0.9)))
    assert [mark["x1"] for mark in page.marks("tick")] == ["25", "50", "100"]


def test_before_stands_above_after():
    page = Parsed(means([(0.5, [0.4, 0.6]), (0.25, None)], "tumour"))
    before, after = page.marks("mean")
    assert (before["class"], before["x1"], before["y1"], before["y2"]) == ("mean before", "50", "4", "12")
    assert (after["class"], after["x1"], after["y1"], after["y2"]) == ("mean after", "25", "12", "20")
    (bar, _) = page.marks("before")
    assert (bar["x1"], bar["x2"], bar["y1"]) == ("40", "60", "8")
    assert page.marks("zero") == []


def test_a_single_mean_stands_in_the_middle_in_colour_and_zero_is_drawn_where_it_is_within():
    page = Parsed(means([(-0.1, [-0.2, 0.1])], "", (-0.3, 0.1)))
    assert [(mark["class"], mark["x1"], mark["x2"], mark["y1"]) for mark in page.marks("after")] == [
        ("after", "25", "100", "12"),
        ("mean after", "50", "50", "8"),
    ]
    (zero,) = page.marks("zero")
    assert (zero["x1"], zero["y1"], zero["y2"]) == ("75", "0", "24")


@pytest.mark.parametrize(
    ("values", "points"),
    [
        ([0.4, 0.2, 0.1], "0,0 50,12 100,18"),
        ([0.5], "0,0"),
        ([1.0, -1.0], "0,0 100,24"),
        ([0.0, 0.0], "0,0 100,0"),
    ],
)
def test_a_curve_goes_from_zero_or_the_lowest_at_the_bottom_to_the_highest(values, points):
    (line,) = Parsed(curve(values, "loss")).marks("curve")
    assert line["points"] == points


def test_ends_of_an_axis_hold_all_values_and_its_quarters_are_named():
    assert limits_of([0.61, 0.73]) == (0.6, 0.8)
    assert limits_of([-0.14, 0.0]) == (-0.2, 0.0)
    assert limits_of([0.5]) == (0.5, 0.6)
    assert axis_of((-0.5, 0.1)) == ["-0.5", "-0.35", "-0.2", "-0.05", "0.1"]


def test_titles_are_escaped():
    assert 'aria-label="&lt;b&gt; &#34;x&#34;"' in distribution([0.5], None, '<b> "x"')
