"""The curves of a training hold each step once, however often it was stopped."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from ignite.engine import Events
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_ext.handlers import curves
from tests.resumed import DICE, EPOCHS, STEPS, equal, training, weights

ALL = list(range(1, EPOCHS * STEPS + 1))


def stop_at(trainer, step):
    """A run that dies after a step, without a state of it."""

    def die():
        raise ConnectionError

    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=step), die)
    with pytest.raises(ConnectionError):
        trainer.run()


def board(folder):
    """What TensorBoard shows: by name, pairs of a step and a value."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        tag: [(one.step, pytest.approx(one.value, abs=1e-6)) for one in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a training that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    training(folder).run()
    return folder


def test_each_step_has_its_loss_and_learning_rate_and_each_validation_its_dice(tmp_path):
    trainer, rates, losses = training(tmp_path), [], []
    trainer.add_event_handler(
        Events.ITERATION_STARTED, lambda: rates.append(trainer.optimizer.param_groups[0]["lr"])
    )
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda: losses.append(trainer.state.output["loss"].item())
    )
    trainer.run()
    shown = board(tmp_path)
    assert set(shown) == {"loss", "learning_rate", "dice"}
    assert shown["loss"] == list(zip(ALL, losses, strict=True))
    assert shown["learning_rate"] == list(zip(ALL, rates, strict=True))
    assert shown["dice"] == [(epoch * STEPS, DICE[epoch]) for epoch in range(1, EPOCHS + 1)]


def test_a_training_that_died_goes_on_in_the_same_curves_without_a_step_twice(tmp_path, whole):
    stop_at(training(tmp_path), 2 * STEPS + 3)  # the last state is of the second epoch
    assert [step for step, _ in board(tmp_path)["loss"]] == ALL[: 2 * STEPS + 3]
    training(tmp_path).run()
    shown, expected = board(tmp_path), board(whole)
    assert {tag: [step for step, _ in shown[tag]] for tag in shown} == {
        tag: [step for step, _ in expected[tag]] for tag in expected
    }
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2
    assert equal(weights(tmp_path), weights(whole))


def test_one_that_starts_anew_begins_new_curves(tmp_path):
    training(tmp_path).run()
    stop_at(training(tmp_path, resume=False), 2)
    assert [step for step, _ in board(tmp_path)["loss"]] == [1, 2]
    assert board(tmp_path).get("dice", []) == []


def test_one_that_is_finished_writes_nothing_when_it_is_started_again(tmp_path):
    training(tmp_path).run()
    training(tmp_path).run()
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_switched_off_nothing_is_written_and_the_weights_are_the_same(tmp_path, whole):
    training(tmp_path, curves={"tensorboard": False}).run()
    assert not (tmp_path / "tensorboard").exists()
    assert equal(weights(tmp_path), weights(whole))


def test_a_process_other_than_the_first_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "rank", lambda: 1)
    training(tmp_path).run()
    assert not (tmp_path / "tensorboard").exists()


class FakeClient:
    """MLflow's client with its runs in memory, one store for each place."""

    stores: dict = {}  # noqa: RUF012

    def __init__(self, tracking_uri=None):
        self.tracking_uri = tracking_uri
        self.runs = self.stores.setdefault(tracking_uri, [])

    def get_experiment_by_name(self, name):
        return SimpleNamespace(experiment_id=name, lifecycle_stage="active")

    def search_runs(self, experiment_id):
        return [run for run in self.runs if run.info.experiment_id == experiment_id]

    def create_run(self, experiment_id, run_name):
        info = SimpleNamespace(
            run_id=str(len(self.runs)), run_name=run_name, experiment_id=experiment_id, status="RUNNING"
        )
        self.runs.append(SimpleNamespace(info=info, data=SimpleNamespace(params={}), metrics=[]))
        return self.runs[-1]

    def get_run(self, run_id):
        return self.runs[int(run_id)]

    def log_batch(self, run_id, metrics, params, tags):
        run = self.get_run(run_id)
        for one in params:
            assert run.data.params.setdefault(one.key, one.value) == one.value  # MLflow refuses another value
        run.metrics += metrics

    def get_metric_history(self, run_id, key):
        return [one for one in self.get_run(run_id).metrics if one.key == key]

    def set_terminated(self, run_id, status):
        self.get_run(run_id).info.status = status


@pytest.fixture
def mlflow(monkeypatch):
    """A fake of mlflow in its place; its runs by place."""
    entities = SimpleNamespace(
        RunStatus=SimpleNamespace(FINISHED="FINISHED", to_string=str),
        LifecycleStage=SimpleNamespace(ACTIVE="active"),
        Param=lambda key, value: SimpleNamespace(key=key, value=value),
        Metric=lambda key, value, timestamp, step: SimpleNamespace(key=key, value=value, step=step),
    )
    module = SimpleNamespace(MlflowClient=FakeClient, entities=entities, __version__="3.0")
    monkeypatch.setattr(FakeClient, "stores", {})
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setattr("monai.handlers.mlflow_handler.mlflow", module)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return FakeClient.stores


def history(run, key):
    return [(one.step, one.value) for one in run.metrics if one.key == key]


def test_mlflow_gets_the_same_curves_into_a_file_of_the_output(tmp_path, mlflow):
    training(tmp_path).run()
    ((place, (run,)),) = mlflow.items()
    assert place == f"sqlite:///{tmp_path.as_posix()}/mlflow.db"
    assert run.info.status == "FINISHED"
    shown = board(tmp_path)
    assert {key: history(run, key) for key in ("loss", "learning_rate", "dice")} == shown


def test_a_training_that_died_goes_on_in_the_same_run_of_mlflow_without_a_step_twice(tmp_path, mlflow):
    stop_at(training(tmp_path), 2 * STEPS + 3)
    training(tmp_path).run()
    ((run,),) = mlflow.values()
    assert run.info.status == "FINISHED"
    assert [step for step, _ in history(run, "loss")] == ALL
    assert [step for step, _ in history(run, "learning_rate")] == ALL
    assert [step for step, _ in history(run, "dice")] == [STEPS, 2 * STEPS, 3 * STEPS, 4 * STEPS]


def test_a_validation_that_mlflow_knows_is_not_told_twice(tmp_path, mlflow):
    trainer = training(tmp_path)

    def die():  # after the validation and before the state is written
        if trainer.state.epoch == 2:
            raise ConnectionError

    trainer.validator.add_event_handler(Events.COMPLETED, die)
    with pytest.raises(ConnectionError):
        trainer.run()
    training(tmp_path).run()
    ((run,),) = mlflow.values()
    assert [step for step, _ in history(run, "dice")] == [STEPS, 2 * STEPS, 3 * STEPS, 4 * STEPS]


def test_one_that_starts_anew_has_a_run_of_its_own(tmp_path, mlflow):
    stop_at(training(tmp_path), STEPS + 1)
    training(tmp_path, resume=False).run()
    ((first, second),) = mlflow.values()
    assert (first.info.status, second.info.status) == ("FINISHED", "FINISHED")
    assert [step for step, _ in history(first, "loss")] == ALL[:STEPS]
    assert [step for step, _ in history(second, "loss")] == ALL


def test_without_mlflow_or_switched_off_nothing_of_it_is_written(tmp_path, mlflow, monkeypatch):
    training(tmp_path / "off", curves={"mlflow": False}).run()
    monkeypatch.setitem(sys.modules, "mlflow", None)
    training(tmp_path / "missing").run()
    assert mlflow == {}
