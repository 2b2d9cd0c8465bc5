"""``monai-ext evaluate``: one evaluation, with a record of all that its figures depend on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from monai_ext.studies.tune import EvaluationTask, write_record


def run_evaluation(task: EvaluationTask, output: Path) -> dict[str, Any]:
    """Score a bundle on labelled images, and write ``setting.json`` beside the figures.

    Args:
        task: bundle and cases.
        output: folder, see :func:`monai_ext.bundle.runner.run_evaluate`.

    Returns:
        the content of metrics.json.

    Raises:
        InputError, WeightsError: what the user can act on.
    """
    output = output.expanduser().absolute()
    started = time.monotonic()
    figures = task.evaluate(output, {})
    seconds = round(time.monotonic() - started, 3)
    write_record(output, task.facts(), {}, seconds)
    return figures
