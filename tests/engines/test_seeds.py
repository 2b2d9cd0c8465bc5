"""Steps draw the same whatever was drawn before them."""

import random
from unittest.mock import Mock, call

import numpy as np
import torch
from ignite.engine import Engine, Events

from monai_ext.engines import seeds
from monai_ext.engines.seeds import SeededSteps


def drawn(seed=0, disturb=False, start=0):
    """What three steps, from `start` on, draw of each generator."""
    engine = Engine(lambda *_: (random.random(), float(np.random.rand()), float(torch.rand(()))))
    SeededSteps(seed).attach(engine)
    found = []
    if disturb:
        engine.add_event_handler(
            Events.ITERATION_COMPLETED, lambda: (random.random(), np.random.rand(), torch.rand(2))
        )
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda e: found.append(e.state.output))
    engine.add_event_handler(Events.STARTED, lambda e: setattr(e.state, "iteration", start))
    engine.run([0] * 3, max_epochs=1)
    return found


def test_every_step_has_draws_of_its_own_that_nothing_disturbs():
    assert drawn() == drawn(disturb=True)
    assert len({value for step in drawn() for value in step}) == 9
    assert drawn(start=1)[:2] == drawn()[1:]


def test_seeds_and_processes_differ(monkeypatch):
    one = drawn()
    assert drawn(seed=1)[0][2] != one[0][2]
    monkeypatch.setattr(seeds, "rank", lambda: 1)
    assert drawn()[0][2] != one[0][2]


def test_a_sampler_is_told_its_epoch_and_how_much_of_it_is_done():
    sampler = Mock(spec=["set_epoch"])

    class Loader(list):
        pass

    loader = Loader([0] * 3)
    loader.sampler, loader.batch_size = sampler, 4
    engine = Engine(lambda *_: None)
    SeededSteps().attach(engine)

    @engine.on(Events.STARTED)
    def resume(engine):
        engine.state.iteration, engine.state.epoch = 8, 2

    engine.run(loader, max_epochs=4)
    assert sampler.set_epoch.call_args_list == [call(3, 8), call(4, 0)]
