"""Write one MetaImage (.mha) or NRRD mask with the geometry of the file that was segmented."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.files import whole_file


def write_itk(path: Path, array: np.ndarray, meta: Mapping[str, Any]) -> None:
    """(X, Y, Z) uint8, compressed, with the dimensions, spacing, origin and direction that ITK reads from the input.

    Args:
        path: ``.mha`` or ``.nrrd``.
        array: the mask; Z = 1 for an input of two dimensions.
        meta: ``source`` as :func:`monai_ext.io.read_itk.load_itk` gives it.

    Raises:
        OSError: when the file cannot be written.
    """
    import SimpleITK as sitk

    source = json.loads(meta["source"])
    dimensions = len(source["spacing"])
    stored = array.reshape(array.shape[:dimensions]).T  # (Z, Y, X) or (Y, X)
    image = sitk.GetImageFromArray(np.ascontiguousarray(stored, dtype=np.uint8))
    image.SetSpacing(source["spacing"])
    image.SetOrigin(source["origin"])
    image.SetDirection(source["direction"])
    with whole_file(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as error:
            raise OSError(errno.EIO, "ITK cannot write the file") from error
        if source["lines"] and path.suffix == ".nrrd":
            _put_lines(temporary, source["lines"])


def _put_lines(path: Path, lines: Sequence[str]) -> None:
    """Replace the lines of a NRRD file that state its space.

    The format holds spacing times direction: ITK's product of the two is another number in the last bit.
    """
    text, voxels = path.read_bytes().split(b"\n\n", 1)
    kept = [line for line in text.decode().splitlines() if not line.startswith("space")]
    path.write_bytes("\n".join([*kept, *lines]).encode() + b"\n\n" + voxels)
