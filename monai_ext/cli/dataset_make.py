"""``monai-ext dataset make``: say what was matched, what not and what was assumed; then write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import track

from monai_ext.cli.console import print_line

if TYPE_CHECKING:
    from monai_ext.data.making import Found, Plan, Source, Wishes

SHOWN = 5
"""Names of files that fit nothing which are printed."""
Item = TypeVar("Item")


def run_make(source: Path, folder: Path, wishes: Wishes, link: bool, dry_run: bool, quiet: bool) -> None:
    """Find, survey and write a data set, and print each step's result before the next.

    Raises:
        InputError: see :mod:`monai_ext.data.making`.
    """
    from monai_ext.data.making import find_source, plan_set, write_set
    from monai_ext.files import check_new_folder

    check_new_folder(folder.expanduser().absolute(), source.expanduser().absolute())
    found = find_source(source)
    if not quiet:
        print_source(source, found)
    plan = plan_set(found, wishes, lambda cases: _progress(cases, "reading"))
    if not quiet:
        print_plan(plan)
    if dry_run:
        return
    write_set(plan, source, folder, link, lambda items: _progress(items, "writing"))
    if not quiet:
        print_line(f"{folder}: written; monai-ext dataset check looks at all of it")


def _progress(items: Sequence[Item], what: str) -> Iterable[Item]:
    console = Console(stderr=True)
    return track(items, what, console=console, transient=True, disable=not console.is_terminal)


def print_source(path: Path, source: Source) -> None:
    """Print the kind of source, an example of what was matched, and what was not."""
    print_line(f"{path}: {source.kind}")
    print_line(f"matched: {len(source.cases)} cases, such as {_example(source.cases[0])}")
    for what, names in source.unmatched.items():
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            print_line(f"not matched: {len(names)} × {what}: {', '.join(names[:SHOWN])}{more}")


def _example(case: Found) -> str:
    masks = [mask.file.name + (f" ({mask.target})" if mask.target else "") for mask in case.masks]
    more = f" and {len(masks) - SHOWN} more" if len(masks) > SHOWN else ""
    count = f" ({len(case.images)} files)" if len(case.images) > 1 else ""
    return f"{case.name}{count} with {', '.join(masks[:SHOWN])}{more}"


def print_plan(plan: Plan) -> None:
    """Print the targets with what they come from, the notes, and the sizes of the lists."""
    items = [item for name in plan.lists for item in plan.lists[name]]
    print_line(f"modality: {plan.tables['modality']['0']}")
    for target in plan.targets:
        names = [name for name, targets in plan.names.items() if target in targets]
        origin = "" if names == [target] else f", from {', '.join(names)}"
        shown, annotated = (
            sum(target in t for t in held) for held in zip(*((i.shown, i.annotated) for i in items))
        )
        print_line(f"target: {target}{origin}; shown in {shown} of {annotated} cases")
    for note in plan.notes:
        print_line(f"  note: {note}")
    sizes = ", ".join(f"{len(plan.lists[name])} {name}" for name in plan.lists)
    patients = len({item.group for item in items})
    print_line(f"lists: {sizes}; {patients} patients")
