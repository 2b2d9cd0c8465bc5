"""A training ends when its validation no longer gets better, at the same epoch whether it was stopped before or not."""

from __future__ import annotations

import math

import pytest
from ignite.engine import Events

from tests.resumed import DICE, STEPS, equal, training, weights


def ended(folder, stop=None, **options):
    """The epoch at which a training of six epochs ends."""
    trainer = training(folder, epochs=6, **options)
    if stop:
        trainer.add_event_handler(Events.EPOCH_COMPLETED(once=stop), trainer.terminate)
    trainer.run()
    assert trainer.state.iteration == trainer.state.epoch * STEPS
    return trainer.state.epoch


@pytest.mark.parametrize(("patience", "epoch"), [(None, 6), (1, 3), (2, 4), (3, 6)])
def test_it_ends_after_so_many_validations_without_a_better_one(tmp_path, patience, epoch):
    """The second epoch is better than the third and the fourth, and the fifth is better than all before."""
    assert ended(tmp_path, patience=patience) == epoch


def test_a_metric_that_is_nan_is_no_better_one(tmp_path):
    assert ended(tmp_path, patience=2, dice={**DICE, 3: math.nan, 4: math.nan}) == 4
    assert ended(tmp_path / "first", patience=2, dice=dict.fromkeys(DICE, math.nan)) == 3


def test_a_training_that_was_stopped_ends_at_the_same_epoch_with_the_same_weights(tmp_path):
    assert ended(tmp_path / "whole", patience=2) == 4
    assert ended(tmp_path / "parts", stop=3, patience=2) == 3
    assert ended(tmp_path / "parts", patience=2) == 4
    assert equal(weights(tmp_path / "parts"), weights(tmp_path / "whole"))


def test_started_again_it_does_nothing_unless_it_is_to_be_more_patient(tmp_path):
    assert ended(tmp_path, patience=2) == 4
    before = weights(tmp_path)
    assert ended(tmp_path, patience=2) == 4
    assert equal(weights(tmp_path), before)
    assert ended(tmp_path, patience=3) == 6


def test_patience_may_be_asked_for_later(tmp_path):
    dice = {**DICE, 3: 0.5, 4: 0.4}
    assert ended(tmp_path, stop=2, dice=dice) == 2
    assert ended(tmp_path, patience=1, dice=dice) == 4  # the third is the first that it knows


def test_the_last_epoch_of_a_training_that_ends_early_is_written(tmp_path):
    assert ended(tmp_path / "every", patience=1) == 3
    assert ended(tmp_path / "some", patience=1, interval=2) == 3
    assert equal(weights(tmp_path / "some"), weights(tmp_path / "every"))
