"""Samplers of data loaders, on one process or on each of several."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch.distributed as dist
from monai.data import DistributedSampler
from torch.utils.data import WeightedRandomSampler


def set_sampler(
    dataset: Any, draws: int, set_weights: Mapping[str, float] | None = None
) -> WeightedRandomSampler:
    """Random draws in which each data set as a whole has its own weight, spread evenly over its targets.

    Args:
        dataset: with a method ``weights``, such as :class:`monai_ext.data.text_prompt_dataset.TextPromptDataset`.
        draws: number of items, of all processes together.
        set_weights: how often each set is drawn, by name; 1 for a set that is not named.
    """
    share = math.ceil(draws / _processes())
    return WeightedRandomSampler(dataset.weights(set_weights), share)


def process_sampler(dataset: Any) -> DistributedSampler | None:
    """This process's share of the items, in their order; None, all of them, on one process."""
    return DistributedSampler(dataset, even_divisible=False, shuffle=False) if _processes() > 1 else None


def _processes() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
