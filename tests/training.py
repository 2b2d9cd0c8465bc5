"""One training step of a fake through MONAI's trainer, alone or as one of several processes.

A module of its own, since the processes of ``torch.multiprocessing`` import what they run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from monai.data import DataLoader
from monai.inferers import SimpleInferer
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from monai_ext.engines import TaskTrainer
from monai_ext.engines.tasks import TrainingTask
from monai_ext.inferers import PromptInferer
from monai_ext.networks.segmenter import TextPromptedSegmenter
from tests.fakes import FAKES

PROMPTS = ("lungs", "the left kidney", "", "a polyp, if there is one")


def make(name: str) -> TextPromptedSegmenter:
    """A fake with the same random weights every time."""
    torch.manual_seed(3)
    return FAKES[name][0]()


def items() -> list[dict[str, Any]]:
    """Four images, the last without its target; every prompt of another length."""
    generator = torch.Generator().manual_seed(5)
    images = torch.rand(4, 3, 8, 6, generator=generator)
    labels = (images[:, :1] > 0.6).float()
    labels[3] = 0
    return [{"image": i, "label": m, "prompt": p} for i, m, p in zip(images, labels, PROMPTS, strict=True)]


def batch_of(prompts: list, label: bool = True) -> dict:
    """A collated batch of 4 x 4 images, one for each entry of `prompts`."""
    data = [{"image": torch.rand(3, 4, 4), "prompt": prompt} for prompt in prompts]
    if label:
        data = [{**item, "label": torch.ones(1, 4, 4)} for item in data]
    (batch,) = DataLoader(data, batch_size=len(data))
    return batch


def volume() -> Tensor:
    return torch.rand(1, 3, 8, 6, 3, generator=torch.Generator().manual_seed(6))


def train(task: TrainingTask, data: list[dict[str, Any]], epochs: int = 1) -> TaskTrainer:
    """Steps on one batch of all ``data``, one for each epoch; gradients of the last stay on the parameters."""
    trainer = TaskTrainer(
        task=task,
        device=torch.device("cpu"),
        max_epochs=epochs,
        train_data_loader=DataLoader(data, batch_size=len(data)),
        optimizer=torch.optim.SGD([p for p in task.parameters() if p.requires_grad], lr=0.1),
        inferer=SimpleInferer(),
    )
    trainer.run()
    return trainer


def train_one_step(network: TextPromptedSegmenter, name: str, data: list[dict[str, Any]]) -> float:
    """One step by the task of a fake. Returns the loss."""
    return train(FAKES[name][1](network), data).state.output["loss"].item()


def gradients(network: nn.Module) -> dict[str, Tensor]:
    return {n: p.grad for n, p in network.named_parameters() if p.grad is not None}


def run_process(rank: int, processes: int, folder: str) -> None:
    """Segment and train every fake on this process's share of the images; write what came out."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=processes)
    results = {}
    for name in FAKES:
        network = make(name)
        wrapped = DistributedDataParallel(network).eval()
        found = PromptInferer("lungs; heart", slice_axis=2)(volume(), wrapped)
        del wrapped
        train_one_step(network, name, items()[rank::processes])
        results[name] = {"found": found.as_tensor(), "gradients": gradients(network)}
    torch.save(results, Path(folder) / f"rank{rank}.pt")
    dist.destroy_process_group()
