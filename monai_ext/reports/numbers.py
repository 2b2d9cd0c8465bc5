"""Figures as the text of a report."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float | None) -> str:
    """Three digits after the point."""
    return "undefined" if value is None else f"{value:.3f}"


def share(value: float | None) -> str:
    """A share as percent."""
    return "undefined" if value is None else f"{100 * value:.1f} %"


def span(interval: Sequence[float] | None, digits: int = 3) -> str:
    """An interval of 95 % as text; a single patient has none."""
    if interval is None:
        return ""
    return f"95 %: {interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def with_span(mean: float | None, interval: Sequence[float] | None) -> str:
    """A mean with its interval, or alone."""
    return number(mean) + (f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else "")
