"""The methods of a comparison: bundles with variants, folders of masks from elsewhere, and floors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from monai_ext.bundle import runner
from monai_ext.bundle.catalog import find_bundle
from monai_ext.bundle.check import find_trusted_bundle
from monai_ext.data.datasets import Folder, SetReader, find_sets, read_split
from monai_ext.data.evaluation import draw_cases, evaluation_items
from monai_ext.errors import InputError
from monai_ext.studies.evaluate import EvaluationTask
from monai_ext.studies.floors import MeanMask, OtsuFloor, TrainingPictures
from monai_ext.studies.kept_evaluations import Task
from monai_ext.studies.scored_masks import Item, MaskFolder, MaskTask

BUNDLE, MASKS, FLOOR = "bundle", "masks", "floor"
TRAINING = "training"
"""The list that floors learn from."""


@dataclass(frozen=True)
class Question:
    """The cases on which methods are compared.

    Attributes:
        data, split, sets, limit, seed, device, batch_size: of :func:`monai_ext.bundle.runner.run_evaluate`.
    """

    data: Folder
    split: str
    sets: Sequence[str] | None = None
    limit: int | None = None
    seed: int = 0
    device: str = runner.AUTO
    batch_size: int | None = None

    def items(self) -> list[dict[str, Any]]:
        """The cases with their canonical prompts.

        Raises:
            InputError: when there are no such data or list.
        """
        items = evaluation_items(self.data, self.split, sets=self.sets)
        return items if self.limit is None else draw_cases(items, self.limit, self.seed)

    def task(self, bundle: Path, variants: Sequence[str]) -> EvaluationTask:
        """The evaluation of a bundle on the cases."""
        return EvaluationTask(bundle, variants=tuple(variants), **vars(self))


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        name: of the row.
        kind: "bundle", "masks" or "floor".
        task: its evaluation.
    """

    name: str
    kind: str
    task: Task

    def paraphrased(self) -> EvaluationTask:
        """The evaluation of a bundle with the held-out paraphrases."""
        assert isinstance(self.task, EvaluationTask)
        return replace(self.task, wording="heldout", overlays=None)


class Asked(NamedTuple):
    """A method that the command line names: a bundle's folder with variants, or a folder of masks (variants None)."""

    name: str
    folder: Path
    variants: tuple[str, ...] | None


def parse_methods(texts: Sequence[str], trust: bool = False) -> list[Asked]:
    """The methods that the command line names; nothing of them is run, and no data are read.

    Args:
        texts: ``BUNDLE``, ``BUNDLE:VARIANT`` (several variants joined by ":") or ``NAME=DIR`` each.
        trust: see :func:`monai_ext.bundle.check.find_trusted_bundle`.

    Raises:
        InputError: for an unknown bundle or variant, one that the check does not let in, and a name that stands twice.
    """
    methods: list[Asked] = []
    for text in texts:
        method = _parse(text, trust)
        if any(method.name == other.name for other in methods):
            raise InputError(f"{method.name} stands twice; a comparison is of different methods.")
        methods.append(method)
    return methods


def _parse(text: str, trust: bool) -> Asked:
    name, equals, folder = text.partition("=")
    if equals and not _is_bundle(text):
        if not name or not folder:
            raise InputError(f"{text!r}: write NAME=DIR, a name and the folder of its masks.")
        return Asked(name, Path(folder), None)
    bundle, *variants = [text] if _is_bundle(text) else text.split(":")
    path = find_trusted_bundle(bundle, variants, trust)
    return Asked(":".join([path.name, *(Path(one).stem for one in variants)]), path, tuple(variants))


def read_method(asked: Asked, question: Question, items: Sequence[Item]) -> Method:
    """A method with its evaluation of the cases.

    Args:
        asked: of :func:`parse_methods`.
        question: the cases.
        items: of `question`.

    Raises:
        InputError: for a folder without a mask of any case.
    """
    if asked.variants is None:
        return Method(asked.name, MASKS, MaskTask(asked.name, MaskFolder(asked.folder, items), items))
    return Method(asked.name, BUNDLE, question.task(asked.folder, asked.variants))


def _is_bundle(text: str) -> bool:
    """Whether the whole text is a bundle, such as a folder with ":" or "=" in its name."""
    try:
        find_bundle(text)
    except InputError:
        return False
    return True


def read_floors(question: Question, items: Sequence[Item]) -> tuple[list[Method], list[str]]:
    """The floors that the data allow, and notes on why there are none.

    Raises:
        InputError: when the training list is faulty.
    """
    readers = [SetReader(folder) for folder in find_sets(question.data, question.sets)]
    if not any(reader.lists.get(TRAINING) for reader in readers):
        return [], [f"there are no floors: the data have no list '{TRAINING}' to learn them from"]
    training = TrainingPictures(read_split(question.data, TRAINING, question.sets))
    shown = {item["set"] for item in items}
    if not any(item["set"] in shown for item in training.items):
        return [], [f"there are no floors: they are of pictures, and the list '{TRAINING}' has none"]
    sources: Mapping[str, MeanMask | OtsuFloor] = {
        "mean mask": MeanMask(training),
        "Otsu": OtsuFloor(training),
    }
    notes = []
    if question.split == TRAINING:
        notes.append("the floors learnt from the cases they are scored on")
    return [Method(name, FLOOR, MaskTask(name, one, items)) for name, one in sources.items()], notes
