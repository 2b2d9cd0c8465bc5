"""The log of a training, clipped gradients, and images that grow while it goes on."""

import pytest
import torch
import torch.distributed as dist
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from monai_ext.engines.tasks import ImageTextTask
from monai_ext.errors import InputError
from monai_ext.handlers.checkpoint import ResumableCheckpoint
from monai_ext.handlers.training import (
    ClipGradients,
    ImageSizeSchedule,
    LossLog,
    MovingAverage,
    unwrapped,
)


class Sized(nn.Linear):
    """A network with the side of its input."""

    def __init__(self):
        super().__init__(1, 1)
        self.image_size = 7


WRAPS = {
    "nothing": lambda network: network,
    "several processes": DistributedDataParallel,
    "several devices": nn.DataParallel,
    "compiled": torch.compile,
    "averaged by torch": AveragedModel,
    "averaged by ignite": MovingAverage,
    "a task": lambda network: ImageTextTask(network, None),
    "a compiled task on several processes": lambda network: torch.compile(
        DistributedDataParallel(ImageTextTask(network, None))
    ),
}


@pytest.fixture
def one_process(tmp_path):
    """A process group of this process alone."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def training(folder, stop_after=None, resume=True):
    """Four epochs of two steps, whose losses are all different."""
    log = LossLog(folder / "run")
    engine = Engine(lambda engine, _: {"loss": torch.tensor(1.0 / engine.state.iteration)})
    log.attach(engine)
    ResumableCheckpoint(folder / "run", {"model": nn.Linear(3, 1), "log": log}, resume=resume).attach(engine)
    if stop_after:
        engine.add_event_handler(
            Events.EPOCH_COMPLETED, lambda e: e.terminate() if e.state.epoch == stop_after else None
        )
    engine.run([0, 1], max_epochs=4)


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


def test_gradients_are_clipped_to_the_norm_between_the_backward_pass_and_the_step():
    network = nn.Linear(2, 1, bias=False)
    network.weight.grad = torch.tensor([[30.0, 40.0]])
    engine = Engine(lambda engine, _: engine.fire_event(IterationEvents.BACKWARD_COMPLETED))
    engine.register_events(*IterationEvents)
    ClipGradients(network, max_norm=5.0).attach(engine)
    engine.run([0])
    assert torch.allclose(network.weight.grad, torch.tensor([[3.0, 4.0]]), atol=1e-5)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_gradients_that_are_no_numbers_stop_the_training(value):
    network = nn.Linear(2, 1, bias=False)
    network.weight.grad = torch.tensor([[1.0, value]])
    with pytest.raises(InputError, match="^step 0: the gradients are (nan|inf); lower learning_rate"):
        ClipGradients(network)(Engine(lambda *_: None))


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
        network, seen = Sized(), []
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

    @pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
    def test_reaches_the_network_inside_of_what_wraps_it(self, wrap, one_process):
        network = Sized()
        wrapped = wrap(network)
        engine = Engine(lambda *_: None)
        ImageSizeSchedule([wrapped], [[0, 96]]).attach(engine)
        engine.run([0])
        inside = unwrapped(wrapped)
        assert type(inside) is Sized and inside.image_size == 96
        assert "image_size" not in vars(wrapped) or wrapped is inside

    def test_a_network_without_a_size_is_refused(self):
        with pytest.raises(ValueError, match="Linear has no image_size to set"):
            ImageSizeSchedule([Sized(), nn.Linear(1, 1)], [[0, 96]])

    def test_shares_are_of_all_rounds_of_a_federated_training(self):
        network, seen = Sized(), []
        engine = Engine(lambda *_: seen.append(network.image_size))
        ImageSizeSchedule([network], [[0, 96], [0.5, 160]], epochs=4).attach(engine)
        for epochs in (1, 2, 3, 4):
            engine.run([0], max_epochs=epochs)
        assert seen == [96, 96, 160, 160]


@pytest.mark.parametrize("restart", [True, False])
def test_an_average_begins_each_round_with_the_weights_of_the_server_if_it_is_to(restart):
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average, began = MovingAverage(network, momentum=0.5, restart=restart), []
    engine = Engine(lambda *_: network.weight.data.add_(2.0))
    average.attach(engine)
    engine.add_event_handler(Events.EPOCH_STARTED, lambda: began.append(float(average.ema_model.weight)))
    engine.run([0], max_epochs=1)
    assert float(average.ema_model.weight) == 1.0
    network.weight.data.fill_(10.0)
    engine.run([0], max_epochs=2)
    assert began == [0.0, 10.0 if restart else 1.0]
    assert float(average.ema_model.weight) == (11.0 if restart else 6.5)
