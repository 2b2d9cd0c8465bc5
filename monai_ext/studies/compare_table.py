"""The cells of a comparison's table, for the terminal and for the report. Importing this imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def method_cells(row: Mapping[str, Any]) -> dict[str, str]:
    """A row of :func:`monai_ext.studies.compare_report.make_rows` as text by title; "" for what is not known."""
    words, masks, peak = row["words"], row["false_masks"], row["peak_bytes"]
    return {
        "method": row["name"],
        "Dice": with_interval(row["dice"]),
        "IoU": _mean(row["iou"]),
        "NSD": _mean(row["nsd"]),
        "HD95": _distance(row["hd95"]),
        "F1 by lesion": with_interval(row["lesions"]) if row["lesions"] else "",
        "presence AUC": _mean(row["auc"]),
        "false masks": _figure(row["false_positive_rate"]),
        "of own targets": f"{_figure(masks['mean'])} of {masks['n']}" if masks else "",
        "other words": f"±{words['spread']:.3f}" if words else "",
        "rank": f"{row['mean_rank']:.2f}",
        "P(first)": _figure(row["first_rank"]),
        "p (Holm)": "best" if row["p_holm"] is None else p_text(row["p_holm"]),
        "s a case": "" if row["seconds"] is None else f"{row['seconds']:.2f}",
        "memory": f"{peak / 1e9:.2f} GB" if peak else "",
    }


def with_interval(figures: Mapping[str, Any]) -> str:
    """A mean with its interval."""
    interval = figures["ci95"]
    span = f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
    return f"{_figure(figures['mean'])}{span}"


def _mean(figures: Mapping[str, Any] | None) -> str:
    return "" if figures is None else _figure(figures["mean"])


def _distance(figures: Mapping[str, Any] | None) -> str:
    if figures is None or figures["mean"] is None:
        return ""
    empty = f", {figures['undefined']} empty" if figures["undefined"] else ""
    return f"{figures['mean']:.1f} {figures['unit']}{empty}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def p_text(value: float) -> str:
    """A p value as text."""
    return "< 0.001" if value < 0.001 else f"{value:.2g}"
