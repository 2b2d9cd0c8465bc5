"""A bar on standard error: how far a run is, with figures beside it."""

from __future__ import annotations

import io

import pytest
from ignite.engine import Engine, Events
from rich.console import Console

from monai_ext.engines import progress
from monai_ext.engines.progress import progress_bar
from tests.resumed import STEPS, training


@pytest.fixture
def terminal(monkeypatch):
    """What is written to standard error, which seems to be a terminal."""
    text = io.StringIO()
    monkeypatch.setattr(
        progress,
        "Console",
        lambda stderr: Console(file=text, force_terminal=True, width=150, color_system=None),
    )
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    return text


def last_line(terminal):
    return [line for line in terminal.getvalue().split("\r") if "iterations" in line][-1]


def test_a_training_shows_its_loss_its_last_validation_and_how_far_it_is(terminal, tmp_path):
    trainer, losses = training(tmp_path), []
    trainer.progress = None
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda: losses.append(trainer.state.output["loss"].item())
    )
    trainer.run()
    line = last_line(terminal)
    assert f"{4 * STEPS}/{4 * STEPS}" in line
    assert (
        f"loss {losses[-1]:.4f}, validation dice 0.400" in line
    )  # of the third epoch: the fourth's came later
    assert "0:00:00" in line


def test_before_a_validation_it_shows_the_loss_alone(terminal, tmp_path):
    trainer = training(tmp_path, epochs=1)
    trainer.progress = True
    trainer.run()
    assert "loss" in last_line(terminal) and "validation" not in last_line(terminal)


def test_a_training_that_goes_on_begins_where_it_was_stopped(terminal, tmp_path):
    first = training(tmp_path)
    first.add_event_handler(Events.EPOCH_COMPLETED(once=2), first.terminate)
    first.run()
    second = training(tmp_path)
    second.progress = True
    second.add_event_handler(Events.ITERATION_COMPLETED(once=2 * STEPS + 1), second.terminate)
    second.run()
    assert f"{2 * STEPS + 1}/{4 * STEPS}" in last_line(terminal)


def test_only_the_first_of_several_processes_shows_it(terminal, monkeypatch):
    monkeypatch.setattr(progress, "rank", lambda: 1)
    engine = Engine(lambda *_: None)
    with progress_bar(engine, 3, "cases", shown=True):
        engine.run(range(3))
    assert terminal.getvalue() == ""
    monkeypatch.setattr(progress, "rank", lambda: 0)
    with progress_bar(engine, 3, "cases", shown=True):
        engine.run(range(3))
    assert "cases" in terminal.getvalue()


def test_switched_off_it_shows_nothing(terminal):
    engine = Engine(lambda *_: None)
    with progress_bar(engine, 3, "cases", shown=False):
        engine.run(range(3))
    assert terminal.getvalue() == ""
