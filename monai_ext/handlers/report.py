"""Write the report of a run: its inputs, prompts and weights, and the records of its results."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import monai
import torch
from ignite.engine import Engine, Events

import monai_ext
from monai_ext.data.fault_tolerant import FAILED, FINISHED
from monai_ext.data.records import FILES, CaseRecords
from monai_ext.errors import InputError
from monai_ext.files import check_writable, whole_file
from monai_ext.handlers.statistics import write_statistics
from monai_ext.io.datalists import report_name


class ReportWriter:
    """Collect the records of :class:`monai_ext.transforms.MaskSaveImaged` and write ``report.json`` at the end.

    ``{"version", "bundle", "weights", "device", "seconds", "seed", "versions", "results": [one record per
    prompt, with "input_sha256"], "failed": [{"case", "reason"}], "skipped": number of cases that an earlier run
    finished, "copies": number of inputs with the content of an earlier input, which are in "results" once}``. It holds no
    absolute path and nothing of a file's header but its geometry. Where records hold ``statistics``
    (:class:`monai_ext.transforms.MaskStatisticsd`), they are also written as ``statistics.json`` and ``statistics.csv``.

    Args:
        records: where the record of each case is written, so that a later run can pass over it. The report lies in
            their folder and states their bundle, weights and settings; paths of masks are relative to the folder.
        device: that the network ran on.
        report: a second place for the same file.
        seed: of the run, if it has one.
        record_key: data key of a case's list of records.
        part, parts: of a job array, whose jobs need a report each: ``report-1-of-2.json``.

    Stands after the handlers that write files of a case, since its record names them all.
    """

    def __init__(
        self,
        records: CaseRecords,
        device: str | torch.device,
        report: str | Path | None = None,
        seed: int | None = None,
        record_key: str = "record",
        part: int = 1,
        parts: int = 1,
    ) -> None:
        name, version = records.bundle or (None, None)
        file = records.output_dir / report_name(part, parts)
        self.targets = [file, *([Path(report)] if report else [])]
        self.statistics = file.with_name(file.name.replace("report", "statistics"))
        self.header = {
            "version": version,
            "bundle": name,
            "weights": dict(records.weights or {}),
            "device": str(device),
        }
        self.seed = seed
        self.record_key = record_key
        self.records = records
        self.skipped = self.copies = 0
        self.results: list[dict[str, Any]] = []
        self.failed: list[dict[str, str]] = []
        self.report: dict[str, Any] = {}
        self._started = 0.0

    def attach(self, engine: Engine) -> None:
        """Collect after every case and write when the evaluator has seen all of them."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, engine: Engine) -> None:
        """Clear the results of an earlier run, and check before the first case that the report can be written.

        Raises:
            InputError: when it cannot.
        """
        for target in self.targets:
            check_writable(target)
        self.results, self.failed, self.report, self.skipped, self.copies = [], [], {}, 0, 0
        self._started = time.monotonic()

    def collect(self, engine: Engine) -> None:
        """Take the records, or the reason of failure, of the cases of one iteration."""
        state: Any = engine.state
        if all(FAILED in output for output in state.output):
            self.failed += [{"case": out["case"], "reason": out[FAILED]} for out in state.output]
            return
        if all(FINISHED in output for output in state.output):
            for out in state.output:
                self.skipped += self._add(json.loads(out[FINISHED]))
            return
        for item, output in zip(state.batch, state.output, strict=True):
            digest = item["input_sha256"]
            rows = [{**row, "input_sha256": digest} for row in output[self.record_key]]
            if rows:
                self.records.write(rows[0]["case"], digest, rows, output.get(FILES, ()))
            self._add(rows)

    def _add(self, rows: list[dict[str, Any]]) -> bool:
        """Add the rows of a case, unless an input of the same content, which is the same case, added them already."""
        new = not rows or rows[0]["case"] not in {row["case"] for row in self.results}
        if new:
            self.results += rows
        else:
            self.copies += 1
        return new

    def write(self, engine: Engine) -> None:
        """Write the report, whole or not at all.

        Raises:
            InputError: when no case could be read (nothing is written then), or a file cannot be written.
        """
        if self.failed and not self.results:
            reasons = [one["reason"] for one in self.failed]
            rest = f" ({len(reasons) - 3} more)" if len(reasons) > 3 else ""
            raise InputError(" ".join(reasons[:3]) + rest)
        self.report = {
            **self.header,
            "seconds": round(time.monotonic() - self._started, 3),
            "seed": self.seed,
            "settings": self.records.settings,
            "versions": {
                "torch": str(torch.__version__),
                "monai": monai.__version__,
                "monai_ext": monai_ext.__version__,
            },
            "results": self.results,
            "failed": self.failed,
            "skipped": self.skipped,
            "copies": self.copies,
        }
        text = json.dumps(self.report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        for target in self.targets:
            try:
                with whole_file(target) as path:
                    path.write_text(text, encoding="utf-8")
            except OSError as error:
                raise InputError(
                    f"{target.name}: the report cannot be written ({error.strerror})."
                ) from error
        try:
            write_statistics(self.statistics, self.results)
        except OSError as error:
            raise InputError(f"{self.statistics.name}: cannot be written ({error.strerror}).") from error
