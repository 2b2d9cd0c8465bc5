"""Draw how each result came about: one picture of the stages for every case of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events

from monai_ext.errors import InputError
from monai_ext.handlers.stages import RecordedSlice, StageRecorder, shown_as
from monai_ext.io.write_picture import write_picture
from monai_ext.visualize.explanation import Explanation, explanation_picture
from monai_ext.visualize.overlay import flat_view

PICTURE = "explanation.png"


class ExplanationWriter:
    """Write ``CASE/explanation.png``: image, saliency, coarse mask with boxes and points, refined mask, for each prompt.

    Of a volume the slice with most of the results is drawn, or of the coarse masks where all results are empty.

    Args:
        recorder: the network of the run, with ``explain=True``.
        output_dir: of the run.
    """

    def __init__(self, recorder: StageRecorder, output_dir: str | Path) -> None:
        self.recorder = recorder
        self.output_dir = Path(output_dir)

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, lambda: self.recorder.kept.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Draw the cases of one iteration; those that failed or were done before have no stages.

        Raises:
            InputError: when a picture cannot be written.
        """
        state: Any = engine.state
        if all("masks" in output for output in state.output):
            for batch, output in zip(state.batch, state.output, strict=True):
                self.draw({**batch, **output})

    def draw(self, data: dict[str, Any]) -> None:
        """One case: ``image`` (3, ...) in [0, 1], ``masks`` (P, ...), ``unknown`` and ``record``."""
        masks = data["masks"]
        slices = masks.shape[1 + shown_as(masks).axis] if masks.ndim == 4 else 1
        recorded = self.recorder.take(slices)
        index = _fullest(masks, recorded)
        image, shown, size = flat_view(data["image"], masks, index)
        asked = iter(zip(recorded[index].masks, recorded[index].prompts, strict=True))
        rows = []
        for record, mask, unknown in zip(data["record"], shown, data["unknown"], strict=True):
            if unknown:
                continue
            stages, prompts = next(asked)
            coarse, refined = (stages[name].masks()[0] for name in ("coarse", "refined"))
            note = "" if mask.any() else "judged absent" if refined.any() else "nothing found"
            rows.append(
                Explanation(
                    record["prompt"], record["presence"], **prompts, coarse=coarse, mask=refined, note=note
                )
            )
        if not rows:
            return
        folder = self.output_dir / data["record"][0]["case"]
        try:
            write_picture(folder / PICTURE, np.asarray(explanation_picture(image, rows, size)))
        except OSError as error:
            raise InputError(f"{folder.name}/{PICTURE}: cannot be written ({error.strerror}).") from error


def _fullest(masks: Any, recorded: list[RecordedSlice]) -> int:
    """The slice with most of the masks, or of the coarse ones where they are empty; 0 of a picture."""
    if masks.ndim == 3:
        return 0
    axis = shown_as(masks).axis
    amounts = (masks != 0).sum(dim=[d for d in range(4) if d != axis + 1]).numpy()
    if not amounts.any():
        amounts = np.array([sum(int(one["coarse"].masks().sum()) for one in each.masks) for each in recorded])
    return int(amounts.argmax())
