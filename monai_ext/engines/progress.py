"""How far a run is: cases done, rate, time left and figures, in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ignite.engine import Engine, Events
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from monai_ext.engines.distributed import rank


class RateColumn(ProgressColumn):
    """Iterations per second, or seconds per iteration where they are slow."""

    def render(self, task: Task) -> Text:
        """The rate of a task as text."""
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each")


@contextmanager
def progress_bar(
    engine: Engine,
    total: int,
    name: str,
    shown: bool | None = None,
    figures: Callable[[], str] | None = None,
) -> Iterator[None]:
    """Show a bar while what follows runs the engine; it is gone afterwards, however that ends.

    A run that goes on from a checkpoint begins where it left off. Of several processes the first one shows it.

    Args:
        engine: whose iterations are counted.
        total: number of iterations.
        name: what is counted, such as "cases".
        shown: whether to show it; None: only where standard error is a terminal.
        figures: a text that is shown beside the bar, asked for after each iteration.
    """
    if rank() or not (sys.stderr.isatty() if shown is None else shown):
        yield
        return
    columns = (
        *(TextColumn(name), BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn()),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=total, figures="")

        def count() -> None:
            bar.update(task, completed=engine.state.iteration, figures="" if figures is None else figures())

        counting = engine.add_event_handler(Events.ITERATION_COMPLETED, count)
        try:
            yield
        finally:
            counting.remove()
