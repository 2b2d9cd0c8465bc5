"""What a TIFF file says of its numbers and Pillow passes over: white is zero, signs, planes, the order of bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    SAMPLEFORMAT,
    TiffImageFile,
)

from monai_ext.errors import InputError

WHITE_IS_ZERO = 0
SEPARATE_PLANES = 2
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
TURNED_TWICE = ("I;16BS", "I;32BS", "F;32BF")
"""Layouts whose bytes Pillow 13 turns after libtiff, which unpacks them, has turned them already."""


@dataclass(frozen=True)
class Samples:
    """How the numbers of one picture are meant; as they are decoded, unless its tags say otherwise.

    Attributes:
        bits: of each number.
        form: unsigned, signed or floating point, as TIFF counts them.
        inverted: 0 is white, and the decoder does not turn it.
    """

    bits: int = 8
    form: int = UNSIGNED
    inverted: bool = False

    def meant(self, array: np.ndarray) -> np.ndarray:
        """(H, W) grey of what Pillow decodes; signed numbers of 8 bits become int16."""
        if (self.bits, self.form) == (8, SIGNED):
            array = array.view(np.int8).astype(np.int16)
        elif (self.bits, self.form) == (32, UNSIGNED):
            array = array.view(np.uint32)
        if not self.inverted:
            return array
        return -array if self.form == FLOAT else array.dtype.type(2**self.bits - 1) - array


def stated_samples(name: str, opened: Image.Image) -> Samples:
    """How the numbers of a picture that is not decoded yet are meant.

    Raises:
        InputError: where Pillow decodes other numbers than there are: colour of more than 8 bits in separate planes
            that are not packed, and packed numbers with sign or fraction whose high byte comes first; and where
            the file does not say whether 0 is black.
    """
    if not isinstance(opened, TiffImageFile):
        return Samples()
    tags = opened.tag_v2
    bits = tags.get(BITSPERSAMPLE, (1,))[0]
    form = tags.get(SAMPLEFORMAT, (UNSIGNED,))[0]
    codec, _, _, layout = opened.tile[0]
    if PHOTOMETRIC_INTERPRETATION not in tags:
        raise InputError(
            f"{name}: does not say whether 0 is black (PhotometricInterpretation); save it as PNG."
        )
    if bits > 8 and tags.get(PLANAR_CONFIGURATION) == SEPARATE_PLANES and codec == "raw":
        raise InputError(f"{name}: colour of {bits} bits in separate planes is not read; save it as PNG.")
    if codec == "libtiff" and any(turned in str(layout) for turned in TURNED_TWICE):
        raise InputError(
            f"{name}: packed numbers of {bits} bits with the high byte first are not read; save them unpacked."
        )
    return Samples(bits, form, tags[PHOTOMETRIC_INTERPRETATION] == WHITE_IS_ZERO and bits > 8)
