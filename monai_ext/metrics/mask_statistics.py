"""Figures of one mask and of the intensities in it: size, place, shape, distribution.

Shapes are SimpleITK's. Medians and percentiles are numpy's, which are exact: SimpleITK takes them from a histogram.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

SHAPE = ("components", "bbox_min", "bbox_max", "centroid", "elongation", "flatness", "border_distance")
INTENSITY = ("mean", "median", "std", "p5", "p95")


def mask_statistics(mask: np.ndarray, values: np.ndarray, affine: np.ndarray | None = None) -> dict[str, Any]:
    """The figures of a mask, in the unit of length of its affine; all but ``components`` are None if it is empty.

    Args:
        mask: (H, W) or (X, Y, Z), not 0 inside.
        values: (C, ...) numbers of the same image; of several channels their mean is taken.
        affine: (4, 4) from indices to the coordinates of a volume; a picture has none, and its coordinates are column
            and row, from 0 at the centre of the first pixel.

    Returns:
        ``components``, whose voxels touch by a side, an edge or a corner; ``bbox_min`` and ``bbox_max``, the ends along
        each coordinate of the box of voxels, their outer faces included; ``centroid``; ``elongation``, the root of the
        ratio of the largest and the second of the principal moments (1 for a circle), and ``flatness`` likewise of the
        second and the third (None in a picture or a single slice), None where a moment is 0; ``border_distance``, the
        voxels between the mask and the nearest border of the image along an axis, in units of length (0 where it
        touches); ``mean``, ``median``, ``std`` (of the population), ``p5`` and ``p95`` of the intensities.
    """
    if affine is None:
        mask, values, columns = mask.T, values.swapaxes(1, 2), np.eye(2)
        origin = np.zeros(2)
    else:
        columns, origin = np.asarray(affine, np.float64)[:3, :3], np.asarray(affine, np.float64)[:3, 3]
    box = _box(mask)
    if box is None:
        return {"components": 0, **dict.fromkeys(SHAPE[1:]), **dict.fromkeys(INTENSITY)}
    first, last = box
    part = tuple(slice(low, high + 1) for low, high in zip(first, last))
    found = {
        **_shape(mask[part], mask.shape, first, columns, origin),
        **_place(first, last, mask.shape, columns, origin),
        **_distribution(values[:, *part][:, mask[part] > 0].mean(0, dtype=np.float64)),
    }
    return {name: found[name] for name in (*SHAPE, *INTENSITY)}


def _box(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The first and the last index of a mask along each axis, None if it is empty."""
    ends = []
    for axis in range(mask.ndim):
        hit = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        if not len(hit):
            return None
        ends.append((hit[0], hit[-1]))
    first, last = np.array(ends).T
    return first, last


def _shape(
    part: np.ndarray, shape: tuple[int, ...], first: np.ndarray, columns: np.ndarray, origin: np.ndarray
) -> dict[str, Any]:
    """Components, centroid and moments of the box `part` of an image, whose first index is `first`."""
    import SimpleITK as sitk

    axes = _long_axes(shape)
    # the image turned so that ITK can count it in as many dimensions as it has: turning changes no moment
    turned = np.linalg.qr(columns[:, axes])[1]
    spacing = np.linalg.norm(turned, axis=0)
    image = sitk.GetImageFromArray((part.reshape([part.shape[axis] for axis in axes]) > 0).astype(np.uint8).T)
    image.SetSpacing(spacing)
    image.SetDirection((turned / spacing).ravel())
    found = sitk.LabelShapeStatisticsImageFilter()
    found.ComputePerimeterOff()
    found.Execute(image)
    parts = sitk.ConnectedComponentImageFilter()
    parts.FullyConnectedOn()
    parts.Execute(image)
    centre = first.astype(np.float64)
    centre[axes] += np.linalg.solve(turned, found.GetCentroid(1))
    return {
        "components": int(parts.GetObjectCount()),
        "centroid": (columns @ centre + origin).tolist(),
        "elongation": _ratio(found.GetElongation(1)),
        "flatness": _ratio(found.GetFlatness(1)) if len(axes) == 3 else None,
    }


def _place(
    first: np.ndarray, last: np.ndarray, shape: tuple[int, ...], columns: np.ndarray, origin: np.ndarray
) -> dict[str, Any]:
    corners = np.array(list(product(*zip(first - 0.5, last + 0.5)))) @ columns.T + origin
    spacing = np.linalg.norm(columns, axis=0)
    gaps = np.minimum(first, np.array(shape) - 1 - last) * spacing
    return {
        "bbox_min": corners.min(0).tolist(),
        "bbox_max": corners.max(0).tolist(),
        "border_distance": float(gaps[_long_axes(shape)].min()),
    }


def _long_axes(shape: tuple[int, ...]) -> list[int]:
    """The axes in which an image lies: a volume of one slice has two. All, where fewer than two are longer than 1."""
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    return axes if len(axes) > 1 else list(range(len(shape)))


def _distribution(values: np.ndarray) -> dict[str, float]:
    low, middle, high = np.percentile(values, [5, 50, 95])
    figures = (values.mean(), middle, values.std(), low, high)
    return {name: float(figure) for name, figure in zip(INTENSITY, figures)}


def _ratio(figure: float) -> float | None:
    """A ratio of ITK's, which is 0 where a moment is."""
    return figure if math.isfinite(figure) and figure > 0 else None
