"""Groups of weights: all that a published method needs, under one name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from monai_ext.weights import store
from monai_ext.weights.fetch import describe, format_bytes
from monai_ext.weights.registry import registered

GROUPS = {"medclip_sam": ("biomedclip-dhn-nce", "biomedclip", "sam-vit-b")}
"""Names in the registry by group.

medclip_sam holds the encoder that its authors tuned, which only a browser can download from their drive; the encoder it
was tuned from, which needs no browser; and the smallest SAM of the paper.
"""


def describe_group(group: str, registry: str | Path | None = None) -> Iterator[str]:
    """Lines with size, licence and source of each file of a group, and one with what there is to fetch in all.

    Raises:
        WeightsError: when one of them is not registered.
    """
    size, unknown = 0, 0
    for name in GROUPS[group]:
        entry = registered(name, registry)
        kind, _, address = entry.source.partition(":")
        if entry.source == "embedded":
            where = "in the package"
        elif store.fetched_file(name, entry).is_file():
            where = "already here"
        else:
            where = f"by browser from {address}" if kind == "page" else "to be downloaded"
            size, unknown = size + (entry.size or 0), unknown + (entry.size is None)
        yield f"{describe(name, entry)}; {where}"
    sizes = [format_bytes(size)] if size else []
    sizes += [f"{unknown} of unknown size"] if unknown else []
    yield f"{group}: {' and '.join(sizes) or 'nothing'} to fetch"
