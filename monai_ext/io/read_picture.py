"""Read one picture (PNG, JPEG, TIFF, BMP), upright, channel first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from monai_ext.errors import InputError
from monai_ext.io.tiff_samples import Samples, stated_samples
from monai_ext.io.volumes import MAX_SIDE, MAX_VOXELS, check_size, grey_or_colour, nearly_whole
from monai_ext.logs import suppress_logs

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")  # PIL's others (EPS, WMF, …) run more code than a picture needs
DEEP = ("I;16", "I;16B", "I;16L", "I", "F")  # PIL's modes of one channel of more than 8 bits


def load_picture(
    path: Path, label: bool = False, max_voxels: int = MAX_VOXELS, max_side: int = MAX_SIDE
) -> tuple[np.ndarray, dict[str, Any]]:
    """(1 or 3, H, W) of a picture, row 0 on top, transparency laid on black, with its ``meta``.

    8, 16 and 32 bit integer or float values as they are stored, signed 8 bit as 16; turned where the file says that
    0 is white; colour with 8 bits a channel (16-bit colour is cut to that by PIL, with a warning); 1 bit as 0 and
    255. Label maps: palette indices, 1 bit as 0 and 1.

    Args:
        path: the file; its content, not its name, says which format it is.
        label: the picture is a label map: one channel.
        max_voxels: pixels times channels that the file may announce. PIL's own limit of 2**29 / 3 pixels
            holds whatever this is.
        max_side: pixels that its longer side may have.

    Raises:
        InputError: the file is damaged or cut, has several pages, is too large or of a mode that is not read, or its numbers would
            not be read as its tags say they are meant.
    """
    with suppress_logs("PIL"):
        picture, notes, stored, samples = _open(path, max_voxels, max_side)
    planes = _label(path, picture, stored, samples) if label else _planes(path, picture, samples)
    meta = {
        "affine": np.eye(4),
        "kind": "picture",
        "modality": "",
        "bits": 8 * planes.itemsize,
        "spacing": np.ones(2),
        "slice_normal": np.zeros(3),
        "nifti_header": np.zeros(0, np.uint8),
        "source": "",
    }
    return planes, {**meta, "warnings": notes}


def _open(path: Path, max_voxels: int, max_side: int) -> tuple[Image.Image, list[str], str, Samples]:
    """The decoded picture, upright; warnings; PIL's name of the layout of its pixels; how they are meant."""
    notes = []
    try:
        # streams: a file given by name is mapped, and Pillow 13 scrambles a mapped TIFF stored on its side
        with path.open("rb") as stream, Image.open(stream, formats=FORMATS) as opened:
            check_size(path.name, (*opened.size, len(opened.getbands())), max_voxels, max_side)
            if opened.format == "PNG":
                opened.verify()  # the checksums of the pixels, which decoding passes over
        with path.open("rb") as stream, Image.open(stream, formats=FORMATS) as opened:
            pages = getattr(opened, "n_frames", 1)
            if pages > 1 and opened.format != "MPO":
                raise InputError(f"{path.name}: {pages} pages; give one picture per file.")
            if pages > 1:  # a telephone's JPEG: previews and depth behind the picture
                notes.append(f"the first of {pages} pictures in the file was read")
            stored = str(opened.tile[0][3]) if opened.tile else ""
            if ";16" in stored and opened.mode not in DEEP:
                notes.append("colour of 16 bits a channel was read with 8")
            samples = stated_samples(path.name, opened)
            opened.load()
            return ImageOps.exif_transpose(opened), notes, stored, samples
    except (InputError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path.name}: more than {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels; crop it or make it smaller."
        ) from error
    except Exception as error:  # PIL's decoders answer damage with nearly every exception there is
        raise InputError(
            f"{path.name}: not a whole PNG, JPEG, TIFF or BMP picture ({type(error).__name__});"
            " export it again."
        ) from error


def _planes(path: Path, picture: Image.Image, samples: Samples) -> np.ndarray:
    """(1 or 3, H, W) as displayed."""
    if picture.mode in DEEP or (picture.mode == "L" and "transparency" not in picture.info):
        return samples.meant(np.asarray(picture))[None]
    if picture.mode in ("1", "L", "P", "PA", "LA", "La", "RGBA", "RGBa") or "transparency" in picture.info:
        rgba = picture.convert("LA" if picture.mode == "La" else "RGBA").convert("RGBA")
        black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, rgba).convert("RGB")
    elif picture.mode in ("CMYK", "YCbCr", "RGBX"):
        picture = picture.convert("RGB")
    elif picture.mode != "RGB":
        raise InputError(f"{path.name}: pictures of mode {picture.mode} are not read; save it as 8-bit PNG.")
    return grey_or_colour(np.moveaxis(np.asarray(picture), -1, 0))


def _label(path: Path, picture: Image.Image, stored: str, samples: Samples) -> np.ndarray:
    """(1, H, W) numbers of a label map."""
    if any(f"L;{bits}" in stored for bits in (2, 4)):  # PIL spreads them over 0 … 255
        raise InputError(f"{path.name}: a label map of 2 or 4 bits; save it with 8 bits.")
    array = np.asarray(picture)
    if array.ndim == 3:
        colours = array[..., : 1 if picture.mode in ("LA", "PA") else 3]
        if picture.mode not in ("LA", "PA", "RGB", "RGBA") or (colours != colours[..., :1]).any():
            raise InputError(f"{path.name}: a label map in colour; save one number per pixel.")
        array = array[..., 0]
    else:
        array = samples.meant(array)
    array = nearly_whole(array)
    if not np.isfinite(array).all() or (array != np.round(array)).any():
        raise InputError(f"{path.name}: a label map with fractions; save whole numbers.")
    return array[None]
