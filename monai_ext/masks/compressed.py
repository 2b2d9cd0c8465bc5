"""Masks as compressed bits, to keep many of them in memory: some hundred bytes instead of a megabyte each."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CompressedMasks:
    """K masks of one slice.

    Attributes:
        shape: (K, H, W).
        compressed: zlib-compressed bits of all masks.
    """

    shape: tuple[int, ...]
    compressed: bytes

    @classmethod
    def of(cls, masks: np.ndarray) -> CompressedMasks:
        """Compress masks (K, H, W), nonzero = inside."""
        return cls(masks.shape, zlib.compress(np.packbits(masks != 0).tobytes(), level=1))

    def masks(self) -> np.ndarray:
        """The masks (K, H, W) bool."""
        bits = np.frombuffer(zlib.decompress(self.compressed), dtype=np.uint8)
        return np.unpackbits(bits, count=int(np.prod(self.shape))).reshape(self.shape).astype(bool)
