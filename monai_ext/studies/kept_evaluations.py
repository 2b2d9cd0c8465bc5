"""Evaluations that run once and are kept: each in a folder of its own, whose name is a hash of all that it depends on."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any, Protocol

from monai_ext.studies.evaluate import RECORD, write_record
from monai_ext.studies.tune_report import Entry
from monai_ext.studies.tune_settings import Setting, name_setting_in_errors


class Task(Protocol):
    """What is evaluated: all that its result depends on, and how it is run, see :class:`EvaluationTask`."""

    def facts(self) -> dict[str, Any]:
        """All that a result depends on except its setting, as JSON."""

    def evaluate(self, folder: Path, setting: Setting) -> dict[str, Any]:
        """Write metrics.json and cases.csv into a folder; the content of metrics.json."""


class Evaluations:
    """Evaluations of settings on the same cases; each runs once and is kept in ``OUTPUT/runs``.

    Args:
        task: what is evaluated.
        output: folder, as an absolute path.

    Attributes:
        facts: of `task`, see :meth:`EvaluationTask.facts`.
        entries: finished evaluations by the name of their folder.

    Raises:
        InputError, WeightsError: when data or weights cannot be read.
    """

    def __init__(self, task: Task, output: Path) -> None:
        self.task = task
        self.facts = task.facts()
        self.folder = output / "runs"
        self.entries = self._finished()

    def __contains__(self, setting: Setting) -> bool:
        return self._name(setting) in self.entries

    def of(self, setting: Setting) -> Entry:
        """The evaluation of a setting, run now if it is not finished.

        Raises:
            InputError, WeightsError: for what the user can correct; the line names the setting.
        """
        name = self._name(setting)
        if name not in self.entries:
            self.entries[name] = self._run(setting, self.folder / name)
        return self.entries[name]

    def _name(self, setting: Setting) -> str:
        content = json.dumps([self.facts, setting], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def _finished(self) -> dict[str, Entry]:
        entries = {}
        for path in sorted(self.folder.glob(f"*/{RECORD}")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                figures = json.loads((path.parent / "metrics.json").read_text(encoding="utf-8"))
                same = record["facts"] == json.loads(json.dumps(self.facts))
                entry = Entry(path.parent, record["setting"], figures, float(record["seconds"]))
            except (OSError, ValueError, KeyError, TypeError):
                continue  # another file, or a damaged one: the evaluation runs again and replaces it
            if same:
                entries[path.parent.name] = entry
        return entries

    def _run(self, setting: Setting, folder: Path) -> Entry:
        started = time.monotonic()
        with name_setting_in_errors(setting):
            figures = self.task.evaluate(folder, setting)
        seconds = round(time.monotonic() - started, 3)
        write_record(folder, self.facts, setting, seconds)
        return Entry(folder, setting, figures, seconds)
