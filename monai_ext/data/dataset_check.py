"""Everything that is wrong with data sets, found by opening each item of each list, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monai_ext.data.datasets import DESCRIPTION, Folder, SetReader, find_sets
from monai_ext.data.item_check import Contents, ItemCheck
from monai_ext.data.near_lists import NearDuplicates
from monai_ext.errors import InputError
from monai_ext.io.datalists import PICTURES, VOLUMES


@dataclass(frozen=True)
class Entry:
    """An item in one list.

    Attributes:
        split: name of the list.
        item: as :func:`monai_ext.data.datasets.read_split` gives it.
        classes: label values that the item itself says its label holds.
        repeat: whether the list only names an item of another list by its id, as "demo" does.
        contents: what the files hold; None where the image cannot be used.
    """

    split: str
    item: Mapping[str, Any]
    classes: tuple[Any, ...] = ()
    repeat: bool = False
    contents: Contents | None = None

    @property
    def files(self) -> str:
        """The files that are opened: entries of the same files are the same image."""
        return str(self.item["image"])

    @property
    def location(self) -> str:
        """Where a user finds the item: "set: case (list)"."""
        return f"{self.item['set']}: {self.item['case']} ({self.split})"


@dataclass(frozen=True)
class DatasetCheck:
    """What :func:`check_sets` found.

    Attributes:
        lists: names of the lists of each set that could be read.
        entries: every item of every list.
        problems: what has to be corrected, one line each, beginning with the set.
        notes: what is odd but may be right, one line each.
        warnings: images that look nearly like one of another list, one line each.
    """

    lists: Mapping[str, Sequence[str]]
    entries: Sequence[Entry]
    problems: Sequence[str]
    notes: Sequence[str]
    warnings: Sequence[str] = ()

    def never_shown(self) -> list[str]:
        """The targets of which no image of any list shows a pixel, as "set: target"."""
        amounts: dict[str, float] = {}
        for entry in self.entries:
            for target, amount in (entry.contents.shown if entry.contents else {}).items():
                name = f"{entry.item['set']}: {target}"
                amounts[name] = amounts.get(name, 0.0) + amount
        return [name for name, amount in amounts.items() if amount == 0]


def check_sets(
    folder: Folder,
    sets: str | Sequence[str] | None = None,
    track: Callable[[Sequence[Entry]], Iterable[Entry]] = iter,
) -> DatasetCheck:
    """Find everything that is wrong in one data set or several, in all their lists.

    Args:
        folder: one set, or a parent of several, or several of both.
        sets: names of those to check, as in :func:`monai_ext.data.datasets.find_sets`; all if None.
        track: passes on the entries that are opened, and may show the progress.

    Raises:
        InputError: only when there is no such set; what is wrong inside a set is in the result.
    """
    lists: dict[str, list[str]] = {}
    entries: list[Entry] = []
    problems: list[str] = []
    for path in _folders(folder, sets):
        try:
            reader = SetReader(path)
        except InputError as error:
            problems.append(str(error))
            continue
        lists[reader.name] = [name for name in reader.lists if _holds_items(reader, name)]
        entries += [entry for name in lists[reader.name] for entry in _entries(reader, name)]
        problems += reader.problems
    opened: dict[str, tuple[Entry, Contents | None]] = {}  # by the files of the image
    first_with: dict[str, Entry] = {}  # by its pixels
    different: list[Entry] = []  # the first of each image
    notes: dict[tuple[str, str], list[str]] = {}  # cases by set and sentence
    for entry in track([entry for entry in entries if not entry.repeat]):
        if entry.files in opened:
            problems.append(_duplicate(entry, opened[entry.files][0]))
            continue
        check = ItemCheck(entry.item, entry.classes)
        opened[entry.files] = entry, check.contents
        problems += [f"{entry.location}: {problem}" for problem in check.problems]
        for note in check.notes:
            notes.setdefault((entry.item["set"], note), []).append(entry.item["case"])
        first = first_with.setdefault(check.pixels, entry) if check.pixels else entry
        if first is not entry:
            problems.append(_duplicate(entry, first))
        elif check.contents is not None:
            different.append(replace(entry, contents=check.contents))
    entries = [replace(e, contents=opened[e.files][1] if e.files in opened else None) for e in entries]
    near = NearDuplicates(different)
    told = [*(_note(*key, cases) for key, cases in notes.items()), *_missing_labels(entries), *near.notes()]
    return DatasetCheck(lists, entries, _lines(problems), _lines(told), _lines(near.warnings()))


def _folders(folder: Folder, sets: str | Sequence[str] | None) -> list[Path]:
    for one in [folder] if isinstance(folder, (str, Path)) else folder:
        path = Path(one).expanduser()
        name = path.resolve().name
        if not path.is_dir():
            raise InputError(
                f"{name}: {'a file' if path.exists() else 'not there'}; give a data set's folder."
            )
        if not (path / DESCRIPTION).is_file() and not any(path.glob(f"*/{DESCRIPTION}")):
            raise InputError(
                f"{name}: no {DESCRIPTION} in it or one level below; monai-ext dataset make makes one of images and"
                " masks, see docs/datasets.md."
            )
    return find_sets(folder, sets)


def _holds_items(reader: SetReader, name: str) -> bool:
    """Whether a list of ``dataset.json`` is one of items, not of authors or keywords."""
    entries = reader.lists[name]
    return not entries or any(
        isinstance(entry, dict)
        or (isinstance(entry, str) and (entry in reader.by_id or entry.lower().endswith(PICTURES + VOLUMES)))
        for entry in entries
    )


def _entries(reader: SetReader, split: str) -> list[Entry]:
    result = []
    for given, item in zip(reader.lists[split], reader.items(split, {}), strict=True):
        if item:  # else it was neither a file, nor an id, nor an object
            repeat = isinstance(given, str) and given in reader.by_id
            classes = given.get("classes") if isinstance(given, dict) else None
            result.append(Entry(split, item, tuple(classes) if isinstance(classes, list) else (), repeat))
    return result


def _lines(texts: Iterable[str]) -> list[str]:
    """The texts without repetitions, each on one line: an id may hold a line break."""
    return list(dict.fromkeys(" ".join(text.split()) for text in texts))


def _duplicate(entry: Entry, first: Entry) -> str:
    return f"{entry.location}: the same image as {first.location}; keep one of them"


def _note(name: str, note: str, cases: Sequence[str]) -> str:
    others = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
    return f"{name}: {cases[0]}{others}: {note}"


def _missing_labels(entries: Iterable[Entry]) -> list[str]:
    """Notes on targets that no item of a set shows, and on items without a label in lists where others have one."""
    most: dict[tuple[str, str], float] = {}
    labelled: dict[tuple[str, str], list[bool]] = {}
    for entry in entries:
        name = entry.item["set"]
        labelled.setdefault((name, entry.split), []).append("label" in entry.item)
        for target, amount in (entry.contents.shown if entry.contents else {}).items():
            most[name, target] = max(most.get((name, target), 0.0), amount)
    return [f"{name}: no item shows '{target}'" for (name, target), amount in most.items() if not amount] + [
        f"{name}: {have.count(False)} of the {len(have)} items in {split} have no label"
        for (name, split), have in labelled.items()
        if True in have and False in have
    ]
