"""``monai-ext train``: a bundle's own training on a data set, from its checks to a bundle with the new weights."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events

from monai_ext.bundle import runner
from monai_ext.bundle.configs import literal, read_configs
from monai_ext.bundle.trainings import parent_weights, trained_module, weights_of
from monai_ext.data.datasets import read_split
from monai_ext.errors import InputError
from monai_ext.handlers.checkpoint import MODEL, written_states
from monai_ext.studies.keep import PARENT_SHARE, REPLAY, mean_weights
from monai_ext.studies.peak_memory import peak_bytes
from monai_ext.studies.train_processes import train_on_processes
from monai_ext.studies.training_images import image_prints

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "quick": {"epochs": 20, "draws_per_epoch": 240},
    "full": {},
}
"""Values of the configuration that a preset sets; "full" is the configuration's own."""
MEASURED_STEPS = 3
STATES = 8
"""How often the weights are on the disk: in two checkpoints with network, average and two moments each."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class TrainingRequest:
    """A training that was asked for.

    Attributes:
        bundle: folder of the parent.
        data: folders, each of a data set with a dataset.json, or a parent of several.
        output: folder of everything that is written.
        training: name of a configuration, see :func:`monai_ext.bundle.trainings.choose_training`.
        start: weights to begin with, see :func:`monai_ext.bundle.trainings.weights_of`; None: the parent's.
        epochs: None: those of the preset.
        minutes: of training, from which the number of epochs follows; None: no limit.
        preset: one of :data:`PRESETS`.
        keep: show made material that the parent learnt from, too.
        parent_share: of the weights that the training began with in those of the new bundle, in [0, 1]; None: with
            `keep` :data:`monai_ext.studies.keep.PARENT_SHARE`, else 0.
        sets: which of several sets; None: all.
        device: "auto", "cpu" or "cuda:0"; of several processes each takes its own, or all take the CPU.
        processes: on how many to train.
        settings: values of the configuration by id.
    """

    bundle: Path
    data: Sequence[Path]
    output: Path
    training: str
    start: str | None = None
    epochs: int | None = None
    minutes: float | None = None
    preset: str = "full"
    keep: bool = False
    parent_share: float | None = None
    sets: Sequence[str] | None = None
    device: str = runner.AUTO
    processes: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def module(self) -> str | None:
        """The module of the bundle's network that is trained, None for all of it."""
        return trained_module(self.bundle, self.training)

    @property
    def share(self) -> float:
        """Of the weights that the training began with in those of the new bundle."""
        return self.parent_share if self.parent_share is not None else PARENT_SHARE if self.keep else 0.0

    @property
    def initial(self) -> str | None:
        """What the training begins with: a name in the registry, a file, or None for random weights."""
        start = (
            weights_of(self.start, self.module) if self.start else parent_weights(self.bundle, self.module)
        )
        return self.settings.get("initial", start)

    def overrides(self) -> dict[str, Any]:
        """Values of the configuration, but for the number of epochs that follows from minutes."""
        content = read_configs(self.bundle, [f"{self.training}.json"])
        initial = self.initial
        if initial is None and self.share:
            raise InputError("a training that begins with random weights has none to keep; leave --keep out.")
        replay = {name: value for name, value in REPLAY.items() if name in content} if self.keep else {}
        return {
            **PRESETS[self.preset],
            **replay,
            "dataset_dir": [literal(one.expanduser().absolute()) for one in self.data],
            "sets": None if self.sets is None else [literal(name) for name in self.sets],
            "output_dir": literal(self.output.expanduser().absolute()),
            "initial": None if initial is None else literal(initial),
            **({} if self.epochs is None else {"epochs": self.epochs}),
            **runner.device_override(self.device),
            **{name: value for name, value in self.settings.items() if name != "initial"},
        }


@dataclass(frozen=True)
class Plan:
    """What a training will take.

    Attributes:
        parameters: of the network.
        step_seconds: mean of some steps, with what is loaded for them.
        steps: of an epoch.
        epochs: number.
        state_bytes: on the disk.
        memory_bytes: of main memory at the most, with all libraries, and all images; 0 where it is not known.
        gpu_bytes: of the GPU's memory at the most, for tensors; 0 on a CPU.
    """

    parameters: int
    step_seconds: float
    steps: int
    epochs: int
    state_bytes: int
    memory_bytes: int = 0
    gpu_bytes: int = 0

    @property
    def seconds(self) -> float:
        """Of the whole training, without its validation."""
        return self.step_seconds * self.steps * self.epochs


def make_plan(request: TrainingRequest) -> Plan:
    """Train a few steps on a few of the images, and forget them.

    Raises:
        InputError: when data or values cannot be used, when minutes are too few for an epoch, or when the disk has no
            space for the states.
    """
    content = read_configs(request.bundle, [f"{request.training}.json"])
    # this checks values, lists and weights; no image has been read
    parser = runner.open_workflow(
        request.bundle, [f"{request.training}.json"], request.overrides(), "train"
    ).parser
    batch, draws, epochs = (int(parser[name]) for name in ("batch_size", "draws_per_epoch", "epochs"))
    cases = len(parser.get_parsed_content("train#dataset#data"))
    parser.update(_trial(content, batch))
    parser.parse(reset=True)
    trainer = parser.get_parsed_content("train#trainer")
    times: list[float] = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: times.append(time.monotonic()))
    with runner.unwrapped():
        trainer.run()
    seconds = (times[-1] - times[0]) / (len(times) - 1)
    parameters = sum(p.numel() for p in parser.get_parsed_content("network").parameters())
    device = torch.device(parser.get_parsed_content("device"))
    steps = draws // batch
    if request.minutes is not None:
        epochs = int(60 * request.minutes / (seconds * steps))
        if epochs < 1:
            raise InputError(
                f"{request.minutes:g} minutes are less than an epoch of {steps} steps of {seconds:.2f} s; give more, or "
                f"--set draws_per_epoch={max(batch, int(60 * request.minutes / seconds) * batch)}."
            )
    plan = Plan(
        parameters,
        seconds,
        steps,
        epochs,
        STATES * 4 * parameters,
        _memory(parser.get_parsed_content("train#dataset"), cases),
        torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0,
    )
    check_space(request.output, plan.state_bytes)
    return plan


def _trial(content: Mapping[str, Any], batch: int) -> dict[str, Any]:
    """What makes a few steps on a few images of a training."""
    made = {name: 0 for name in ("phantoms", "lesions", "opacities", "transplants") if name in content}
    return {
        "draws_per_epoch": MEASURED_STEPS * batch,
        "epochs": 1,
        "train#handlers": [],
        "train#dataset#data": {
            "_target_": "monai_ext.data.evaluation.draw_cases",
            "cases": content["train"]["dataset"]["data"],
            "limit": 2 * batch,
        },
        **made,
        **({"photographs": False} if "photographs" in content else {}),
    }


def _memory(dataset: Any, cases: int) -> int:
    """The peak of this process so far, and what the images of all cases take beyond those of the trial.

    Made images are not counted. 0 where the peak is not known.
    """
    if sys.platform == "win32":
        return 0
    slices = {id(pair["slice"]): pair["slice"] for pair in dataset.data}.values()
    tried = len({(one["set"], one["case"]) for one in slices})
    kept = sum(one["image"].nbytes + one["masks"].nbytes for one in slices)
    return peak_bytes() + kept * max(0, cases - tried) // tried


def check_space(folder: Path, needed: int) -> None:
    """Refuse a training whose states the disk cannot hold.

    Raises:
        InputError: with the bytes that are needed and free.
    """
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(nearest).free
    if free < needed:
        raise InputError(
            f"{folder.name}: checkpoints need {needed / 1e6:.0f} MB and {free / 1e6:.0f} MB are free; free space, or "
            "choose another output."
        )


def run_training(request: TrainingRequest, epochs: int, progress: bool | None = None) -> Path:
    """Train, or go on with a training that was stopped.

    Args:
        request: what was asked for.
        epochs: of :func:`make_plan`.
        progress: show a bar; None: where standard error is a terminal.

    Returns:
        the state dict of the new bundle.

    Raises:
        InputError, WeightsError: what the user can act on.
        KeyboardInterrupt: when it was told to stop; started again it goes on.
    """
    content = read_configs(request.bundle, [f"{request.training}.json"])
    overrides = {**request.overrides(), "epochs": epochs, "train#trainer#progress": progress}
    if "val_interval" in content and "val_interval" not in request.settings:
        overrides["val_interval"] = max(1, epochs // 4)
    output = request.output.expanduser().absolute()
    if request.processes > 1:
        train_on_processes(request.bundle, request.training, overrides, output, request.processes)
    else:
        flow = runner.open_workflow(request.bundle, [f"{request.training}.json"], overrides, "train")
        with runner.unwrapped():
            flow.run()
            flow.finalize()
    trained = output / MODEL
    if request.initial is None or not request.share:
        return trained
    return mean_weights(request.initial, request.module, trained, request.share)


def begun(output: Path) -> bool:
    """Whether a folder holds states of a training."""
    return bool(written_states(output.expanduser()))


def facts_of(request: TrainingRequest, plan: Plan, cases: Mapping[str, int]) -> dict[str, Any]:
    """What a bundle says of its training: data without paths, settings, size, and by what its images are known again."""
    total = sum(cases.values())
    exclude = request.settings.get("exclude") or ()
    images = image_prints(read_split(request.data, "training", request.sets, exclude=exclude))
    return {
        "summary": f"retrained on {total} cases of {', '.join(cases)}, {plan.epochs} epochs",
        "configuration": request.training,
        "module": request.module,
        "cases": dict(cases),
        "epochs": plan.epochs,
        "replayed": request.keep,
        "parent_share": request.share,
        "settings": dict(request.settings),
        "images": images,
    }
