"""One training step of a fake through MONAI's trainer, alone or as one of several processes.

A module of its own, since the processes of ``torch.multiprocessing`` import what they run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from monai.data import DataLoader
from monai.engines import SupervisedTrainer
from monai.inferers import SimpleInferer
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from monai_ext.engines.prepare_batch import prepare_text_prompt_batch
from monai_ext.inferers import PromptInferer
from tests.fakes import FAKES

PROMPTS = ("lungs", "the left kidney", "", "a polyp, if there is one")


def make(name: str) -> nn.Module:
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


def volume() -> Tensor:
    return torch.rand(1, 3, 8, 6, 3, generator=torch.Generator().manual_seed(6))


def train_one_step(network: nn.Module, name: str, data: list[dict[str, Any]]) -> float:
    """One step on one batch of all ``data``; gradients stay on the parameters. Returns the loss."""
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=DataLoader(data, batch_size=len(data)),
        network=network,
        optimizer=torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1),
        loss_function=FAKES[name][1],
        inferer=SimpleInferer(),
        prepare_batch=prepare_text_prompt_batch,
        decollate=False,
    )
    trainer.run()
    return trainer.state.output["loss"].item()


def gradients(network: nn.Module) -> dict[str, Tensor]:
    return {n: p.grad for n, p in network.named_parameters() if p.grad is not None}


def run_process(rank: int, processes: int, folder: str) -> None:
    """Segment and train every fake on this process's share of the images; write what came out."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=processes)
    results = {}
    for name in FAKES:
        network = DistributedDataParallel(make(name))
        found = PromptInferer("lungs; heart", slice_axis=2)(volume(), network.eval())
        train_one_step(network, name, items()[rank::processes])
        results[name] = {"found": found.as_tensor(), "gradients": gradients(network.module)}
    torch.save(results, Path(folder) / f"rank{rank}.pt")
    dist.destroy_process_group()
