"""One run on several processes, as torchrun starts them; each function does the right thing on one process, too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist

from monai_ext.data.sampling import processes as processes
from monai_ext.data.sampling import rank as rank
from monai_ext.errors import InputError


def default_device() -> torch.device:
    """The CUDA device of this process (``LOCAL_RANK`` of torchrun, else the first), or the CPU where there is none."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cpu")


def start_processes(device: str | torch.device, backend: str | None = None) -> None:
    """Join the process group that torchrun describes in the environment.

    Args:
        device: of this process.
        backend: of torch.distributed; None: NCCL on CUDA devices, Gloo on CPUs.
    """
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group(backend or ("nccl" if device.type == "cuda" else "gloo"))


def check_processes() -> None:
    """Refuse several processes that know nothing of each other: all would train the same and write the same files.

    Raises:
        InputError: with the configuration that is missing.
    """
    processes = int(os.environ.get("WORLD_SIZE", 1)) if "RANK" in os.environ else 1
    if processes > 1 and not (dist.is_available() and dist.is_initialized()):
        raise InputError(
            f"{processes} processes were started, each of which would do the whole training by itself; lay "
            "multi_gpu_train.json over the configuration (its first lines say how), or start one without torchrun."
        )


def end_processes() -> None:
    """Leave the process group, if there is one, when all are done: one that leaves early can end the others."""
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def gather_dict(content: Mapping[Any, Any]) -> dict[Any, Any]:
    """The entries of all processes, on each of them."""
    if processes() == 1:
        return dict(content)
    gathered: list[Any] = [None] * processes()
    dist.all_gather_object(gathered, dict(content))
    return {key: value for one in gathered for key, value in one.items()}
