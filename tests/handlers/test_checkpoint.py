"""A training that was stopped, however, ends with the weights of one that was not."""

from __future__ import annotations

import errno
import logging
import os
import random
import signal

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from monai_ext.errors import InputError, WeightsError
from monai_ext.handlers.checkpoint import ResumableCheckpoint, written_states
from tests.resumed import EPOCHS, STEPS, equal, stopped, training, weights


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a training that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    training(folder).run()
    return folder


def steps(folder):
    return [int(path.name.split("-")[1]) for path in written_states(folder)]


def log(folder):
    """Epochs and losses."""
    return [
        (row.split(",")[0], row.split(",")[2]) for row in (folder / "training.csv").read_text().splitlines()
    ]


def after(trainer, event, do):
    trainer.add_event_handler(event, do)
    return trainer


def test_the_last_two_states_and_the_weights_are_kept(whole):
    assert steps(whole) == [EPOCHS * STEPS, (EPOCHS - 1) * STEPS]
    written = ["checkpoints", "model.pt", "tensorboard", "training.csv"]
    assert sorted(path.name for path in whole.iterdir()) == written


@pytest.mark.parametrize("workers", [0, 2])
def test_a_training_stopped_within_an_epoch_ends_the_same_with_any_number_of_workers(
    tmp_path, whole, workers
):
    trainer = training(tmp_path, workers=workers, seconds=0)
    after(trainer, Events.ITERATION_COMPLETED(once=7), trainer.terminate).run()
    assert steps(tmp_path) == [7, 6]
    training(tmp_path).run()
    assert equal(weights(tmp_path), weights(whole))
    assert log(tmp_path) == log(whole)


def test_what_draws_between_steps_changes_nothing(tmp_path, whole):
    trainer = training(tmp_path)
    after(trainer, Events.ITERATION_COMPLETED, lambda: (torch.rand(3), random.random())).run()
    assert equal(weights(tmp_path), weights(whole))


def test_killed_at_three_moments_it_ends_the_same(tmp_path, whole):
    moments = random.Random(0)
    for _ in range(3):
        code = stopped(tmp_path, signal.SIGKILL, moments.uniform(0.0, 0.25), pause=0.02, seconds=0.03)
        assert code == -signal.SIGKILL
    training(tmp_path).run()
    assert equal(weights(tmp_path), weights(whole))
    assert log(tmp_path) == log(whole)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_ends_its_step_and_keeps_it(tmp_path, whole, number):
    assert stopped(tmp_path, number, 0.25, pause=0.1) == 128 + signal.SIGINT
    assert len(steps(tmp_path)) == 1 and 0 < steps(tmp_path)[0] < STEPS
    training(tmp_path).run()
    assert equal(weights(tmp_path), weights(whole))


def test_a_damaged_state_is_named_and_the_one_before_it_used(tmp_path, whole, caplog):
    trainer = training(tmp_path)
    after(trainer, Events.EPOCH_COMPLETED(once=2), trainer.terminate).run()
    newest = written_states(tmp_path)[0]
    newest.write_bytes(newest.read_bytes()[:-100])
    with caplog.at_level(logging.WARNING, "monai_ext"):
        training(tmp_path).run()
    assert f"{newest.name} is damaged" in caplog.text
    assert equal(weights(tmp_path), weights(whole))


def test_a_state_of_another_network_is_named_and_the_one_before_it_used(tmp_path, whole, caplog):
    trainer = training(tmp_path)
    after(trainer, Events.EPOCH_COMPLETED(once=1), trainer.terminate).run()
    engine = Engine(lambda *_: None)
    foreign = tmp_path / "foreign"
    ResumableCheckpoint(foreign, {"model": nn.Linear(1, 1)}).attach(engine)
    engine.run([0] * 9, max_epochs=1)
    (path,) = written_states(foreign)
    path.rename(tmp_path / "checkpoints" / path.name)
    with caplog.at_level(logging.WARNING, "monai_ext"):
        training(tmp_path).run()
    assert f"{path.name} is of another training" in caplog.text
    assert equal(weights(tmp_path), weights(whole))


def test_without_a_state_that_can_be_read_it_does_not_begin_anew_unless_told_to(tmp_path, whole):
    trainer = training(tmp_path)
    after(trainer, Events.EPOCH_COMPLETED(once=1), trainer.terminate).run()
    (only,) = written_states(tmp_path)
    only.write_bytes(b"no checkpoint")
    with pytest.raises(WeightsError, match=f"checkpoints/{only.name}: cannot be resumed, nor can one before"):
        training(tmp_path).run()
    training(tmp_path, resume=False).run()
    assert equal(weights(tmp_path), weights(whole))
    assert steps(tmp_path) == [20, 15]


def test_states_beyond_the_one_that_is_written_go(tmp_path):
    training(tmp_path).run()
    trainer = training(tmp_path, resume=False)
    after(trainer, Events.EPOCH_COMPLETED(once=1), trainer.terminate).run()
    assert steps(tmp_path) == [5]


def test_other_settings_are_refused_with_their_names_and_values(tmp_path):
    training(tmp_path, settings={"learning_rate": "0.01", "size": "3"}).run()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(
        InputError, match=r"holds another training: learning_rate 0.01 \(now 0.1\), size 3 \(now not"
    ):
        training(tmp_path, settings={"learning_rate": "0.1"}).run()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_a_finished_training_goes_on_for_more_epochs(tmp_path):
    training(tmp_path).run()
    longer = training(tmp_path, epochs=EPOCHS + 2)
    rates = []
    after(
        longer, Events.ITERATION_STARTED, lambda: rates.append(longer.optimizer.param_groups[0]["lr"])
    ).run()
    assert steps(tmp_path) == [30, 25]
    assert len(rates) == 10 and rates[0] > 1e-5 > rates[-1]


def test_a_finished_training_that_is_started_again_changes_nothing(tmp_path):
    training(tmp_path).run()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    training(tmp_path).run()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


@pytest.mark.parametrize("name", ["model", "network"])
def test_a_network_that_holds_nan_is_not_saved_and_what_was_written_stays(tmp_path, name):
    networks = {"model": nn.Linear(3, 1), "network": nn.Linear(3, 1)}
    engine, saved = Engine(lambda *_: None), {}
    ResumableCheckpoint(tmp_path, networks).attach(engine)

    @engine.on(Events.EPOCH_STARTED(once=2))
    def diverge(_engine):
        saved.update({path: path.read_bytes() for path in tmp_path.rglob("*.*")})
        with torch.no_grad():
            networks[name].bias.fill_(float("nan"))

    message = f"^step 2 is not saved, of the {name}: 1 tensor holds NaN or infinity: bias; such weights"
    with pytest.raises(WeightsError, match=message):
        engine.run([0], max_epochs=3)
    assert len(saved) == 2
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == saved


def test_a_full_disk_loses_nothing_that_was_there(tmp_path, monkeypatch):
    trainer = training(tmp_path)
    after(trainer, Events.EPOCH_COMPLETED(once=1), trainer.terminate).run()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}

    def full(_number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        training(tmp_path).run()
    left = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert {path: left[path] for path in before if path.suffix == ".pt"} == {
        path: content for path, content in before.items() if path.suffix == ".pt"
    }
    assert [path for path in left if path.name.startswith(".")] == []


def test_the_best_epoch_by_validation_is_kept_and_known_after_a_stop(tmp_path):
    scores = {1: 0.2, 2: 0.6, 3: 0.4, 4: 0.5}

    def run(stop=None):
        network, validator = nn.Linear(1, 1), Engine(lambda *_: None)
        validator.state.best_metric, validator.state.best_metric_epoch = -1, -1
        engine = Engine(lambda engine, _: network.bias.data.fill_(engine.state.epoch))

        @engine.on(Events.EPOCH_COMPLETED)
        def validate(engine):
            score = scores[engine.state.epoch]
            if score > validator.state.best_metric:
                validator.state.best_metric, validator.state.best_metric_epoch = score, engine.state.epoch

        ResumableCheckpoint(tmp_path, {"model": network}, validator=validator).attach(engine)
        if stop:
            engine.add_event_handler(Events.EPOCH_COMPLETED(once=stop), engine.terminate)
        engine.run([0], max_epochs=4)
        return validator.state

    run(stop=2)
    state = run()
    assert (state.best_metric, state.best_metric_epoch) == (0.6, 2)
    assert torch.load(tmp_path / "best.pt", weights_only=True)["bias"].item() == 2
    assert torch.load(tmp_path / "model.pt", weights_only=True)["bias"].item() == 4


def test_the_network_to_keep_needs_its_name(tmp_path):
    with pytest.raises(ValueError, match="under the name 'model'"):
        ResumableCheckpoint(tmp_path, {"network": nn.Linear(1, 1)})
