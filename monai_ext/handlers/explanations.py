"""Draw how a method arrives at its results: one picture of the stages for every case of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events

from monai_ext.data.records import FILES
from monai_ext.errors import InputError
from monai_ext.handlers.stages import RecordedCase, StageRecorder
from monai_ext.io.write_picture import write_picture
from monai_ext.visualize.explanation import Explanation, explanation_picture
from monai_ext.visualize.overlay import flat_view

PICTURE = "explanation.png"


def explanation_recorder(explain: bool) -> StageRecorder | None:
    """The inferer's observer that records stages for pictures; None where none are drawn."""
    return StageRecorder(explain=True) if explain else None


class ExplanationWriter:
    """Write ``CASE/explanation.png``: image, saliency, coarse mask with boxes and points, refined mask, for each prompt.

    Of a volume the slice with most of the results is drawn, or of the coarse masks where all results are empty.

    Args:
        recorder: the inferer's observer, see :func:`explanation_recorder`; None draws nothing.
        output_dir: of the run.
    """

    def __init__(self, recorder: StageRecorder | None, output_dir: str | Path) -> None:
        self.recorder = recorder
        self.output_dir = Path(output_dir)

    def attach(self, engine: Engine) -> None:
        if self.recorder is not None:
            engine.add_event_handler(Events.STARTED, self.recorder.clear)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self, self.recorder)

    def __call__(self, engine: Engine, recorder: StageRecorder) -> None:
        """Draw the cases of one iteration, except those that failed or that an earlier run finished.

        Raises:
            InputError: when a picture cannot be written.
        """
        state: Any = engine.state
        if all("masks" in output for output in state.output):
            for batch, output in zip(state.batch, state.output, strict=True):
                output.setdefault(FILES, []).extend(self.draw({**batch, **output}, recorder.take()))

    def draw(self, data: dict[str, Any], case: RecordedCase) -> list[str]:
        """Draw one case; returns the path of the picture, relative to the output folder, where one was drawn.

        Args:
            data: ``image`` (3, ...) in [0, 1], ``masks`` (P, ...), ``unknown`` and ``record``.
            case: its recorded stages.
        """
        masks = data["masks"]
        index = _fullest(masks, case)
        image, shown, size = flat_view(data["image"], masks, index)
        rows = []
        for number, (record, mask) in enumerate(zip(data["record"], shown, strict=True)):
            if not case.asked[number]:
                continue
            stages, drawing = case.slices[index].masks[number], case.slices[index].drawings[number]
            coarse, refined = (stages[name].masks()[0] for name in ("coarse", "refined"))
            note = "" if mask.any() else "judged absent" if refined.any() else "nothing found"
            rows.append(
                Explanation(
                    record["prompt"], record["presence"], **drawing, coarse=coarse, mask=refined, note=note
                )
            )
        if not rows:
            return []
        file = f"{data['record'][0]['case']}/{PICTURE}"
        try:
            write_picture(self.output_dir / file, np.asarray(explanation_picture(image, rows, size)))
        except OSError as error:
            raise InputError(f"{file}: cannot be written ({error.strerror}).") from error
        return [file]


def _fullest(masks: Any, case: RecordedCase) -> int:
    """The index of the slice with most of the masks, or of the coarse masks where these are empty; 0 for a picture."""
    if masks.ndim == 3:
        return 0
    amounts = (masks != 0).sum(dim=[d for d in range(4) if d != case.view.axis + 1]).numpy()
    if not amounts.any():
        coarse = ([stages["coarse"] for stages in one.masks.values()] for one in case.slices)
        amounts = np.array([sum(int(mask.masks().sum()) for mask in each) for each in coarse])
    return int(amounts.argmax())
