"""Two things timed in turn in one process, so that their ratio holds on a slow or busy machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

ROUNDS = 7


def ratio(
    one: Callable[[], object], other: Callable[[], object], rounds: int = ROUNDS
) -> tuple[float, float, float]:
    """Median seconds of both, and the median of their ratio, round by round; one round before is not counted."""
    times = []
    for _ in range(rounds + 1):
        row = []
        for call in (one, other):
            start = time.perf_counter()
            call()
            row.append(time.perf_counter() - start)
        times.append(row)
    warm = times[1:]
    first, second = (statistics.median(t[k] for t in warm) for k in (0, 1))
    return first, second, statistics.median(a / b for a, b in warm)


def show(name: str, values: tuple[float, float, float], target: str) -> None:
    print(f"{name:<58} {values[0]:7.3f} s / {values[1]:7.3f} s = {values[2]:5.2f}   {target}")
