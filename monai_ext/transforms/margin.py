"""The even bright margin of a scan or screenshot, which methods know in black only."""

from __future__ import annotations

from torch import Tensor

Box = tuple[slice, slice]
"""Rows and columns."""

DARK = 0.06
"""Brightness up to which a pixel is dark, and difference from the margin's level from which it is no margin."""
SHARE = 0.01
"""Of a line that holds content, at least this share of pixels."""
EVEN = (0.04, 0.98)
"""A line is even where this second share of its pixels lies within this first difference of their median."""
LEAST = 0.03
"""Of the picture's side, the thinnest margin: films often have a white edge below that."""
SHARP = 0.5
"""Share of the lines beside a margin that differs from it. Cells on an even ground reach 0.41, rectangles 0.54."""
BESIDE = 0.02
"""Of the picture's side, how far from a margin these lines lie."""
SMALLEST = 32
"""Pixels of a side below which no margin is looked for."""


def content_box(content: Tensor) -> Box | None:
    """The rows and columns between which a (H, W) boolean picture holds content; None where it holds none."""
    rows, columns = (content.float().mean(dim) > SHARE for dim in (1, 0))
    if not rows.any() or not columns.any():
        return None
    first, second = (line.nonzero() for line in (rows, columns))
    return slice(int(first[0]), int(first[-1]) + 1), slice(int(second[0]), int(second[-1]) + 1)


def inside_bright_margin(image: Tensor) -> Box | None:
    """The picture inside an even margin that is not dark, in a (C, H, W) image in [0, 1]; None without such a margin.

    The margin is on one side or several. What tells it from an even background is its edge, a straight line along
    which the picture begins at once.
    """
    level = _margin_level(image) if min(image.shape[1:]) >= SMALLEST else None
    if level is None:
        return None
    different = (image - level[:, None, None]).abs().amax(0) > DARK
    inside = content_box(different)
    if inside is None:
        return None
    edges = []
    for dim, size in enumerate(different.shape):
        lines = different[inside].float().mean(1 - dim)
        beside = max(2, round(BESIDE * size))
        if inside[dim].start >= LEAST * size:
            edges.append(float(lines[:beside].max()))
        if size - inside[dim].stop >= LEAST * size:
            edges.append(float(lines[-beside:].max()))
    return inside if edges and sum(edges) / len(edges) >= SHARP else None


def _margin_level(image: Tensor) -> Tensor | None:
    """(C,) level of the most even outermost line of a (C, H, W) image that is not dark; None where none is even."""
    best, found = EVEN[1], None
    for line in (image[:, 0], image[:, -1], image[:, :, 0], image[:, :, -1]):
        level = line.median(dim=1).values
        even = float(((line - level[:, None]).abs().amax(0) <= EVEN[0]).float().mean())
        if even >= best and float(level.max()) > DARK:
            best, found = even, level
    return found
