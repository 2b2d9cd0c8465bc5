"""Reader of data sets described by a ``dataset.json`` (Decathlon's layout, with patients and unions)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.errors import InputError
from monai_ext.io.datalists import stem
from monai_ext.prompts.modalities import modality_key

DESCRIPTION = "dataset.json"
FACTS = ("pathology", "tumour_type", "finding", "empty_mask", "difficulty")
"""Facts that an item of ``dataset.json`` may state beside its mask."""


Folder = str | Path | Sequence[str | Path]
"""A folder with data, or several."""


def find_sets(folder: Folder, sets: str | Sequence[str] | None = None) -> list[Path]:
    """The folders with a ``dataset.json``: `folder` itself, or those directly under it, by name.

    Args:
        folder: one set, or a parent of several; or several of both.
        sets: names of the folders to keep, in this order, a list or a string separated by commas; None or empty
            keeps all.

    Raises:
        InputError: when there is none or no folder is given, when two have the same name, or when a name of `sets` is not
            among them.
    """
    if isinstance(sets, str):
        sets = [name.strip() for name in sets.split(",") if name.strip()]
    found: dict[str, Path] = {}
    for one in [folder] if isinstance(folder, (str, Path)) else folder:
        for name, path in _sets_in(Path(one).expanduser()).items():
            if name in found:
                raise InputError(
                    f"{path}: a set named {name} is also in {found[name].parent}; figures are told apart by the name, so give "
                    "one of them, or rename its folder."
                )
            found[name] = path
    if not found:
        raise InputError("dataset_dir is empty; give the folder of a data set.")
    unknown = [name for name in sets or () if name not in found]
    if unknown:
        raise InputError(f"{shown(folder)}: no set {', '.join(unknown)}; choose from {', '.join(found)}.")
    return [found[name] for name in sets or found]


def _sets_in(folder: Path) -> dict[str, Path]:
    if (folder / DESCRIPTION).is_file():
        return {folder.resolve().name: folder}
    if not folder.exists():
        raise InputError(f"{folder}: no such file or folder.")
    found = {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{DESCRIPTION}"))}
    if not found:
        raise InputError(f"{folder}: no {DESCRIPTION} in it or one level below; give a data set's folder.")
    return found


def shown(folder: Folder) -> str:
    """A folder, or several, in a message."""
    return str(folder) if isinstance(folder, (str, Path)) else ", ".join(map(str, folder))


def read_split(
    folder: Folder,
    split: str,
    sets: str | Sequence[str] | None = None,
    unions: Mapping[str, Sequence[str]] | None = None,
    exclude: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The items of one list of one data set, or of several pooled.

    Args:
        folder: one set, or a parent of several, or several of both (of several, sets without this list are passed over).
        split: name of a list in ``dataset.json``, such as training, validation, test, images or demo.
        sets: names of the sets to pool, as in :func:`find_sets`.
        unions: targets to add where all that they unite are annotated, as ``{"lungs": ["left lung", "right lung"]}``.
        exclude: ids of cases that are left out.

    Returns:
        one dict per image: ``image`` (a path, or a list of paths, one per sequence), ``label`` (a path; missing
        where there is none), ``case``, ``group`` (patient), ``set``, ``modality`` (one of
        ``prompts.modalities.MODALITIES``, or "other" for pictures without labels), ``facts`` (those of :data:`FACTS`
        that the item states), ``targets`` (label values by name, only those annotated in this item),
        ``prompts`` (the set's own sentences by name) and ``table`` ("0+1+2": all values of the label table).
        The name of a target is that of the label table; a union of labels is named by its first prompt.

    Raises:
        InputError: with the problems of all sets in one message: lists or files that are missing, labels that the
            table does not have, ids or images that are listed twice, patients who are in two lists.
    """
    folders = find_sets(folder, sets)
    items: list[dict[str, Any]] = []
    problems: list[str] = []
    lists: dict[str, None] = {}
    found = False
    for path in folders:
        try:
            reader = SetReader(path)
        except InputError as error:
            problems.append(str(error))
            continue
        lists.update(dict.fromkeys(reader.lists))
        if split in reader.lists:
            found = True
            items += reader.items(split, unions or {})
            problems += reader.problems
    if not found and not problems:
        raise InputError(
            f"{shown(folder)}: no list '{split}' in {DESCRIPTION}; choose from {', '.join(lists)}."
        )
    if problems:
        told = "; ".join(problems[:20]) + ("; …" if len(problems) > 20 else "")
        raise InputError(
            f"{shown(folder)}: {len(problems)} problem(s) in the data: {told}. Correct {DESCRIPTION}."
        )
    if not items:
        raise InputError(f"{shown(folder)}: the list '{split}' is empty; choose from {', '.join(lists)}.")
    return [item for item in items if item["case"] not in exclude]


class SetReader:
    """One ``dataset.json``; what is wrong with it is collected in `problems`, so that all of it is reported together."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.resolve().name
        try:
            self.table = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{self.name}/{DESCRIPTION} cannot be read ({error})") from error
        if not isinstance(self.table, dict):
            raise InputError(f"{self.name}/{DESCRIPTION} is not a JSON object")
        self.problems: list[str] = []
        for key in ("labels", "prompts"):
            if not isinstance(self.table.setdefault(key, {}), dict):
                self._report(f"{key}: an object is needed, with label values as keys")
                self.table[key] = {}
        self.lists = {key: value for key, value in self.table.items() if isinstance(value, list)}
        self.labels = {str(k): str(v) for k, v in self.table["labels"].items()}
        for value in [value for value in self.labels if not value.isdigit()]:
            self._report(f"labels '{value}': the keys are label values, the entries their names")
            del self.labels[value]
        self.targets: dict[str, tuple[int, ...]] = {}
        self.prompts: dict[str, list[str]] = {}
        self._read_targets()
        # Lists of ids, such as "demo", only repeat items; the other lists must not share a patient.
        self.by_id = {self._id(e): e for key in self.lists for e in self.lists[key] if isinstance(e, dict)}
        self._check_lists()

    def _report(self, text: str) -> None:
        self.problems.append(f"{self.name}: {text}")

    @staticmethod
    def _id(entry: Mapping[str, Any]) -> str:
        image = entry.get("image", "")
        first = image[0] if isinstance(image, list) and image else image
        return str(entry.get("id") or stem(str(first)))

    def _read_targets(self) -> None:
        """Values and sentences by target, from the prompts table, or from the labels where there is none."""
        table = self.table.get("prompts") or {k: [v] for k, v in self.labels.items() if v != "background"}
        for key, texts in table.items():
            values = str(key).split("+")
            unknown = [value for value in values if value not in self.labels]
            if unknown or not all(map(str.isdigit, values)):
                self._report(f"prompts '{key}': label {', '.join(unknown) or key} is not in the label table")
            elif not isinstance(texts, list) or not texts:
                self._report(f"prompts '{key}': a list of sentences is needed")
            else:
                name = self.labels[key] if len(values) == 1 else str(texts[0])
                self.targets[name] = tuple(map(int, values))
                self.prompts[name] = [str(text) for text in texts]

    def _check_lists(self) -> None:
        lists_of: dict[str, set[str]] = defaultdict(set)
        seen: dict[str, set[str]] = {"id": set(), "image": set()}
        for key, entries in self.lists.items():
            for entry in (e for e in entries if isinstance(e, dict)):
                case = self._id(entry)
                lists_of[str(entry.get("group", case))].add(key)
                for what, value in (("id", case), ("image", str(entry.get("image")))):
                    if value in seen[what]:
                        self._report(f"{what} {value} stands twice")
                    seen[what].add(value)
        for group, keys in lists_of.items():
            if len(keys) > 1:
                self._report(f"group {group} is in {' and '.join(sorted(keys))}")

    def _modality(self) -> str:
        given = self.table.get("modality", "")
        text = " ".join(map(str, given.values())) if isinstance(given, dict) else str(given)
        try:
            return modality_key(text or self.name.replace("_", " "))
        except InputError as error:
            if self.targets:
                self._report(str(error).rstrip("."))
            return "other"

    def _file(self, case: str, what: str, name: Any) -> str:
        path = self.folder / str(name)
        try:
            exists = isinstance(name, str) and (path.is_file() or (what == "image" and path.is_dir()))
        except OSError:  # a name that no file system takes
            exists = False
        if not exists:
            self._report(f"{case}: {what} {name} is missing")
        return str(path)

    def items(self, split: str, unions: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
        modality = self._modality()
        return [self._item(entry, modality, unions) for entry in self.lists[split]]

    def _item(self, entry: Any, modality: str, unions: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        if isinstance(entry, str):
            entry = self.by_id.get(entry, {"image": entry})
        if not isinstance(entry, dict):
            self._report(f"entry {entry!r} is neither a file, nor an id, nor an object")
            return {}
        case = self._id(entry)
        image = entry.get("image")
        item: dict[str, Any] = {
            "image": [self._file(case, "image", i) for i in image]
            if isinstance(image, list)
            else self._file(case, "image", image),
            "case": case,
            "group": str(entry.get("group", case)),
            "set": self.name,
            "modality": modality,
            "facts": {key: entry[key] for key in FACTS if key in entry},
            "targets": {},
            "prompts": self.prompts,
            "table": "+".join(sorted(self.labels | {"0": ""}, key=int)),
        }
        if entry.get("label") is not None:
            item["label"] = self._file(case, "label", entry["label"])
            item["targets"] = self._annotated(case, entry.get("annotated_labels"), unions)
        return item

    def _annotated(
        self, case: str, annotated: Iterable[Any] | None, unions: Mapping[str, Sequence[str]]
    ) -> dict[str, tuple[int, ...]]:
        values = {str(v) for v in (self.labels if annotated is None else annotated)}
        for value in sorted(values - set(self.labels)):
            self._report(f"{case}: annotated label {value} is not in the label table")
        targets = {name: own for name, own in self.targets.items() if values.issuperset(map(str, own))}
        for name, members in unions.items():
            if name not in targets and all(member in targets for member in members):
                targets[name] = tuple(sorted({value for member in members for value in targets[member]}))
        return targets
