"""Charts as inline SVG, which holds marks only: their labels are text of the page, so that it stays readable on a phone.

All charts of one axis are drawn in a box of 100 × 24 that the page stretches; lines keep their width, as they do not scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

WIDTH, HEIGHT = 100, 24
GRID = (0.0, 25.0, 50.0, 75.0, 100.0)

Limits = tuple[float, float]
"""The values at the left and the right end of an axis."""
UNIT: Limits = (0.0, 1.0)


def distribution(
    values: Sequence[float], interval: Sequence[float] | None, title: str, limits: Limits = UNIT
) -> Markup:
    """A tick for each value, a box from the lower to the upper quartile with the median, and the interval of the mean.

    Args:
        values: at least one.
        interval: low and high, drawn as a bar below the box; None for none.
        title: what a screen reader says.
        limits: of the axis.
    """
    low, middle, high = np.percentile(values, [25, 50, 75])
    left, right = _x(low, limits), _x(high, limits)
    marks = [_line("tick", _x(value, limits), 2, 9) for value in sorted(values)]
    marks.append(_box("quartiles", left, 11, right - left, 7))
    marks.append(_line("median", _x(middle, limits), 10, 19))
    if interval:
        marks.append(_bar("interval", interval, 21.5, limits))
    return _svg(marks, title)


def means(pairs: Sequence[tuple[float, Sequence[float] | None]], title: str, limits: Limits = UNIT) -> Markup:
    """Means with their intervals, one below the other: one method, or a value before and after; and where 0 is within.

    Args:
        pairs: one or two of mean and interval.
        title, limits: see :func:`distribution`.
    """
    marks = [_line("zero", _x(0, limits), 0, HEIGHT)] if limits[0] < 0 < limits[1] else []
    for number, (mean, interval) in enumerate(pairs):
        name = "before" if number < len(pairs) - 1 else "after"
        y = HEIGHT * (number + 1) / (len(pairs) + 1)
        if interval:
            marks.append(_bar(name, interval, y, limits))
        marks.append(_line(f"mean {name}", _x(mean, limits), y - 4, y + 4))
    return _svg(marks, title)


def curve(values: Sequence[float], title: str) -> Markup:
    """A line through values at equal distances, from 0, or the lowest below it, at the bottom to the highest at the top.

    Args:
        values: at least one.
        title: what a screen reader says.
    """
    low, high = min(0.0, *values), max(0.0, *values)
    last = max(len(values) - 1, 1)
    points = " ".join(
        f"{_short(WIDTH * number / last)},{_short(HEIGHT * (high - value) / ((high - low) or 1))}"
        for number, value in enumerate(values)
    )
    return _svg([Markup('<polyline class="curve" points="{}"/>').format(points)], title)


def limits_of(values: Sequence[float]) -> Limits:
    """Ends of an axis that hold all values, multiples of 0.1 that lie apart."""
    low, high = np.floor(10 * min(values)) / 10, np.ceil(10 * max(values)) / 10
    return float(low), float(high if high > low else low + 0.1)


def axis_of(limits: Limits) -> list[str]:
    """The values at the ends and quarters of an axis."""
    return [f"{value:.4g}" for value in np.linspace(*limits, len(GRID))]


def _x(value: float, limits: Limits) -> float:
    """The place of a value on the axis, within it."""
    low, high = limits
    return float(np.clip(WIDTH * (value - low) / (high - low), 0, WIDTH))


def _line(name: str, x: float, top: float, bottom: float) -> Markup:
    return Markup('<line class="{}" x1="{x}" x2="{x}" y1="{}" y2="{}"/>').format(
        name, _short(top), _short(bottom), x=_short(x)
    )


def _bar(name: str, interval: Sequence[float], y: float, limits: Limits) -> Markup:
    low, high = (_short(_x(value, limits)) for value in interval)
    return Markup('<line class="{}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(name, low, high, y=_short(y))


def _box(name: str, x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        name, *map(_short, (x, y, width, height))
    )


def _svg(marks: Sequence[Markup], title: str) -> Markup:
    grid = [_line("grid", x, 0, HEIGHT) for x in GRID]
    return Markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, HEIGHT, title, Markup("").join([*grid, *marks]))


def _short(value: float) -> str:
    """A coordinate with two digits after the point at most."""
    return f"{round(value, 2):g}"
