"""Shapes and textures that the phantoms are drawn with. Coordinates run over [-1, 1], y down."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

Array = NDArray[np.float32]
Real = NDArray[np.floating]
Mask = NDArray[np.bool_]
Random = np.random.Generator
Picture = tuple[Array, dict[str, Mask], dict[str, str]]


@lru_cache(maxsize=256)
def _spread(size: int, cells: int) -> Array:
    """(size, cells) matrix that interpolates cells knots to size samples with a cubic spline."""
    knots = np.linspace(-1, 1, cells)
    return CubicSpline(knots, np.eye(cells))(np.linspace(-1, 1, size)).astype(np.float32)


def smooth(rng: Random, shape: Sequence[int], cells: int | Sequence[int]) -> Array:
    """A smooth random field of this shape (2D or 3D), about zero mean and unit spread.

    Args:
        cells: knots along each axis (at least 2); the more, the finer the field.
    """
    counts = [cells] * len(shape) if isinstance(cells, int) else list(cells)
    field = rng.standard_normal(counts, dtype=np.float32)
    for axis, (size, count) in enumerate(zip(shape, counts, strict=True)):
        field = np.moveaxis(np.tensordot(_spread(size, count), field, axes=(1, axis)), 0, axis)
    return np.asarray(field, dtype=np.float32)


def cloud(rng: Random, shape: Sequence[int], cells: int, octaves: int = 3) -> Array:
    """Smooth fields from coarse to fine, each half as strong and twice as fine as the one before."""
    return sum(
        (smooth(rng, shape, cells * 2**level) * np.float32(0.5**level) for level in range(octaves)),
        start=np.zeros(shape, np.float32),
    )


def noise(rng: Random, shape: Sequence[int]) -> Array:
    """White noise of unit spread."""
    return rng.standard_normal(tuple(shape), dtype=np.float32)


def plane(rng: Random, size: int, bend: float = 0.04, zoom: float = 0.1) -> tuple[Array, Array]:
    """(x, y), each (size, size): a plane bent at random, so that no two bodies are alike."""
    line = np.linspace(-1, 1, size, dtype=np.float32)
    y, x = np.meshgrid(line, line, indexing="ij")
    scale = np.float32(1 + rng.uniform(-zoom, zoom))
    shift = rng.uniform(-zoom / 2, zoom / 2, 2).astype(np.float32)
    x = x * scale + shift[0] + bend * smooth(rng, (size, size), 4)
    y = (
        y * scale * np.float32(1 + rng.uniform(-zoom, zoom) / 2)
        + shift[1]
        + bend * smooth(rng, (size, size), 4)
    )
    return x.astype(np.float32), y.astype(np.float32)


def oval(x: Array, y: Array, cx: float, cy: float, rx: float, ry: float, angle: float = 0.0) -> Array:
    """Distance to the outline of an ellipse, in units of the plane, negative inside.

    ``angle`` (radians) turns the ellipse from x towards y.
    """
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u = ((x - cx) * c + (y - cy) * s) / np.float32(rx)
    v = ((y - cy) * c - (x - cx) * s) / np.float32(ry)
    return ((np.sqrt(u * u + v * v) - 1) * np.float32(min(rx, ry))).astype(np.float32)


def blob(
    rng: Random,
    x: Array,
    y: Array,
    cx: float,
    cy: float,
    rx: float,
    ry: float,
    angle: float = 0.0,
    rough: float = 0.1,
) -> Array:
    """As :func:`oval`, with an outline that wavers by about ``rough`` of its radius."""
    turn = np.arctan2(y - np.float32(cy), x - np.float32(cx))
    waver = np.zeros_like(turn)
    for k in range(2, 7):
        waver += np.float32(rng.normal() / (k - 1) ** 0.7) * np.cos(
            k * turn + np.float32(rng.uniform(0, 6.28))
        )
    return oval(x, y, cx, cy, rx, ry, angle) - np.float32(rough * min(rx, ry)) * waver


def soft(distance: Real, width: float = 0.02) -> Array:
    """1 inside, 0 outside, with an edge of this width."""
    return np.clip(np.float32(0.5) - distance / np.float32(width), 0, 1).astype(np.float32)


def mix(below: Real, above: Real | float, cover: Real) -> Array:
    """``above`` laid over ``below`` where ``cover`` is 1."""
    return (below + (above - below) * cover).astype(np.float32)


def rescale(image: Real, low: float = 0.5, high: float = 99.5) -> Array:
    """The image between two percentiles, as [0, 1]."""
    bottom, top = np.percentile(image[::2, ::2], [low, high])
    return np.clip((image - bottom) / max(float(top - bottom), 1e-6), 0, 1).astype(np.float32)


def strokes(rng: Random, image: Array, value: float, count: int, x0: float, y0: float, height: float) -> None:
    """Draw short straight strokes like burnt-in letters into an image (H, W), which is changed.

    ``x0``, ``y0`` and ``height`` are fractions of the image.
    """
    size = image.shape[0]
    tall = max(3, int(height * size))
    for letter in range(count):
        left, top = int(x0 * size) + letter * (tall * 3 // 4), int(y0 * size)
        for _ in range(3):
            if rng.random() < 0.5:
                column = left + int(rng.integers(0, max(1, tall // 2)))
                image[top : top + tall, column : column + 1] = value
            else:
                row = top + int(rng.integers(0, tall))
                image[row : row + 1, left : left + tall // 2] = value
