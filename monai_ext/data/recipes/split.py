"""Split whole patients into lists of given sizes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def split_groups(sizes: Mapping[str, int], wanted: Mapping[str, int], seed: int = 0) -> dict[str, list[str]]:
    """Whole groups for each list, so that their images sum up to what is wanted, or as near below it as can be.

    The smallest list is filled first. Groups come in an order drawn by the seed from their names, whatever the
    order in which they are given, and the first ones that leave the sum within reach are taken.

    Args:
        sizes: images of each group.
        wanted: images of each list.
        seed: of the draw.

    Returns:
        groups by list, in the order of `wanted`; what is left over is in none.
    """
    left = sorted(sizes, key=lambda group: hashlib.sha256(f"{seed}/{group}".encode()).hexdigest())
    lists: dict[str, list[str]] = {}
    for name in sorted(wanted, key=lambda name: (wanted[name], name)):
        lists[name] = _subset(left, sizes, wanted[name])
        taken = set(lists[name])
        left = [group for group in left if group not in taken]
    return {name: lists[name] for name in wanted}


def _subset(groups: list[str], sizes: Mapping[str, int], wanted: int) -> list[str]:
    """The first groups whose sizes sum up to the largest number that is not above `wanted`."""
    # reachable[k]: bit s is set where groups k, k + 1, … have a subset of sum s
    within = (1 << (wanted + 1)) - 1
    reachable = [1]
    for group in reversed(groups):
        reachable.append((reachable[-1] | reachable[-1] << sizes[group]) & within)
    reachable.reverse()
    missing = reachable[0].bit_length() - 1
    chosen = []
    for k, group in enumerate(groups):
        rest = missing - sizes[group]
        if rest >= 0 and reachable[k + 1] >> rest & 1:
            chosen.append(group)
            missing = rest
    return chosen
