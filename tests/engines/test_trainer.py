"""The trainer of tasks: steps, precision, a bar of progress."""

import torch
from monai.data import DataLoader

from monai_ext.engines import TaskTrainer
from monai_ext.engines.tasks import SegmentationTask
from monai_ext.inferers import AutocastInferer
from monai_ext.losses import TextPromptLoss
from tests.fakes import FeedForward
from tests.training import items


def trainer(network, **more):
    return TaskTrainer(
        task=SegmentationTask(network, TextPromptLoss()),
        device="cpu",
        max_epochs=2,
        train_data_loader=DataLoader(items(), batch_size=2),
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
