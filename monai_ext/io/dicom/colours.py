"""Single pictures in colour: photographs of the eye, the skin or a wound, endoscopy, microscopy, ultrasound."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from monai_ext.errors import InputError
from monai_ext.io.dicom.headers import LIGHT, Plane
from monai_ext.io.dicom.pixels import PYDICOM, TAGS, refuse_syntax, undecodable
from monai_ext.logs import suppress_logs

MODALITIES = LIGHT | {"US"}
"""Modalities whose pictures are read in colour; of the others colour is an overlay, which stands for no intensity."""
MODELS = re.compile(r"(RGB|YBR_FULL|YBR_FULL_422|YBR_RCT|YBR_ICT) with 3 samples per pixel")


def is_colour(plane: Plane) -> bool:
    """Whether a plane is a picture whose colours are read."""
    return plane.modality in MODALITIES and MODELS.fullmatch(plane.photometric) is not None


def colour_picture(plane: Plane) -> np.ndarray:
    """(3, columns, rows, 1) float32 of a file of one picture: red, green and blue in 0 to 255.

    Raises:
        InputError: the pixels cannot be decoded, or have more than 8 bits.
    """
    from pydicom import __version__ as pydicom_version
    from pydicom import dcmread

    try:
        with suppress_logs("pydicom"):
            image = dcmread(plane.file, force=True, specific_tags=[*TAGS, "PlanarConfiguration"])
            refuse_syntax(plane.file, image, PYDICOM)
            if image.BitsAllocated != 8:
                raise InputError(
                    f"{plane.file.name}: colour of {image.BitsAllocated} bits; convert it to 8 bits."
                )
            values = image.pixel_array.reshape(image.Rows, image.Columns, 3)
            if pydicom_version.startswith("2."):  # MONAI Label's; pydicom 3 gives red, green and blue itself
                values = _as_rgb(values, image)
    except InputError:
        raise
    except Exception as error:  # damaged bytes lead the decoders to errors of any kind
        raise InputError(undecodable(plane.file, error)) from error
    return values.astype(np.float32).T[..., None]


def _as_rgb(values: np.ndarray, image: Any) -> np.ndarray:
    from pydicom.pixel_data_handlers.util import convert_color_space

    stored = image.PhotometricInterpretation
    # the colours of JPEG 2000 are turned as it is decoded
    return convert_color_space(values, stored, "RGB") if stored.startswith("YBR_FULL") else values
