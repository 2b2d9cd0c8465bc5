"""The memory that an evaluation takes at most, measured in a process of its own."""

from __future__ import annotations

import multiprocessing
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from monai_ext.errors import InputError
from monai_ext.logs import suppress_logs
from monai_ext.studies.evaluate import EvaluationTask

CASES = 4
STATUS = Path("/proc/self/status")


def measure_peak(task: EvaluationTask) -> int:
    """Bytes of main memory at the peak of an evaluation of :data:`CASES` cases, with all libraries, without a GPU's.

    Raises:
        InputError: when the process ends without a figure.
    """
    with TemporaryDirectory() as folder:
        arguments = (replace(task, limit=CASES, overlays=None), Path(folder))
        process = multiprocessing.get_context("spawn").Process(target=_evaluate, args=arguments)
        process.start()
        process.join()
        figure = Path(folder) / "peak"
        if process.exitcode != 0 or not figure.is_file():
            raise InputError(
                f"bundle {task.bundle.name}: the process that measures its memory ended with code {process.exitcode};"
                " leave out --memory."
            )
        return int(figure.read_text())


def _evaluate(task: EvaluationTask, folder: Path) -> None:
    with suppress_logs():
        task.evaluate(folder / "evaluation", {})
    (folder / "peak").write_text(str(peak_bytes()))


def peak_bytes() -> int:
    """The highest memory of this process so far.

    Linux tells it of the program itself; ``getrusage`` there also counts what the parent held when it started it.

    Raises:
        InputError: on Windows, which has neither.
    """
    if STATUS.is_file():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        raise InputError("the peak of memory is not known on Windows; leave out --memory.")
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
