"""Names for several weights at once: what a published method needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from monai_ext.weights import store
from monai_ext.weights.fetch import amount, describe
from monai_ext.weights.registry import registered

GROUPS = {"medclip_sam": ("biomedclip-dhn-nce", "biomedclip", "sam-vit-b")}
"""Names in the registry. medclip_sam: the encoder as its authors tuned it, which only a browser gets from their drive;
the one it was tuned from, which does without; and the smallest SAM of the paper."""


def announced(group: str, registry: str | Path | None = None) -> Iterator[str]:
    """Lines that tell of each file of a group, before any is downloaded: size, licence and where it comes from.

    Raises:
        WeightsError: when one of them is not registered.
    """
    known, unknown = 0, 0
    for name in GROUPS[group]:
        entry = registered(name, registry)
        kind, _, address = entry.source.partition(":")
        if entry.source == "embedded":
            where = "in the package"
        elif store.fetched_file(name, entry).is_file():
            where = "already here"
        else:
            where = f"by browser from {address}" if kind == "page" else "to be downloaded"
            known, unknown = known + (entry.size or 0), unknown + (entry.size is None)
        yield f"{describe(name, entry)}; {where}"
    sizes = [amount(known)] if known else []
    sizes += [f"{unknown} of unknown size"] if unknown else []
    yield f"{group}: {' and '.join(sizes) or 'nothing'} to fetch"
