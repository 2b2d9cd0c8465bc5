"""Samplers of data loaders, on one process or on each of several."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from monai.data import DistributedSampler
from monai.transforms import Compose, Randomizable
from torch import Tensor
from torch.utils.data import Sampler


class Draw(NamedTuple):
    """The index of an item in a data set, with the seed of all that is random in it."""

    item: int
    seed: int


class DrawSampler(Sampler[Draw]):
    """Weighted draws with replacement, each of which brings the seed of its augmentation.

    What is drawn, and how it is augmented, depends on `seed`, the epoch and the position in it alone: not on the number of
    worker processes, and not on whether the training was stopped in between. Several processes share the draws of one:
    batches of `n` on each of `p` processes hold together what batches of `n * p` hold on one.

    Args:
        weights: (N,) of the items.
        draws: of an epoch, of all processes together; rounded up to a multiple of their number.
        seed: of the training.
    """

    def __init__(self, weights: Tensor, draws: int, seed: int = 0) -> None:
        self.weights, self.seed = weights, seed
        self.share = math.ceil(draws / processes())
        self.epoch, self.start = 1, 0

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Draw for an epoch, the first being 1, without the `start` draws of this process that are done already."""
        self.epoch, self.start = epoch, start

    def __len__(self) -> int:
        return self.share

    def __iter__(self) -> Iterator[Draw]:
        count, total = processes(), self.share * processes()
        generator = torch.Generator().manual_seed(derived_seed(self.seed, self.epoch))
        order = torch.multinomial(self.weights, total, replacement=True, generator=generator)
        seeds = torch.randint(2**31, (total,), generator=generator)
        mine = slice(rank() + self.start * count, None, count)
        yield from map(Draw, order[mine].tolist(), seeds[mine].tolist())


def set_sampler(
    dataset: Any,
    draws: int,
    set_weights: Mapping[str, float] | None = None,
    seed: int = 0,
    balance: float = 0.0,
) -> DrawSampler:
    """Random draws in which each data set as a whole has its own weight, spread evenly over its targets.

    Args:
        dataset: with a method ``weights``, such as :class:`monai_ext.data.text_prompt_dataset.TextPromptDataset`.
        draws: number of items, of all processes together.
        set_weights: how often each set is drawn, by name.
        seed: of the training.
        balance: a set that is not named weighs its number of slices to this power.
    """
    return DrawSampler(dataset.weights(set_weights, balance), draws, seed)


def share_random_state(transform: Any, state: np.random.RandomState) -> None:
    """Let a transform, and those that it is composed of, draw from one generator."""
    if isinstance(transform, Compose):
        for one in transform.transforms:
            share_random_state(one, state)
    elif isinstance(transform, Randomizable):
        transform.set_random_state(state=state)


def process_sampler(dataset: Any) -> DistributedSampler | None:
    """This process's share of the items, in their order; None, all of them, on one process."""
    return DistributedSampler(dataset, even_divisible=False, shuffle=False) if processes() > 1 else None


def derived_seed(*numbers: int) -> int:
    """A seed below 2 ** 32 for each sequence of numbers, such as a seed and an epoch."""
    return int(np.random.SeedSequence([len(numbers), *numbers]).generate_state(1)[0])


def processes() -> int:
    """How many processes train together, 1 without a group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this process, 0 on one process."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
