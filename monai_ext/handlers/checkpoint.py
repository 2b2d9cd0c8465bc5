"""Checkpoints from which a training goes on bit for bit, whatever stopped it."""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events

from monai_ext.engines.distributed import rank
from monai_ext.engines.signals import is_stopping
from monai_ext.errors import InputError, WeightsError
from monai_ext.files import file_sha256, whole_file
from monai_ext.weights.formats import check_finite

MODEL, BEST, FOLDER = "model.pt", "best.pt", "checkpoints"
NAME = re.compile(r"step-(\d{8})-([0-9a-f]{16})\.pt")
"""Steps that were done, and the first digits of the SHA-256 of the file: one renaming makes both known."""
LENGTHS = ("total_steps", "_schedule_phases", "t_total", "T_max", "total_iters")
"""What schedulers keep of the length of a training; that of the configuration holds, so that it may be made longer."""

logger = logging.getLogger(__name__)


class ResumableCheckpoint:
    """Write the whole training state, and go on from it when training starts again.

    The state is written after each epoch, when the training is told to stop, and every so many seconds; the last ones
    are kept in ``checkpoints``. ``model.pt`` holds the weights of ``objects["model"]`` alone after the last epoch, and
    ``best.pt`` those of the epoch with the best validation. All files are written beside their place, synced and renamed,
    which MONAI's CheckpointSaver does not do: a process killed while it writes would leave a broken file. Attached after all
    handlers that change a state. Of several processes the first one writes, and all go on from it.

    Args:
        output_dir: folder of all files.
        objects: by name, all with `state_dict` and `load_state_dict`: model, network, optimizer, scheduler, the handlers
            with a state, …
        resume: False starts from the beginning and overwrites.
        interval: epochs between writes; the last epoch, also of a training that is ended early, is always written.
        seconds: after which the state is written within an epoch, too.
        keep: how many states are kept.
        validator: engine whose key metric tells the best epoch; its best so far is part of the state.
        settings: what the training depends on, by id; a state of others is refused.

    Raises:
        InputError: when the state is of a training with other settings.
        WeightsError: when no state can be read, or a network holds NaN or infinity: what was written before then stays.
    """

    def __init__(
        self,
        output_dir: str | Path,
        objects: Mapping[str, Any],
        resume: bool = True,
        interval: int = 1,
        seconds: float = 600,
        keep: int = 2,
        validator: Engine | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        if "model" not in objects:
            raise ValueError("ResumableCheckpoint needs the network to keep under the name 'model'.")
        self.output_dir, self.objects, self.resume = Path(output_dir), dict(objects), resume
        self.interval, self.seconds, self.keep = interval, seconds, keep
        self.validator, self.settings = validator, dict(settings or {})
        self.written = 0.0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.load)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.save_within_epoch)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save_epoch)

    def load(self, engine: Engine) -> None:
        """Put the newest state back that is whole, if there is one and it is wanted."""
        self.written = time.monotonic()
        found = written_states(self.output_dir) if self.resume else []
        if not found:
            return
        for path in found:
            state = self._read(path)
            if state is not None:
                break
        else:
            raise WeightsError(
                f"{FOLDER}/{found[0].name}: cannot be resumed, nor can one before it; delete the folder {FOLDER}, or set "
                "resume to false, which starts anew."
            )
        length = engine.state.epoch_length or 1
        engine.state.iteration, engine.state.epoch = state["iteration"], state["iteration"] // length
        if state["iteration"]:
            logger.info("going on after step %d, of %s", state["iteration"], path.name)

    def save_within_epoch(self, engine: Engine) -> None:
        """Write when enough time has passed or the training is to stop; the end of an epoch has its own state."""
        at_end = engine.state.iteration % (engine.state.epoch_length or 1) == 0
        late = time.monotonic() - self.written > self.seconds
        if not at_end and (late or is_stopping(engine)):
            self._write(engine)

    def save_epoch(self, engine: Engine) -> None:
        """Write the state, the weights, and the best weights where this epoch has the best validation."""
        epoch, last = engine.state.epoch, engine.state.max_epochs
        ends = epoch == last or bool(engine.should_terminate)
        if epoch % self.interval == 0 or ends or is_stopping(engine):
            self._write(engine)
            self._write_weights(engine, MODEL)
        if self.validator is not None and _best(self.validator)["best_metric_epoch"] == epoch:
            self._write_weights(engine, BEST)

    def _write(self, engine: Engine) -> None:
        if rank():
            return
        state = {name: one.state_dict() for name, one in self.objects.items()}
        for name, one in state.items():
            check_finite(one, f"step {engine.state.iteration} is not saved, of the {name}")
        best = {} if self.validator is None else _best(self.validator)
        whole = {
            "objects": state,
            "iteration": engine.state.iteration,
            "settings": self.settings,
            "best": best,
        }
        content = io.BytesIO()
        torch.save(whole, content)
        digest = sha256(content.getbuffer()).hexdigest()[:16]
        path = self.output_dir / FOLDER / f"step-{engine.state.iteration:08d}-{digest}.pt"
        with whole_file(path, synced=True) as partial:
            partial.write_bytes(content.getbuffer())
        self.written = time.monotonic()
        self._forget(path)

    def _forget(self, newest: Path) -> None:
        """Remove the states before the last ones, and those of an earlier training that are beyond the newest."""
        states = written_states(self.output_dir)
        beyond = [path for path in states if path != newest and _step(path) >= _step(newest)]
        before = [path for path in states if path not in beyond]
        for path in (*beyond, *before[self.keep :]):
            path.unlink()

    def _write_weights(self, engine: Engine, name: str) -> None:
        if rank():
            return
        state = self.objects["model"].state_dict()
        check_finite(state, f"step {engine.state.iteration} is not saved, of the model")
        with whole_file(self.output_dir / name, synced=True) as partial:
            torch.save(state, partial)

    def _read(self, path: Path) -> dict[str, Any] | None:
        """The state of a file, put into all objects; None, and a warning, where it is damaged or of another network."""
        if not file_sha256(path).startswith(path.stem.split("-")[-1]):
            logger.warning(
                "%s is damaged: its content is not what was written; the one before it is used", path.name
            )
            return None
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self._check_settings(state["settings"])
            for name, one in self.objects.items():
                one.load_state_dict(_with_lengths_of(one, state["objects"][name]))
        except InputError:
            raise
        except Exception as error:  # whatever is wrong with the file, the one before it may be right
            reason = str(error).splitlines()[0]
            logger.warning("%s is of another training (%s); the one before it is used", path.name, reason)
            return None
        if self.validator is not None:
            for key, value in state["best"].items():
                setattr(self.validator.state, key, value)
        return dict(state)

    def _check_settings(self, before: Mapping[str, str]) -> None:
        names = [name for name in {**before, **self.settings} if before.get(name) != self.settings.get(name)]
        if names:
            told = ", ".join(
                f"{n} {before.get(n, 'not stated')} (now {self.settings.get(n, 'not stated')})" for n in names
            )
            raise InputError(
                f"{self.output_dir.name} holds another training: {told}; choose another output_dir, the same values, "
                "or resume false, which starts anew and overwrites."
            )


def written_states(output_dir: Path) -> list[Path]:
    """The states of a training, the newest first."""
    folder = output_dir / FOLDER
    found = [path for path in folder.iterdir() if NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found, key=lambda path: (_step(path), path.name), reverse=True)


def _step(path: Path) -> int:
    return int(path.name.split("-")[1])


def _best(validator: Engine) -> dict[str, Any]:
    return {key: getattr(validator.state, key) for key in ("best_metric", "best_metric_epoch")}


def _with_lengths_of(one: Any, state: Any) -> Any:
    """The state, with the length of training that the object itself has."""
    if not isinstance(one, torch.optim.lr_scheduler.LRScheduler):
        return state
    return {**state, **{key: value for key, value in one.state_dict().items() if key in LENGTHS}}
