"""Twenty kills of a training at random moments, and its weights at the end; `make bench`.

The training is that of the tests, slowed down so that a kill hits every part of it: steps, writing, validation of nothing.
"""

from __future__ import annotations

import random
import signal
import tempfile
from pathlib import Path

from tests.resumed import equal, stopped, training, weights

KILLS, EPOCHS = 20, 40


def main() -> None:
    draw, done = random.Random(), 0
    with tempfile.TemporaryDirectory() as name:
        whole, parts = Path(name, "whole"), Path(name, "parts")
        training(whole, epochs=EPOCHS).run()
        for _ in range(KILLS):
            wait = draw.uniform(0.0, 0.3)
            done += (
                stopped(parts, signal.SIGKILL, wait, epochs=EPOCHS, pause=0.02, seconds=0.03)
                == -signal.SIGKILL
            )
        training(parts, epochs=EPOCHS).run()
        same = equal(weights(whole), weights(parts))
    print(
        f"training killed {done} times of {KILLS}: final weights {'equal' if same else 'NOT equal'} bit for bit"
    )
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
