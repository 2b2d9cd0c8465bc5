"""A training that was interrupted goes on as if it had not been."""

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import nn

from monai_ext.errors import WeightsError
from monai_ext.handlers.training import (
    ClipGradients,
    ImageSizeSchedule,
    LossLog,
    ResumableCheckpoint,
)


def training(folder, stop_after=None, resume=True):
    """Four epochs of two steps on random data drawn from the global generator; the network afterwards."""
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)

    def step(engine, _):
        optimizer.zero_grad()
        loss = network(torch.rand(4, 3)).square().mean()
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach()}

    engine = Engine(step)
    objects = {"model": network, "optimizer": optimizer}
    ResumableCheckpoint(folder / "run", objects, resume=resume).attach(engine)
    LossLog(folder / "run").attach(engine)
    if stop_after:
        engine.add_event_handler(
            Events.EPOCH_COMPLETED, lambda e: e.terminate() if e.state.epoch == stop_after else None
        )
    engine.run([0, 1], max_epochs=4)
    return network


def test_an_interrupted_run_ends_with_the_same_weights_bit_for_bit(tmp_path):
    whole = training(tmp_path / "whole")
    training(tmp_path / "parts", stop_after=2)
    resumed = training(tmp_path / "parts")
    assert torch.equal(whole.weight, resumed.weight)
    kept = torch.load(tmp_path / "parts" / "run" / "model.pt", weights_only=True)
    assert torch.equal(kept["weight"], whole.weight)


def rows(folder):
    """Epochs and losses of the log, and its first line."""
    first, *others = (folder / "run" / "training.csv").read_text().splitlines()
    return first, [row.split(",")[0] for row in others], [row.split(",")[2] for row in others]


def test_the_log_has_one_row_an_epoch_over_all_parts(tmp_path):
    training(tmp_path / "parts", stop_after=2)
    training(tmp_path / "parts")
    training(tmp_path / "whole")
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")
    first, epochs, losses = rows(tmp_path / "parts")
    assert (first, epochs) == ("epoch,seconds,loss", ["1", "2", "3", "4"])
    assert len(set(losses)) == 4


def test_a_training_that_starts_anew_begins_a_new_log(tmp_path):
    training(tmp_path)
    training(tmp_path, resume=False, stop_after=2)
    assert rows(tmp_path)[1] == ["1", "2"]


def test_a_finished_training_that_is_started_again_leaves_its_log(tmp_path):
    training(tmp_path)
    before = rows(tmp_path)
    training(tmp_path)
    assert rows(tmp_path) == before


def test_epochs_that_are_done_again_replace_their_rows(tmp_path):
    training(tmp_path, stop_after=2)
    with (tmp_path / "run" / "training.csv").open("a") as file:
        file.write("3,1,9.0000\n4,1,9.0000\n")  # later than the last checkpoint
    training(tmp_path)
    assert rows(tmp_path)[1] == ["1", "2", "3", "4"] and "9.0000" not in rows(tmp_path)[2]


def test_the_loss_of_an_epoch_is_the_mean_of_its_steps_in_this_run(tmp_path):
    log = LossLog(tmp_path / "run")
    for losses, stop in (([9.0, 9.0], 1), ([1.0, 5.0], None)):  # the first is stopped within its epoch
        engine = Engine(lambda _, batch: {"loss": torch.tensor(batch)})
        log.attach(engine)
        if stop:
            engine.add_event_handler(Events.ITERATION_COMPLETED(once=stop), lambda e: e.terminate())
        engine.run(losses, max_epochs=1)
    assert rows(tmp_path)[1:] == (["1"], ["3.0000"])


def test_a_broken_checkpoint_is_one_clear_error_and_can_be_overridden(tmp_path):
    training(tmp_path, stop_after=1)
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match="checkpoint.pt: cannot be resumed .* set resume to false"):
        training(tmp_path)
    training(tmp_path, resume=False)


def test_gradients_are_clipped_to_the_norm_between_the_backward_pass_and_the_step():
    network = nn.Linear(2, 1, bias=False)
    network.weight.grad = torch.tensor([[30.0, 40.0]])
    engine = Engine(lambda engine, _: engine.fire_event(IterationEvents.BACKWARD_COMPLETED))
    engine.register_events(*IterationEvents)
    ClipGradients(network, max_norm=5.0).attach(engine)
    engine.run([0])
    assert torch.allclose(network.weight.grad, torch.tensor([[3.0, 4.0]]), atol=1e-5)


class TestImageSize:
    def run(self, sizes, start=0):
        network, seen = nn.Linear(1, 1), []
        network.image_size = 7
        engine = Engine(lambda *_: seen.append(network.image_size))
        ImageSizeSchedule([network], sizes).attach(engine)
        engine.add_event_handler(Events.STARTED, lambda e: setattr(e.state, "epoch", start))
        engine.run([0], max_epochs=5)
        return seen

    def test_changes_when_the_given_share_of_the_epochs_is_done(self):
        assert self.run([[0.6, 160], [0, 96], [0.2, 128]]) == [96, 128, 128, 160, 160]

    def test_a_resumed_run_has_the_size_of_its_epoch(self):
        assert self.run([[0, 96], [0.6, 160]], start=3) == [160, 160]

    def test_a_share_that_floats_miss_by_a_hair_is_its_epoch(self):
        network, seen = nn.Linear(1, 1), []
        engine = Engine(lambda *_: seen.append(network.image_size))
        ImageSizeSchedule([network], [[0, 96], [0.7, 160]]).attach(engine)
        engine.run([0], max_epochs=10)  # 0.7 * 10 is 7.0, 0.29 * 100 is 28.999999999999996
        assert seen == [96] * 7 + [160] * 3
        del seen[:]
        engine = Engine(lambda *_: seen.append(network.image_size))
        ImageSizeSchedule([network], [[0, 96], [0.29, 160]]).attach(engine)
        engine.run([0], max_epochs=100)
        assert seen.count(96) == 29

    @pytest.mark.parametrize("sizes", [[[0.2, 96]], [[0, 96], [1, 128]], []])
    def test_the_first_epoch_must_have_a_size_and_no_share_be_the_whole(self, sizes):
        with pytest.raises(ValueError, match="the first pair is for share 0"):
            ImageSizeSchedule([nn.Linear(1, 1)], sizes)


@pytest.mark.parametrize("name", ["model", "network"])
def test_a_network_that_holds_nan_is_not_saved_and_the_files_of_the_epoch_before_stay(tmp_path, name):
    engine, networks = (
        Engine(lambda _engine, _batch: None),
        {"model": nn.Linear(3, 1), "network": nn.Linear(3, 1)},
    )
    ResumableCheckpoint(tmp_path, networks).attach(engine)
    saved = {}

    @engine.on(Events.EPOCH_STARTED(once=2))
    def diverge(_engine):
        saved.update({path.name: path.read_bytes() for path in tmp_path.iterdir()})
        with torch.no_grad():
            networks[name].bias.fill_(float("nan"))

    message = f"^epoch 2 is not saved, of the {name}: 1 tensor holds NaN or infinity: bias; such weights"
    with pytest.raises(WeightsError, match=message):
        engine.run([0], max_epochs=3)
    assert sorted(saved) == ["checkpoint.pt", "model.pt"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == saved
