"""A run that is told to stop ends as one that is interrupted at the keyboard: with its files whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ignite.engine import Engine, Events


@contextmanager
def stoppable(engine: Engine) -> Iterator[None]:
    """Raise KeyboardInterrupt on Ctrl-C, and on SIGTERM, as schedulers and containers send it, while what follows runs.

    The default of SIGTERM ends the process at once, and with it whatever would remove a half-written file. Where
    Python swallows the exception, as it does in a finaliser, the engine raises it after its iteration. Only a main
    thread can set signals: elsewhere this changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        raise KeyboardInterrupt

    def check(engine: Engine) -> None:
        if asked:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with engine.add_event_handler(Events.ITERATION_COMPLETED, check):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
