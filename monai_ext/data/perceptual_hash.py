"""A hash by which an image is known again after it was saved anew, resized, or made brighter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
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


def volume_hashes(image: Tensor) -> list[str]:
    """The hashes of an image (C, H, W), or of the middle slices along each axis of a volume (C, X, Y, Z).

    Volumes are compared in the orientation in which they are given; planes of one pixel have no hash.

    Returns:
        one hash, or up to three.
    """
    grey = torch.as_tensor(image).double().mean(0)
    planes = [grey]
    if grey.ndim == 3:
        planes = [grey.select(axis, size // 2) for axis, size in enumerate(grey.shape)]
    return [perceptual_hash(plane) for plane in planes if min(plane.shape) > 1]


def hash_distance(one: str, others: Sequence[str]) -> np.ndarray:
    """In how many bits a hash differs from each of N others: (N,) of 0 to 256."""
    bytes_of = np.array([list(bytes.fromhex(other)) for other in others], dtype=np.uint8).reshape(
        -1, BITS // 8
    )
    return np.unpackbits(bytes_of ^ np.frombuffer(bytes.fromhex(one), np.uint8), axis=1).sum(1)
