"""What share of an epoch of a training is spent outside its steps, on one thread; `make bench` prints it.

Outside the step are the wait for a batch and the handlers: moving average, learning rate, curves, and once an epoch the
log, the checkpoint and the weights. Validation, which comes once in many epochs, is not counted. All times are of one run, so
that their ratio holds on a slow or busy machine; medians over the steps are shown.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import torch
from ignite.engine import Events
from ignite.handlers import BasicTimeProfiler

from monai_ext.bundle import runner
from monai_ext.bundle.catalog import bundle_folders
from tests.bundles.films import write_films

TRAININGS = (("vlsm", "train"), ("clip_sam", "train_encoder"), ("clip_sam", "train_decoder"))
"""At their own sizes; vlsm at the smallest of its own, with which most of an epoch's share is outside the step."""
STEPS = 12


def share(bundle: str, training: str, workers: int, data: Path, output: Path) -> tuple[float, float, float]:
    """Median seconds of a step, and of the wait for its batch, and the share of an epoch outside its steps."""
    settings = {"device": "cpu", "epochs": 1, "num_workers": workers, "mlflow": False}
    folders = {"dataset_dir": str(data), "output_dir": str(output)}
    folder, files = bundle_folders()[bundle], [f"{training}.json"]
    flow = runner.read_workflow(folder, files, {**settings, **folders}, "train")
    batch, draws = flow.parser["batch_size"], flow.parser["draws_per_epoch"]
    flow = runner.open_workflow(
        folder, files, {**settings, **folders, "draws_per_epoch": STEPS * batch}, "train"
    )
    trainer, times = flow.parser.get_parsed_content("train#trainer"), BasicTimeProfiler()
    times.attach(trainer)
    trainer.run()

    def median(values: torch.Tensor) -> float:
        return statistics.median(values[1:].tolist())  # the first begins with the start of the workers

    step, wait = median(times.processing_times), median(times.dataflow_times)
    handlers = sum(
        median(times.event_handlers_times[event])
        for event in (Events.GET_BATCH_STARTED, Events.ITERATION_STARTED, Events.ITERATION_COMPLETED)
    )
    once = float(times.event_handlers_times[Events.EPOCH_COMPLETED].sum()) / (draws // batch)
    outside = wait + handlers + once
    return step, wait, outside / (outside + step)


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        data = write_films(Path(name, "films"))
        for bundle, training in TRAININGS:
            for workers in (0, 1):
                output = Path(name, f"{bundle}-{training}-{workers}")
                step, wait, outside = share(bundle, training, workers, data, output)
                print(
                    f"{bundle} {training}, num_workers {workers}: step {step:.3f} s, wait for its batch {wait:.3f} s, "
                    f"outside the steps {outside:.1%} of an epoch   {'<= 10 %' if workers else ''}"
                )


if __name__ == "__main__":
    main()
