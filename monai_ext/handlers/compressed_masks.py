"""Masks kept until all cases are scored, as compressed bits: some hundred bytes where an image takes a megabyte."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CompressedMasks:
    """Masks of one slice.

    Attributes:
        shape: (K, H, W).
        packed: bits of all, compressed.
    """

    shape: tuple[int, ...]
    packed: bytes

    @classmethod
    def of(cls, masks: np.ndarray) -> CompressedMasks:
        """Of (K, H, W), nonzero = inside."""
        return cls(masks.shape, zlib.compress(np.packbits(masks != 0).tobytes(), level=1))

    def masks(self) -> np.ndarray:
        """(K, H, W) in {False, True}."""
        bits = np.frombuffer(zlib.decompress(self.packed), dtype=np.uint8)
        return np.unpackbits(bits, count=int(np.prod(self.shape))).reshape(self.shape).astype(bool)
