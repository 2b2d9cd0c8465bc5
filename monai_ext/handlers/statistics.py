"""Write the figures of all masks of a run as one table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.files import whole_file
from monai_ext.transforms.statistics import STATISTICS
from monai_ext.transforms.uncertainty import UNCERTAINTY

COPIED = (
    "case",
    "prompt",
    "mask",
    "segment",
    "roi",
    "presence",
    "voxels",
    "volume_ml",
    "area_mm2",
    "area_px",
)
"""What a row takes from the record of a result; what a record has not is null."""
AXES = ("x", "y", "z")


def statistics_rows(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each result that has ``statistics``; ``reason`` says why a mask is empty, "" of one that is not.

    Where uncertainty was measured there is also ``quality``, None where there is no mask.
    """
    return [
        {
            **{name: row.get(name) for name in COPIED},
            **({"quality": row[UNCERTAINTY]["quality"]} if UNCERTAINTY in row else {}),
            **row[STATISTICS],
            "reason": "" if row["voxels"] or not row["warnings"] else row["warnings"][-1],
        }
        for row in results
        if STATISTICS in row
    ]


def write_statistics(path: Path, results: Sequence[Mapping[str, Any]]) -> None:
    """Write ``path`` as JSON, a list of rows, and as ``.csv`` beside it, each whole or not at all.

    In the table a coordinate is a column: ``centroid_x``, ``centroid_y``, ``centroid_z``; an empty cell is null.

    Args:
        path: of the JSON file.
        results: of a report; nothing is written where none has ``statistics``.

    Raises:
        OSError: when a file cannot be written.
    """
    rows = statistics_rows(results)
    if not rows:
        return
    with whole_file(path) as temporary:
        text = json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    flat = [dict(_flat(row)) for row in rows]
    with (
        whole_file(path.with_suffix(".csv")) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, fieldnames=list(flat[0]))
        writer.writeheader()
        writer.writerows(flat)


def _flat(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if name in ("bbox_min", "bbox_max", "centroid"):
            yield from zip((f"{name}_{axis}" for axis in AXES), [*(value or ()), *[None] * 3])
        else:
            yield name, value
