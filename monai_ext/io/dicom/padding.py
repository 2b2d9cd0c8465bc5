"""Pixels that fill a DICOM image up to a rectangle: PixelPaddingValue, or the range from it to PixelPaddingRangeLimit."""

from __future__ import annotations

from typing import Any

import numpy as np

AIR = -1024.0
"""HU that stand for what lies outside of the field of view of a CT."""
NATIVE = {"1.2.840.10008.1.2": "<", "1.2.840.10008.1.2.1": "<", "1.2.840.10008.1.2.2": ">"}
"""Transfer syntaxes without compression, with their order of bytes."""


def padded(image: Any, values: np.ndarray) -> np.ndarray | None:
    """Which stored values of an image are padding.

    Args:
        image: pydicom Dataset of the file; its tags may state the sign otherwise than its pixels have it.
        values: (frames, rows, columns) as stored, before any rescaling.

    Returns:
        (frames, rows, columns) bool; None if none of them are.
    """
    value = _stated(image, "PixelPaddingValue")
    if value is None:
        return None
    limit = _stated(image, "PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    bits, signed = int(image.BitsStored), bool(image.PixelRepresentation)
    lowest = -(1 << (bits - 1)) if signed else 0
    if not lowest <= value < lowest + (1 << bits):  # some write it over the bits that are not used
        values = _cells(image, values)
    found = (values >= low) & (values <= high)
    return found if found.any() else None


def outside(modality: str, values: np.ndarray) -> float:
    """The value of what lies outside of the patient, where the others of the volume are `values`.

    It is air in CT, no signal in MR, else the lowest of the others: neither a window nor a percentile of the foreground
    then depends on it.
    """
    if modality == "CT":
        return AIR
    lowest = float(values.min()) if values.size else 0.0
    return min(0.0, lowest) if modality == "MR" else lowest


def _stated(image: Any, tag: str) -> int | None:
    """The number that a tag of 16 bits states, with the sign that the pixels have."""
    value = image.get(tag)
    if value is None or value in ("", b""):
        return None
    number = int.from_bytes(value, "little") if isinstance(value, bytes) else int(value)
    bits = max(16, int(image.BitsAllocated))
    number %= 1 << bits
    return number - (1 << bits) if image.PixelRepresentation and number >> (bits - 1) else number


def _cells(image: Any, values: np.ndarray) -> np.ndarray:
    """The whole words that hold the pixels, with the bits that are not used; `values` of a compressed image."""
    order = NATIVE.get(image.file_meta.TransferSyntaxUID)
    if order is None:
        return values
    kind = f"{order}{'i' if image.PixelRepresentation else 'u'}{image.BitsAllocated // 8}"
    return np.frombuffer(image.PixelData, kind, values.size).reshape(values.shape)
