"""The trainer of tasks: steps, precision, a bar of progress."""

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader

from monai_ext.engines import TaskTrainer
from monai_ext.engines.tasks import SegmentationTask
from monai_ext.errors import InputError
from monai_ext.inferers import AutocastInferer
from monai_ext.losses import TextPromptLoss
from tests.fakes import FeedForward
from tests.resumed import training
from tests.training import items


def trainer(network, data=None, **more):
    return TaskTrainer(
        task=SegmentationTask(network, TextPromptLoss()),
        device="cpu",
        max_epochs=2,
        train_data_loader=DataLoader(data or items(), batch_size=2),
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        **more,
    )


def test_the_trainer_needs_only_a_task_data_and_an_optimizer(capsys):
    network = FeedForward()
    before = [p.clone() for p in network.parameters()]
    engine = trainer(network, progress=True)
    engine.run()
    assert engine.state.iteration == 4
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert capsys.readouterr().out == ""


def test_the_inferer_decides_on_the_precision_of_the_network(monkeypatch):
    monkeypatch.setattr("monai_ext.inferers.autocast.has_bfloat16", lambda device: True)
    network, seen = FeedForward(), []
    network.mask.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    for enabled in (True, False):
        trainer(network, inferer=AutocastInferer(enabled)).run()
    assert seen == [torch.bfloat16] * 4 + [torch.float32] * 4


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_with_the_cases_before_it_reaches_the_weights(value):
    network = FeedForward()
    before = {name: p.clone() for name, p in network.named_parameters()}
    data = [{**item, "case": f"case {n}"} for n, item in enumerate(items()[:2])]
    data[1]["image"] = torch.full_like(data[1]["image"], value)
    engine = trainer(network, data=data)
    with pytest.raises(
        InputError, match="^step 1: the loss is nan, of the cases case 0, case 1; look at these"
    ):
        engine.run()
    assert all(torch.equal(p, before[name]) for name, p in network.named_parameters())


def test_weights_that_a_step_does_not_use_do_not_move(tmp_path):
    engine = training(tmp_path)
    moved = []
    engine.add_event_handler(Events.ITERATION_STARTED, lambda: moved.append(weight().clone()))
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: moved.append(weight().clone()))

    def weight():
        return engine.network.network[1][0].weight

    engine.run()
    still = [torch.equal(moved[n], moved[n + 1]) for n in range(0, len(moved), 2)]
    assert 0 < sum(still) < len(still)
