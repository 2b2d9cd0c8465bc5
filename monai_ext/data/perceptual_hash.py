"""A hash by which an image is known again after it was saved anew, resized, or made brighter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from nibabel.orientations import apply_orientation, io_orientation
from scipy.fft import dctn
from torch import Tensor

SIDE, FREQUENCIES = 64, 16
"""Pixels of the reduced plane, and frequencies of each axis: 256 bits. The usual 8 frequencies, 64 bits, do not tell
chest films of several patients apart: see docs/compare.md for the measurements of both."""
BITS = FREQUENCIES**2
NEAR = 36
"""Bits by which hashes of one image may differ: fewer than those of any two patients, see docs/compare.md."""


def perceptual_hash(plane: Tensor) -> str:
    """The pHash of a plane: which of its low frequencies are above their median.

    The plane is reduced to 64 x 64 pixels; of its cosine transform the frequencies 1 to 16 of both axes are taken,
    without the constants, which brightness and a gradient of light change (Zauner, "Implementation and benchmarking of
    perceptual image hash functions", 2010, section 3.2, there with 8 frequencies).

    Args:
        plane: (H, W) grey values of any range.

    Returns:
        64 hexadecimal digits.
    """
    small = F.interpolate(plane[None, None].double(), (SIDE, SIDE), mode="bilinear", antialias=True)[0, 0]
    found = dctn(small.numpy(), norm="ortho")[1 : FREQUENCIES + 1, 1 : FREQUENCIES + 1]
    return np.packbits(found > np.median(found)).tobytes().hex()


def volume_hashes(image: np.ndarray | Tensor) -> list[str]:
    """The hashes of an image (C, H, W), or of the middle slices along each axis of a volume (C, X, Y, Z).

    Volumes are compared in the orientation in which they are given; planes of one pixel have no hash.

    Returns:
        one hash, or up to three.
    """
    return [perceptual_hash(plane) for plane in middle_planes(image)]


def middle_planes(image: np.ndarray | Tensor) -> list[Tensor]:
    """The mean of the channels of an image (C, H, W), or of the middle slices of a volume (C, X, Y, Z): (H, W) float64.

    Planes of one pixel are left out.
    """
    array = np.asarray(image)
    planes = [array]
    if array.ndim == 4:
        planes = [array.take(size // 2, axis) for axis, size in enumerate(array.shape) if axis]
    planes = [np.ascontiguousarray(plane) for plane in planes if min(plane.shape[1:]) > 1]
    return [torch.from_numpy(plane).double().mean(0) for plane in planes]


def in_body_axes(image: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """A volume (C, X, Y, Z) with its axes in the order of RAS, as a view; a picture (C, H, W) as it is.

    Args:
        affine: (4, 4), in RAS.
    """
    if image.ndim == 3:
        return image
    turned = apply_orientation(np.moveaxis(image, 0, -1), io_orientation(affine))
    return np.moveaxis(turned, -1, 0)


def hash_distance(one: str, others: Sequence[str]) -> np.ndarray:
    """In how many bits a hash differs from each of N others: (N,) of 0 to 256."""
    return (hash_bits(others) != hash_bits([one])).sum(1)


def hash_bits(hashes: Sequence[str]) -> np.ndarray:
    """The bits of N hashes: (N, 256) of 0 and 1, uint8."""
    content = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(-1, BITS // 8)
    return np.unpackbits(content, axis=1)
