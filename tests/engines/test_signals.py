"""Told to stop, an engine stops, even where Python swallows the interruption."""

import os
import signal

import pytest
from ignite.engine import Engine, Events

from monai_ext.engines.signals import is_stopping, stoppable


class Finaliser:
    """Sends a signal while it is being deleted, where Python ignores exceptions."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_that_python_swallows_stops_after_the_iteration(number):
    seen = []

    def step(engine, batch):
        seen.append(batch)
        if batch == 2:
            Finaliser(number)  # deleted at once

    engine = Engine(step)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), stoppable(engine):
        engine.run(range(5))
    assert seen == [0, 1, 2]
    assert signal.getsignal(number) is before


class TestAfterStep:
    """A training is told to stop once or twice, in its second step of three, or the last of its epoch."""

    def run(self, times, at=2):
        engine, seen = Engine(lambda engine, _: self.told(engine, times, at)), []
        for event in (Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED):
            engine.add_event_handler(event, lambda e, event=event: seen.append((event.name, is_stopping(e))))
        with pytest.raises(KeyboardInterrupt), stoppable(engine, after_step=True):
            engine.run([0] * 3, max_epochs=2)
        return [(name.split("_")[0], stopping) for name, stopping in seen]

    def told(self, engine, times, at):
        if engine.state.iteration == at:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGTERM)

    def test_the_step_is_finished_and_its_handlers_run(self):
        assert self.run(1) == [("ITERATION", False), ("ITERATION", True)]

    def test_the_last_step_of_an_epoch_finishes_the_epoch(self):
        steps = [("ITERATION", False)] * 2 + [("ITERATION", True)]
        assert self.run(1, at=3) == [*steps, ("EPOCH", True)]

    def test_a_second_signal_does_not_wait(self):
        assert self.run(2) == [("ITERATION", False)]
