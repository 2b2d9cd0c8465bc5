"""Told to stop, an engine stops, even where Python swallows the interruption."""

import os
import signal

import pytest
from ignite.engine import Engine

from monai_ext.engines.signals import stoppable


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
