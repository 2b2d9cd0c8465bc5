"""``monai-ext dataset check``: look with a progress line, print the figures as tables, write them and a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from monai_ext.cli.console import print_warning, wide_console
from monai_ext.errors import InputError
from monai_ext.files import whole_file

if TYPE_CHECKING:
    from monai_ext.data.dataset_check import DatasetCheck, Entry
    from monai_ext.data.datasets import Folder


def run_check(folder: Folder, sets: str | Sequence[str] | None, *wanted: Path | None) -> DatasetCheck:
    """Check data sets, with a progress line on a terminal.

    Args:
        folder, sets: see :func:`monai_ext.data.dataset_check.check_sets`.
        wanted: files that will be written, whose names are looked at before the work.

    Raises:
        InputError: when there is no such set, or a name ends neither in .png nor in .json.
    """
    for path in wanted:
        if path is not None and (path.is_dir() or path.suffix.lower() not in (".png", ".json")):
            raise InputError(f"{path.name}: give a file, .png for the sheet and .json for the figures.")
    from monai_ext.data.dataset_check import check_sets

    return check_sets(folder, sets, _progress)


def _progress(entries: Sequence[Entry]) -> Iterable[Entry]:
    console = Console(stderr=True)
    return track(entries, "opening", console=console, transient=True, disable=not console.is_terminal)


def print_check(check: DatasetCheck) -> None:
    """Print the figures of what was checked, and the notes."""
    from monai_ext.data.dataset_statistics import statistics

    figures, console = statistics(check), wide_console()
    for table in (_lists(figures), _targets(figures), _intensities(figures)):
        if table.row_count:
            console.print(table)
    print("size and spacing: one number where all are equal, else minimum/median/maximum")
    for note in check.notes:
        print("note:", note)


def print_warnings(check: DatasetCheck) -> None:
    """Print the images that look nearly like one of another list, beside the errors."""
    for warning in check.warnings:
        print_warning(warning)


def write_figures(path: Path, check: DatasetCheck) -> None:
    """Write ``problems``, ``warnings``, ``notes`` (sentences) and the figures of :func:`statistics` as JSON.

    Raises:
        InputError: when the file cannot be written.
    """
    from monai_ext.data.dataset_statistics import statistics

    told = {"problems": check.problems, "warnings": check.warnings, "notes": check.notes}
    content = {**told, **statistics(check)}
    with _written(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_sheet(path: Path, check: DatasetCheck) -> None:
    """Write examples as a PNG picture, see :mod:`monai_ext.visualize.contact_sheet`.

    Raises:
        InputError: when no image could be opened, or the file cannot be written.
    """
    from monai_ext.visualize.contact_sheet import choose_examples, contact_sheet

    examples = choose_examples(check.entries)
    if not examples:
        raise InputError(f"{path.name}: no image could be opened, so there is nothing to draw.")
    picture = contact_sheet(examples)
    with _written(path) as temporary:
        picture.save(temporary, format="PNG")


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    try:
        with whole_file(path.expanduser()) as temporary:
            yield temporary
    except OSError as error:
        raise InputError(f"{path.name}: cannot be written ({error.strerror}).") from error


def _lists(figures: Mapping[str, Any]) -> Table:
    table = Table("set", "list", "items", "patients", "kind", "channels", "size", "spacing (mm)")
    for name, split, found in _each(figures):
        kinds = found["kinds"] or {"": {"items": 0, "channels": (), "size": (), "spacing_mm": ()}}
        for kind, one in kinds.items():
            some = f" ({one['items']})" if len(kinds) > 1 else ""
            channels = ", ".join(map(str, one["channels"]))
            unreadable = f" ({found['unreadable']} unreadable)" if found["unreadable"] else ""
            cells = (
                name,
                split,
                f"{found['items']}{unreadable}",
                str(found["patients"]),
                kind + some,
                channels,
            )
            _add(table, *cells, _axes(one["size"]), _axes(one["spacing_mm"]))
    return table


def _targets(figures: Mapping[str, Any]) -> Table:
    table = Table("set", "list", "target", "shown", "empty", "median")
    for name, split, found in _each(figures):
        for target, one in found["targets"].items():
            share = [f"{one['median_share']:.2%}".replace("%", " %")] if "median_share" in one else []
            volume = [f"{one['median_ml']:.4g} ml"] if "median_ml" in one else []
            _add(table, name, split, target, str(one["shown"]), str(one["empty"]), ", ".join(share + volume))
    return table


def _intensities(figures: Mapping[str, Any]) -> Table:
    table = Table("modality", "kind", "images", "lowest", "median of lowest", "median of highest", "highest")
    for one in figures["intensities"]:
        ends = (one[key] for key in ("lowest", "median_lowest", "median_highest", "highest"))
        _add(table, one["modality"], one["kind"], str(one["images"]), *(f"{end:g}" for end in ends))
    return table


def _each(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Set, list and figures of every list that is not empty."""
    for name, one in figures["sets"].items():
        for split, found in one["lists"].items():
            if found["items"]:
                yield name, split, found


def _axes(axes: Sequence[Mapping[str, float]]) -> str:
    """ "512 × 512 × 40/60/93": minimum, median and maximum of an axis, or the one number where all are equal."""
    return " × ".join(
        f"{axis['min']:g}"
        if axis["min"] == axis["max"]
        else f"{axis['min']:g}/{axis['median']:g}/{axis['max']:g}"
        for axis in axes
    )


def _add(table: Table, *cells: str) -> None:
    table.add_row(*map(Text, cells))  # as text: a name may hold brackets, which are rich's markup
