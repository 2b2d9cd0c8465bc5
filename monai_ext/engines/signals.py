"""A run that is told to stop ends as one that is interrupted at the keyboard: with its files whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ignite.engine import Engine, Events


@contextmanager
def stoppable(engine: Engine, after_step: bool = False) -> Iterator[None]:
    """Raise KeyboardInterrupt on Ctrl-C, and on SIGTERM, as schedulers and containers send it, while what follows runs.

    The default of SIGTERM ends the process at once, and with it whatever would remove a half-written file. Where
    Python swallows the exception, as it does in a finaliser, the engine raises it after its iteration. Only a main
    thread can set signals: elsewhere this changes nothing.

    Args:
        engine: that runs.
        after_step: the first signal waits until the iteration, and where it is the last one its epoch, is done and its
            handlers have run: a training then keeps what it has learnt. A second signal does not wait.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        engine.state.stopping = True  # type: ignore[attr-defined]
        if not after_step or len(asked) > 1:
            raise KeyboardInterrupt

    def check(engine: Engine) -> None:
        at_end = after_step and engine.state.iteration % (engine.state.epoch_length or 1) == 0
        if asked and not at_end:
            raise KeyboardInterrupt

    def check_epoch(engine: Engine) -> None:
        if asked:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with (
            engine.add_event_handler(Events.ITERATION_COMPLETED, check),
            engine.add_event_handler(Events.EPOCH_COMPLETED, check_epoch),
        ):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def is_stopping(engine: Engine) -> bool:
    """Whether a run was told to stop and is finishing its step."""
    return bool(getattr(engine.state, "stopping", False))
