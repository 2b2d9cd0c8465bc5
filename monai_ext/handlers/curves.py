"""Curves of a training: loss, learning rate and validation figures, in TensorBoard and in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine, Events
from monai.handlers import MLFlowHandler, TensorBoardStatsHandler
from monai.utils import optional_import

from monai_ext.engines.distributed import rank

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

TENSORBOARD, MLFLOW = "tensorboard", "mlflow.db"
EXPERIMENT, RUN = "monai_ext", "training"


class TrainingCurves:
    """Write loss and learning rate of each step, and the figures of each validation at the step after which it came.

    MONAI's handlers do it: TensorBoardStatsHandler into the folder ``tensorboard``, and MLFlowHandler, where mlflow is
    installed, into the SQLite file ``mlflow.db``, unless MLFLOW_TRACKING_URI names another place. A training that is
    resumed goes on in the same curves: TensorBoard forgets what an earlier run wrote of steps that are done again;
    MLflow cannot forget, and is not told of them twice. Of several processes the first one writes. Attached before the
    handler that changes the learning rate.

    Args:
        output_dir: folder of both.
        validator: engine whose metrics are written, too.
        tensorboard, mlflow: False leaves one out.
    """

    def __init__(
        self,
        output_dir: str | Path,
        validator: Engine | None = None,
        tensorboard: bool = True,
        mlflow: bool = True,
    ) -> None:
        self.output_dir, self.validator = Path(output_dir), validator
        self.tensorboard, self.mlflow = tensorboard, mlflow
        self.figures: dict[str, float] = {}
        self.mlflow_handler: MLFlowHandler | None = None

    def attach(self, engine: Engine) -> None:
        if rank():
            return
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._measure)
        if self.tensorboard:
            self._attach_tensorboard(engine)
        if self.mlflow and optional_import("mlflow")[1]:
            # a checkpoint is loaded when a run starts, and only then the step is known
            engine.add_event_handler(Events.EPOCH_STARTED, self._attach_mlflow)

    def _measure(self, engine: Any) -> None:
        rate = engine.optimizer.param_groups[0]["lr"]
        self.figures = {"loss": float(engine.state.output["loss"].detach()), "learning_rate": float(rate)}

    def _attach_tensorboard(self, engine: Engine) -> None:
        writer: Any = ResumedWriter(self.output_dir / TENSORBOARD)
        TensorBoardStatsHandler(writer, epoch_log=False, output_transform=lambda _: self.figures).attach(
            engine
        )
        if self.validator is not None:
            TensorBoardStatsHandler(
                writer, iteration_log=False, global_epoch_transform=lambda _: engine.state.iteration
            ).attach(self.validator)
        engine.add_event_handler(Events.COMPLETED, writer.close)

    def _attach_mlflow(self, engine: Engine) -> None:
        if self.mlflow_handler is not None:
            return
        self.output_dir.mkdir(parents=True, exist_ok=True)
        handler: Any = MLFlowHandler(
            tracking_uri=f"sqlite:///{(self.output_dir / MLFLOW).absolute().as_posix()}",
            output_transform=lambda _: self.figures,
            global_epoch_transform=lambda _: engine.state.iteration,
            experiment_name=EXPERIMENT,
            run_name=RUN,
            optimizer_param_names=(),
        )
        self.mlflow_handler = handler
        handler.start(engine)
        done = _last_step(handler, "loss")
        if (
            done and not engine.state.iteration
        ):  # of a training that was given up: this one has a run of its own
            # MLFlowHandler goes on with a run of any other status
            handler.client.set_terminated(handler.cur_run.info.run_id, handler.run_finish_status)
            handler.cur_run, done = None, 0
            handler.start(engine)
        engine.add_event_handler(
            Events.ITERATION_COMPLETED(event_filter=lambda _, step: step > done), handler.iteration_completed
        )
        if self.validator is not None:
            state: Any = self.validator.state
            seen = _last_step(handler, state.key_metric_name)
            self.validator.add_event_handler(
                Events.EPOCH_COMPLETED(event_filter=lambda *_: engine.state.iteration > seen),
                handler.epoch_completed,
            )
        engine.add_event_handler(Events.COMPLETED, handler.close)


class ResumedWriter:
    """TensorBoard's SummaryWriter for scalars, from whose first step on that of an earlier run is forgotten.

    Its file is begun with the first figure: a training that is refused leaves none.

    Args:
        log_dir: folder of the files, one for each run.
    """

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = log_dir
        self.writer: SummaryWriter | None = None

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(self.log_dir, purge_step=step)
        self.writer.add_scalar(tag, value, step)

    def flush(self) -> None:
        """Write what was added: before the checkpoint that a later run goes on from."""
        if self.writer is not None:
            self.writer.flush()

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None


def _last_step(handler: Any, name: str) -> int:
    """The last step of which MLflow's current run holds a figure, 0 where there is none."""
    history = handler.client.get_metric_history(handler.cur_run.info.run_id, name)
    return max((one.step for one in history), default=0)
